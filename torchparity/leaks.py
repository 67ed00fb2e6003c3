"""DC leakage of Torch modules and functions: `dspref.leakage`, for what takes tensors."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.nn import functional as F

from dspref.arrays import Array, NotAnalysable, as_choice, as_integer
from dspref.leaks import of_function
from dspref.leaks.known import KnownLeakage
from dspref.leaks.lines import Leakage
from torchparity.arithmetic import unit
from torchparity.box import Box
from torchparity.calls import WIDE, Run, own_channels, own_dtype, private_copy
from torchparity.nn import Interpolate1d
from torchparity.nn_designs import KaiserUpsample1d

ALLOWED = (*WIDE, "bfloat16", "float16")
"""The dtypes that weights may have: they are converted."""


def leakage(
    f: Run, factor: int, *, channels: int | None = None, dtype: str = "float64", time: int = 1024, seed: int = 0
) -> Leakage:
    """Return the DC leakage of a Torch module or function, line by line.

    A constant goes into every input channel; line k is that of the worst output channel, over that channel's own DC.
    What zeros give, the bias, is left out: a bias is an offset that enters after the layer. The module is copied,
    put into evaluation mode, converted, and run without gradients.

    Parameters
    ----------
    f : nn.Module, or function of a tensor (batch, channel, time)
    factor : int
        L, at least 2.
    channels : int, optional
        Input channels; by default those of the first part of a module that has ``in_channels``, else 1.
    dtype : {'float64', 'float32'}
        In which it is run; if it can't run in float64, its own is taken.
    time : int
        Samples of each signal; the middle third must be steady.
    seed : int
        Of the noise.

    Returns
    -------
    dspref.leaks.Leakage
        The cure is that of the one filter, if there is one input channel.

    Raises
    ------
    NotAnalysable
        Not repeatable, not linear, not L-periodic, or not settled: see `dspref.leakage`.

    Examples
    --------
    >>> leakage(nn.Upsample(scale_factor=4), 4).tone_free
    True
    >>> layer = nn.ConvTranspose1d(1, 1, 3, stride=2, padding=1)
    >>> _ = nn.init.ones_(layer.weight)
    >>> round(leakage(layer, 2).worst_dbc, 2)
    -9.54
    """
    L = as_integer("factor", factor, 2, "other factors have no stretch + filter form, or no lines")
    channels = as_integer("channels", own_channels(f, 1) if channels is None else channels, 1)
    box = _box(f, channels, as_choice("dtype", dtype, WIDE), time, seed)
    found = of_function(_unbiased(box), L, time=time, unit=_unit(box, time))
    if channels == 1 or found.cure is None:
        return found
    note = "no cure of several channels together: ask dspref.leakage(torchparity.describe(module))"
    return replace(found, cure=None, note=note)


def _box(f: Run, channels: int, dtype: str, time: int, seed: int) -> Box:
    """Return the box in the dtype asked for, or in its own where it can't run in that."""
    tried: NotAnalysable | None = None
    for kind in dict.fromkeys((dtype, own_dtype(f) if _wide(f) else "float32")):
        run = private_copy(f, kind, allowed=ALLOWED) if isinstance(f, nn.Module) else f
        box = Box(run, channels, np.dtype(kind), np.random.default_rng(seed))
        try:
            box(np.zeros((1, channels, time)))
        except NotAnalysable as error:
            tried = tried or error
        else:
            return box
    assert tried is not None
    raise tried


def _wide(f: Run) -> bool:
    try:
        return own_dtype(f) in WIDE
    except NotAnalysable:
        return False


def _unbiased(box: Box) -> Callable[[Array], Array]:
    """Return the box as a function of (time,), the same in every channel, less what zeros give."""

    def answer(x: Array) -> Array:
        return np.asarray(_fed(box, x) - _fed(box, 0 * x))

    return answer


def _fed(box: Box, x: Array) -> Array:
    return np.asarray(box(np.tile(x, (1, box.channels, 1)))[0], float)


def _unit(box: Box, time: int) -> float:
    """Return the unit roundoff, larger where a bias larger than the answers is taken away."""
    bias, answer = _fed(box, np.zeros(time)), _fed(box, np.ones(time))
    own = float(np.abs(answer - bias).max(initial=0))
    return unit(box.dtype) * (1 + (float(np.abs(bias).max(initial=0)) / own if own else 0))


def _interpolated(mode: str, L: int, **options: Any) -> Run:
    return Interpolate1d(mode, scale_factor=L, **options)


def _area(x: Tensor, L: int) -> Tensor:
    return F.interpolate(x, scale_factor=L, mode="area")


def _julius(L: int) -> Run:
    julius = importlib.import_module("julius")
    return lambda x: julius.resample_frac(x, 1, L)


ROWS: dict[str, Callable[[int], Run]] = {
    "interpolate nearest": lambda L: _interpolated("nearest", L),
    "interpolate nearest-exact": lambda L: _interpolated("nearest-exact", L),
    "interpolate area": lambda L: partial(_area, L=L),
    "interpolate linear": lambda L: _interpolated("linear", L),
    "interpolate linear, corners": lambda L: _interpolated("linear", L, align_corners=True),
    "interpolate bicubic": lambda L: _interpolated("cubic", L),
    "interpolate bicubic, corners": lambda L: _interpolated("cubic", L, align_corners=True),
    "kaiser-sinc": lambda L: KaiserUpsample1d(L),
    "julius": _julius,
}
"""Upsamplers of Torch by name: `torch.nn.functional.interpolate` and its modes, and what libraries have."""


ABOUT = {
    "interpolate": "torch.nn.functional",
    "kaiser-sinc": "alias-free activations",
    "julius": "resample_frac, by default",
}


def known_leakage(factors: Iterable[int] = (2, 3, 4, 8)) -> tuple[KnownLeakage, ...]:
    """Return the leakage of Torch's own upsamplers, measured.

    With corners aligned the grid moves with the length: such rows have a note in place of a leakage.

    Examples
    --------
    >>> [row.leakage.tone_free for row in known_leakage([2]) if row.name == "interpolate linear"]
    [True]
    """
    return tuple(_row(name, L) for name in ROWS for L in factors)


def _row(name: str, L: int) -> KnownLeakage:
    try:
        return KnownLeakage(name, L, leakage(ROWS[name](L), L), about=ABOUT[name.split()[0]])
    except ImportError:
        return KnownLeakage(name, L, None, "not installed")
    except NotAnalysable as error:
        return KnownLeakage(name, L, None, str(error), ABOUT[name.split()[0]])
