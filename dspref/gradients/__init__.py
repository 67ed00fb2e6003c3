"""Lines in gradients: what strided convolutions, pooling and losses on spectra put into what a network learns from."""

from dspref.gradients.adjointchain import adjoint_chain, adjoint_stage
from dspref.gradients.decimators import PhaseShuffle, Pool, phase_shuffle_attenuation
from dspref.gradients.lines import GradientLine, gradient_lines, shuffle_attenuation
from dspref.gradients.stftloss import (
    EnvelopeLine,
    Resolution,
    envelope,
    multi_resolution_lines,
    stft_gradient_lines,
)

__all__ = [
    "EnvelopeLine",
    "GradientLine",
    "PhaseShuffle",
    "Pool",
    "Resolution",
    "adjoint_chain",
    "adjoint_stage",
    "envelope",
    "gradient_lines",
    "multi_resolution_lines",
    "phase_shuffle_attenuation",
    "shuffle_attenuation",
    "stft_gradient_lines",
]
