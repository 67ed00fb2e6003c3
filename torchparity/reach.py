"""How far the borders of an input reach into the output of a module."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch
from torch import Tensor, nn

from dspref.arrays import Array, NotAnalysable, complaint
from torchparity.spine import run

GUARDS = (8, 32, 128, 512)
"""Output periods tried as margin."""

ROUNDINGS = 1 << 12
"""Units of roundoff of the largest sample by which two runs may differ: sums are ordered otherwise in each."""

EVERY = 4096 * 315
"""Periods of the shorter run that shows the rate: the product of whatever strides divides it. No sample is computed."""


def rate_of(module: nn.Module, channels: int, period: int) -> Fraction:
    """Return how many samples of output a module makes of one of input, found from shapes alone.

    The module itself is moved to the meta device.

    Raises
    ------
    NotAnalysable
        If shapes alone do not run through the module, or the output does not grow.

    Examples
    --------
    >>> rate_of(nn.ConvTranspose1d(1, 1, 4, 2), 1, 2)
    Fraction(2, 1)
    """
    short = period * EVERY
    meta = module.to("meta")
    with torch.device("meta"):
        dtype = next((p.dtype for p in meta.parameters()), torch.float64)
        lengths = [_length(meta, torch.empty(1, channels, n, dtype=dtype)) for n in (short, 2 * short)]
    rate = Fraction(lengths[1] - lengths[0], short)
    if rate <= 0:
        got = f"{lengths[0]} → {lengths[1]} samples"
        raise NotAnalysable(complaint("rate of the module", got, "an output that grows with the input"))
    return rate


def _length(module: nn.Module, x: Tensor) -> int:
    """Return the length of the output."""
    try:
        with torch.no_grad():
            return int(module(x).shape[-1])
    except Exception as error:  # whatever a stranger's forward raises, it does not take shapes alone
        got = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        hint = "say how many input samples make one period, step="
        raise NotAnalysable(complaint("module on the meta device", got, "a module that runs there", hint)) from error


def borders(module: nn.Module, channels: int, period: int, step: int, *, seed: int = 0) -> tuple[int, int]:
    """Return where the output is free of borders: from `left` to the length of the input, times the rate, less `right`.

    The same noise is run whole, without its first `margin` periods, and without its last ones. Where both runs have
    the same output, to rounding, no border matters; a margin that is too short is made four times longer.

    Parameters
    ----------
    module : nn.Module
        In double precision.
    channels, period, step : int
        Of the input; of the output; and the input samples that make one period of output.
    seed : int
        Of the noise.

    Raises
    ------
    NotAnalysable
        If borders matter everywhere, as where the module normalises over time.

    Examples
    --------
    >>> borders(nn.ConvTranspose1d(1, 1, 4, 2).double(), 1, 2, 1)
    (2, 0)
    >>> borders(nn.Conv1d(1, 1, 5, padding=1).double(), 1, 1, 1)
    (1, 3)
    """
    for margin in GUARDS:
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(1, channels, 4 * margin * step, generator=generator, dtype=torch.float64)
        try:
            whole, late, early = (run(module, part).numpy() for part in _parts(x, margin * step))
        except NotAnalysable:
            if margin == GUARDS[-1]:
                raise
            continue  # too short for it
        apart = np.spacing(np.abs(whole).max()) * ROUNDINGS
        left = _last(np.abs(late - whole[..., margin * period :]), apart)
        right = _last(np.abs(early - whole[..., : early.shape[-1]])[..., ::-1], apart)
        if max(left, right) <= margin * period:
            return left, max(0, 4 * margin * period - whole.shape[-1] + right)
    allowed = "an output that borders reach only near its ends"
    hint = "modules that normalise over time, or attend to all of it, have no steady state"
    raise NotAnalysable(complaint("module", f"borders matter {margin} periods away from them", allowed, hint))


def _parts(x: Tensor, cut: int) -> tuple[Tensor, Tensor, Tensor]:
    return x, x[..., cut:], x[..., :-cut]


def _last(difference: Array, allowed: float) -> int:
    """Return the length of the beginning (..., time) that holds all that is more than allowed."""
    differs = np.flatnonzero((difference > allowed).any(axis=(0, 1)))
    return int(differs[-1]) + 1 if differs.size else 0
