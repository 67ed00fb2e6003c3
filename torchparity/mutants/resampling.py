"""Forward faults of interpolation: positions, corners, borders, lengths."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchparity.mutants.correct import correct, held
from torchparity.mutants.likes import linear, nearest
from torchparity.mutants.registry import mutant


def drawn_straight(x: Tensor, position: Tensor) -> Tensor:
    """Return straight lines between samples at positions in input samples, held at the borders."""
    position = position.clamp(0, x.shape[-1] - 1)
    left = position.floor()
    part = (position - left).to(x.dtype)
    return (1 - part) * held(x, left.long()) + part * held(x, left.long() + 1)


def outputs(x: Tensor, p: Any, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return the indices m of all outputs."""
    return torch.arange(x.shape[-1] * p.factor, dtype=dtype)


def added_up(x: Tensor, p: Any) -> Tensor:
    """Return fl(1/L) added up in single precision: m/L, less and less so."""
    steps = np.full(x.shape[-1] * p.factor, 1 / p.factor, np.float32)
    return torch.from_numpy(np.add.accumulate(steps) - steps[0])


@mutant("padding off by one", nearest=nearest())
def one_output_late(x: Tensor, p: Any) -> Tensor:
    """Step from sample to sample one output too late."""
    return held(x, ((outputs(x, p) - 1).div(p.factor, rounding_mode="floor")).long())


@mutant("index by float product", nearest=nearest(41))
def index_by_product(x: Tensor, p: Any) -> Tensor:
    """Find the sample by fl(m · fl(1/L)), which falls short at m = 41 for L = 41."""
    return held(x, ((outputs(x, p, torch.float32) * (1 / torch.tensor(float(p.factor)))).floor()).long())


@mutant("index by float sum", fault="index by float product", nearest=nearest(10))
def index_by_sum(x: Tensor, p: Any) -> Tensor:
    """Find the sample by adding fl(1/L) up."""
    return held(x, (added_up(x, p).floor()).long())


@mutant("position by float sum", fault="index by float product", linear=linear(10))
def position_by_sum(x: Tensor, p: Any) -> Tensor:
    """Find the position by adding fl(1/L) up."""
    return drawn_straight(x, added_up(x, p) + (0.5 / p.factor - 0.5))


@mutant("centre of the period nearest", nearest=nearest())
def rounded_to_nearest(x: Tensor, p: Any) -> Tensor:
    """Take the sample nearest to m/L, not the one before."""
    return held(x, ((outputs(x, p) / p.factor).round()).long())


@mutant("phases swapped", linear=linear())
def phases_swapped(x: Tensor, p: Any) -> Tensor:
    """Exchange the first two outputs of every period."""
    phases = correct(x, p).unflatten(-1, (-1, p.factor))
    return torch.cat([phases[..., 1:2], phases[..., :1], phases[..., 2:]], -1).flatten(-2)


@mutant("corners aligned where they were not to be", fault="align_corners mixed up", linear=linear())
@mutant("corners not aligned where they were to be", fault="align_corners mixed up", linear=linear(align_corners=True))
def corners_mixed_up(x: Tensor, p: Any) -> Tensor:
    """Take the other grid of positions."""
    return correct(x, p, align_corners=not p.align_corners)


@mutant("half a sample late", fault="padding off by one", linear=linear())
def half_a_sample_late(x: Tensor, p: Any) -> Tensor:
    """Take m/L for (m + ½)/L − ½."""
    return drawn_straight(x, outputs(x, p) / p.factor)


@mutant("border of zeros", linear=linear())
def border_of_zeros(x: Tensor, p: Any) -> Tensor:
    """Fade from and to zeros instead of holding the border."""
    wide = torch.nn.functional.pad(x, (1, 1))
    return correct(wide, p)[..., p.factor : -p.factor]


@mutant("border prolonged", linear=linear())
def border_prolonged(x: Tensor, p: Any) -> Tensor:
    """Draw the first and the last line on."""
    if x.shape[-1] == 1:
        return correct(x, p)
    ends = 2 * x[..., :1] - x[..., 1:2], 2 * x[..., -1:] - x[..., -2:-1]
    return correct(torch.cat([ends[0], x, ends[1]], -1), p)[..., p.factor : -p.factor]
