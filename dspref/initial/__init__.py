"""Before training: how Torch draws layers, what random kernels make of an offset, what offsets activations make."""

from dspref.initial.activations import Moments, gaussian_moments
from dspref.initial.defaults import Default, TapLaw, default_of, power_through, torch_default
from dspref.initial.lines import RandomLine, exceeds_dc, random_lines

__all__ = [
    "Default",
    "Moments",
    "RandomLine",
    "TapLaw",
    "default_of",
    "exceeds_dc",
    "gaussian_moments",
    "power_through",
    "random_lines",
    "torch_default",
]
