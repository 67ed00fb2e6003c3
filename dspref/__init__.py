"""Upsampling artifacts in neural audio: an exact reference and its theory.

Every upsampler is a stretch followed by a filter. A *layer* says what a network does; its *normal form*
is what signal processing knows about it; *lines* and images follow from that.

>>> from dspref import TransposedConv
>>> TransposedConv([[[1, 1, 1]]], stride=2)([[1, 1, 1, 1]])
array([[1, 1, 2, 1, 2, 1, 2, 1, 1]])

Importing this package loads NumPy only; measuring (`average_spectrum`, `measure_lines`, `spectrogram`) loads SciPy
when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dspref.adjoints import Gradients, adjoint
from dspref.arrays import NotAnalysable
from dspref.chain import Chain, Pointwise
from dspref.config import read_config
from dspref.interpolate import Interpolate
from dspref.interpolators import FilterInterp, Linear, Nearest, ZeroStuff
from dspref.layers import Conv, Layer, SubpixelConv, TransposedConv
from dspref.lines import Image, Line, Whence, images, tone_lines, whence
from dspref.multirate import convolve, decimate, extend, interleave, periodic_shuffle, polyphase, stretch
from dspref.operators import correlate, filter_interp, linear, nearest, overlap_add, subpixel
from dspref.outline import Outline
from dspref.presets import Preset, preset
from dspref.spec import SpecError, parse
from dspref.streaming import Stream
from dspref.stretchfilter import StretchFilter

if TYPE_CHECKING:
    from dspref.advice import advise
    from dspref.leaks import leakage
    from dspref.spectrum import average_spectrum, measure_lines, spectrogram

__version__ = "0.1.0"

__all__ = [
    "Chain",
    "Conv",
    "FilterInterp",
    "Gradients",
    "Image",
    "Interpolate",
    "Layer",
    "Line",
    "Linear",
    "Nearest",
    "NotAnalysable",
    "Outline",
    "Pointwise",
    "Preset",
    "SpecError",
    "Stream",
    "StretchFilter",
    "SubpixelConv",
    "TransposedConv",
    "Whence",
    "ZeroStuff",
    "adjoint",
    "advise",
    "average_spectrum",
    "convolve",
    "correlate",
    "decimate",
    "extend",
    "filter_interp",
    "images",
    "interleave",
    "leakage",
    "linear",
    "measure_lines",
    "nearest",
    "overlap_add",
    "parse",
    "periodic_shuffle",
    "polyphase",
    "preset",
    "read_config",
    "spectrogram",
    "stretch",
    "subpixel",
    "tone_lines",
    "whence",
]

_LATE = {
    "advise": "advice",
    "average_spectrum": "spectrum",
    "leakage": "leaks",
    "measure_lines": "spectrum",
    "spectrogram": "spectrum",
}
"""Names that are loaded when they are first asked for, and the modules that hold them."""

_MODULES = (
    "artifacts",
    "boundary",
    "cite",
    "claims",
    "designs",
    "expected",
    "gradients",
    "heads",
    "initial",
    "nulls",
    "settling",
    "spectrum",
    "symbolic",
)
"""Modules that the documentation names, loaded when they are first asked for."""


def __getattr__(name: str) -> Any:
    """Load what is seldom needed, or needs SciPy, when it is first asked for."""
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
