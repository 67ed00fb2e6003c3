"""The classic mistake that explains a wrong output or gradient, by name.

A table of mistakes is a handful of functions of a layer that yield words and a computation which makes the mistake,
each a few lines of NumPy in terms of `dspref`.
"""

from __future__ import annotations

from torchparity.mistakes.backward import likely_gradient, likely_gradients
from torchparity.mistakes.forward import likely

__all__ = ["likely", "likely_gradient", "likely_gradients"]
