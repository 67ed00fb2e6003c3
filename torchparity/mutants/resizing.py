"""Forward faults of interpolation by any scale, or to any size."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from torchparity.mutants.correct import correct, held, keys, output_length, placed, positions, with_changed
from torchparity.mutants.likes import resizing
from torchparity.mutants.registry import mutant


@mutant("nearest-exact by the plain formula", nearest_exact=resizing("nearest-exact"))
@mutant(
    "down-scaled by the plain formula",
    fault="nearest-exact by the plain formula",
    nearest_exact=resizing("nearest-exact", "3/5"),
)
def plain_formula(x: Tensor, p: Any) -> Tensor:
    """Take ⌊m r⌋ for ⌊(m + ½) r⌋."""
    return correct(x, p, mode="nearest")


@mutant(
    "plain formula exchanged for the exact one", fault="nearest-exact by the plain formula", nearest=resizing("nearest")
)
def exact_formula(x: Tensor, p: Any) -> Tensor:
    """Take ⌊(m + ½) r⌋ for ⌊m r⌋."""
    return correct(x, p, mode="nearest-exact")


@mutant("ratio rounded twice", fault="index by float product", nearest_exact=resizing("nearest-exact", "13/6"))
@mutant("ratio rounded twice", fault="index by float product", nearest=resizing("nearest", "11/13"))
def ratio_rounded_twice(x: Tensor, p: Any) -> Tensor:
    """Find the sample by fl(m · fl(1/fl(scale)))."""
    length = output_length(x.shape[-1], p)
    scale = np.float32(p.scale_factor if p.scale_factor else Fraction(length, x.shape[-1]))
    m = torch.arange(length, dtype=torch.float32) + (0.5 if p.mode == "nearest-exact" else 0)
    return held(x, (m * float(np.float32(1) / scale)).floor().long())


MIXED = {"linear": resizing("linear"), "cubic": resizing("cubic")}
ALIGNED = {"linear": resizing("linear", align_corners=True), "cubic": resizing("cubic", align_corners=True)}


@mutant("corners aligned by a scale of 3/2", fault="align_corners mixed up", **MIXED)
@mutant("corners not aligned by a scale of 3/2", fault="align_corners mixed up", **ALIGNED)
def corners_mixed_up(x: Tensor, p: Any) -> Tensor:
    """Take the other grid of positions."""
    return correct(x, p, align_corners=not p.align_corners and p.mode in MIXED)


@mutant(
    "corners aligned for a down-scaled size",
    fault="align_corners mixed up",
    linear=resizing("linear", size=24),
    cubic=resizing("cubic", size=24),
)
def size_with_corners(x: Tensor, p: Any) -> Tensor:
    """Space outputs by (time - 1)/(size - 1)."""
    return correct(x, p, align_corners=p.mode in MIXED)


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
    return placed(x, positions(x.shape[-1], p, output_length(x.shape[-1], p))[:length], p.mode)


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
    length = ceil(x.shape[-1] * p.scale_factor) if p.scale_factor else p.size
    return placed(x, positions(x.shape[-1], with_changed(p, size=None), length), p.mode)


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
    at = positions(x.shape[-1], p, output_length(x.shape[-1], p))
    whole = torch.tensor([floor(t) for t in at], dtype=torch.long)
    part = torch.tensor([float(t - floor(t)) for t in at], dtype=torch.float64)
    return sum((keys(part - n, -0.5).to(x.dtype) * held(x, whole + n) for n in (-1, 0, 1, 2)), 0 * x[..., :1])


@mutant("down-scaling antialiased", linear=resizing("linear", "1/2"))
def antialiased(x: Tensor, p: Any) -> Tensor:
    """Filter before decimating, as image libraries do, where Torch promises not to."""
    wide = F.pad(x, (1, 1), mode="replicate")
    return correct((wide[..., :-2] + 2 * wide[..., 1:-1] + wide[..., 2:]) / 4, p)
