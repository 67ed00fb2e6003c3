"""Forward faults of interpolation: positions, formulas, corners, borders, lengths."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from torchparity.mutants.correct import correct, grid, held, keys, output_length, placed, positions, split
from torchparity.mutants.likes import linear, nearest, resizing
from torchparity.mutants.registry import mutant


@mutant("padding off by one", nearest=nearest())
def one_output_late(x: Tensor, p: Any) -> Tensor:
    """Step from sample to sample one output too late."""
    at = grid(x, p)
    return placed(x, [Fraction(-1), *at[:-1]], "nearest")


@mutant("half a sample late", fault="padding off by one", linear=linear(), cubic=resizing("cubic"))
def half_a_sample_late(x: Tensor, p: Any) -> Tensor:
    """Take m r for (m + ½) r − ½."""
    at = grid(x, p, mode="nearest", align_corners=False)
    return placed(x, at, p.mode)


@mutant("index by float product", nearest=nearest(41))
@mutant(
    "index by float product at a scale of 11/13", fault="index by float product", nearest=resizing("nearest", "11/13")
)
@mutant("index by float product", nearest_exact=resizing("nearest-exact", "13/6"))
def index_by_product(x: Tensor, p: Any) -> Tensor:
    """Find the sample by fl(m · fl(1/fl(scale))), which falls short at m = 41 for a scale of 41."""
    length = output_length(x.shape[-1], p)
    scale = np.float32(p.scale_factor if p.scale_factor else Fraction(length, x.shape[-1]))
    m = torch.arange(length, dtype=torch.float32) + (0.5 if p.mode == "nearest-exact" else 0)
    return held(x, (m * float(np.float32(1) / scale)).floor().long())


def added_up(x: Tensor, p: Any) -> Tensor:
    """Return fl(r) added up in single precision: m r, less and less so."""
    at = grid(x, p, mode="nearest")
    steps = np.full(len(at), float((at + at)[1]), np.float32)
    return torch.from_numpy(np.add.accumulate(steps) - steps[:1])


@mutant("index by float sum", fault="index by float product", nearest=nearest(10))
def index_by_sum(x: Tensor, p: Any) -> Tensor:
    """Find the sample by adding fl(1/L) up."""
    return held(x, added_up(x, p).floor().long())


@mutant("position by float sum", fault="index by float product", linear=linear(10))
def position_by_sum(x: Tensor, p: Any) -> Tensor:
    """Find the position by adding fl(1/L) up."""
    first = float(grid(x, p)[0])
    return placed(x, [Fraction(t + first) for t in added_up(x, p).tolist()], "linear")


@mutant("rounded to the nearest sample", nearest=nearest())
def rounded_to_nearest(x: Tensor, p: Any) -> Tensor:
    """Take the sample nearest to m r, not the one before."""
    return placed(x, [t + Fraction(1, 2) for t in grid(x, p)], "nearest")


@mutant("nearest-exact by the plain formula", nearest_exact=resizing("nearest-exact"))
@mutant(
    "down-scaled by the plain formula",
    fault="nearest-exact by the plain formula",
    nearest_exact=resizing("nearest-exact", "3/5"),
)
@mutant(
    "exact formula where the plain one was to be",
    fault="nearest-exact by the plain formula",
    nearest=resizing("nearest"),
)
def other_formula(x: Tensor, p: Any) -> Tensor:
    """Take ⌊m r⌋ for ⌊(m + ½) r⌋, or the other way round."""
    return correct(x, p, mode="nearest-exact" if p.mode == "nearest" else "nearest")


@mutant("phases swapped", linear=linear(), cubic=resizing("cubic", "2"))
def phases_swapped(x: Tensor, p: Any) -> Tensor:
    """Exchange the first two outputs of every period."""
    at = grid(x, p)
    L = max(2, len(at) // x.shape[-1])
    other = [m + (m % L == 0) - (m % L == 1) for m in range(len(at))]
    return placed(x, [at[min(m, len(at) - 1)] for m in other], p.mode)


@mutant(
    "corners aligned where they were not to be",
    fault="align_corners mixed up",
    linear=linear(),
    cubic=resizing("cubic"),
)
@mutant("corners aligned by a scale of 3/2", fault="align_corners mixed up", linear=resizing("linear"))
@mutant(
    "corners aligned for a down-scaled size",
    fault="align_corners mixed up",
    linear=resizing("linear", size=24),
    cubic=resizing("cubic", size=24),
)
@mutant(
    "corners not aligned where they were to be",
    fault="align_corners mixed up",
    linear=linear(align_corners=True),
    cubic=resizing("cubic", align_corners=True),
)
@mutant(
    "corners not aligned by a scale of 3/2",
    fault="align_corners mixed up",
    linear=resizing("linear", align_corners=True),
)
def corners_mixed_up(x: Tensor, p: Any) -> Tensor:
    """Take the other grid of positions."""
    return correct(x, p, align_corners=not p.align_corners)


@mutant("border of zeros", linear=linear(), cubic=resizing("cubic"))
def border_of_zeros(x: Tensor, p: Any) -> Tensor:
    """Fade from and to zeros instead of holding the border."""
    return placed(F.pad(x, (2, 2)), [t + 2 for t in grid(x, p)], p.mode)


@mutant("border prolonged", linear=linear())
def border_prolonged(x: Tensor, p: Any) -> Tensor:
    """Draw the first and the last line on."""
    if x.shape[-1] == 1:
        return correct(x, p)
    ends = 2 * x[..., :1] - x[..., 1:2], 2 * x[..., -1:] - x[..., -2:-1]
    return placed(torch.cat([ends[0], x, ends[1]], -1), [t + 1 for t in grid(x, p)], "linear")


@mutant(
    "scale 120/88 giving 119 samples",
    nearest=resizing("nearest", "120/88"),
    nearest_exact=resizing("nearest-exact", "120/88"),
    linear=resizing("linear", "120/88"),
    cubic=resizing("cubic", "120/88"),
)
def length_by_float_product(x: Tensor, p: Any) -> Tensor:
    """Take ⌊time · fl(scale)⌋, which loses a sample where time · scale is a whole number."""
    length = int(x.shape[-1] * float(p.scale_factor)) if p.scale_factor else p.size
    return placed(x, grid(x, p)[:length], p.mode)


@mutant(
    "length rounded up",
    fault="scale 120/88 giving 119 samples",
    nearest=resizing("nearest"),
    nearest_exact=resizing("nearest-exact", "5/3"),
    linear=resizing("linear"),
    cubic=resizing("cubic"),
)
def length_rounded_up(x: Tensor, p: Any) -> Tensor:
    """Give ⌈time · scale⌉ samples."""
    return placed(
        x, positions(x.shape[-1], p, ceil(x.shape[-1] * p.scale_factor) if p.scale_factor else p.size), p.mode
    )


@mutant(
    "positions by the length where the scale was to say them",
    nearest=resizing("nearest", "17/10"),
    linear=resizing("linear", "17/10"),
    cubic=resizing("cubic", "17/10"),
)
@mutant(
    "positions by the scale where the length was to say them",
    nearest=resizing("nearest", "17/10", recompute_scale_factor=True),
    linear=resizing("linear", "17/10", recompute_scale_factor=True),
)
def other_ratio(x: Tensor, p: Any) -> Tensor:
    """Mix up recompute_scale_factor."""
    return correct(x, p, recompute_scale_factor=not p.recompute_scale_factor)


@mutant("Keys' a = -1/2", cubic=resizing("cubic"))
def catmull_rom(x: Tensor, p: Any) -> Tensor:
    """Take the cubic kernel of Catmull and Rom, as others do, for Torch's a = -3/4."""
    whole, part = split(grid(x, p))
    weights = {n: keys(part - n, -0.5).to(x.dtype) for n in (-1, 0, 1, 2)}
    return torch.stack([w * held(x, whole + n) for n, w in weights.items()]).sum(0)


@mutant("down-scaling antialiased", linear=resizing("linear", "1/2"))
def antialiased(x: Tensor, p: Any) -> Tensor:
    """Filter before decimating, as image libraries do, where Torch promises not to."""
    wide = F.pad(x, (1, 1), mode="replicate")
    return correct((wide[..., :-2] + 2 * wide[..., 1:-1] + wide[..., 2:]) / 4, p)
