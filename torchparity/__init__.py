"""Torch layers against the reference of `dspref`, and audits of Torch decoders.

>>> from torch import nn
>>> from torchparity import describe
>>> describe(nn.Upsample(scale_factor=4))
Nearest(factor=4)

Names are loaded when they are first asked for, so that ``torchparity --help`` need not wait for Torch.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchparity.asserts import assert_upsampler
    from torchparity.build import build
    from torchparity.describe import describe, register
    from torchparity.leaks import leakage
    from torchparity.nn import PixelShuffle1d
    from torchparity.parity import check
    from torchparity.probe import probe
    from torchparity.roundoff import roundoff
    from torchparity.sampled import sampled
    from torchparity.streams import check_stream
    from torchparity.verdict import Verdict
    from torchparity.walked import walked

__all__ = [
    "PixelShuffle1d",
    "Verdict",
    "assert_upsampler",
    "build",
    "check",
    "check_stream",
    "describe",
    "leakage",
    "probe",
    "register",
    "roundoff",
    "sampled",
    "walked",
]

_HOME = {
    "assert_upsampler": "asserts",
    "PixelShuffle1d": "nn",
    "Verdict": "verdict",
    "check": "parity",
    "check_stream": "streams",
    "leakage": "leaks",
    "register": "describe",
}


class _Package(ModuleType):
    """The package: functions that share their module's name are not hidden when that module is loaded."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOME.get(name, name)}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
