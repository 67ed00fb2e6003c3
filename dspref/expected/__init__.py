"""The spectrum to expect of a network before training, without weights and without drawing any."""

from dspref.expected.filters import Fixed, average_pool, fixed
from dspref.expected.kernelmaps import kernel_map, mean_map
from dspref.expected.laws import initialised, rescaled
from dspref.expected.network import Concat, Drawn, Gate, Source, Step, Sum, Unknown
from dspref.expected.spectrum import Comb, Expected, expected_spectrum
from dspref.expected.width import glu_offset, relu_line

__all__ = [
    "Comb",
    "Concat",
    "Drawn",
    "Expected",
    "Fixed",
    "Gate",
    "Source",
    "Step",
    "Sum",
    "Unknown",
    "average_pool",
    "expected_spectrum",
    "fixed",
    "glu_offset",
    "initialised",
    "kernel_map",
    "mean_map",
    "relu_line",
    "rescaled",
]
