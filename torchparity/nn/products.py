"""A transposed convolution, and its gradients, as matrix products: of few samples with many weights.

    z[o, k, t] = Σ_i w[o, i, K − 1 − k] x[i, t],    v[o, n] = Σ z[o, k, t] over all k, t with tL + kd = n

Convolutions of oneDNN, which are in single precision, copy their weights into a layout of their own, and gradients of
them back. Where weights are more than what they are multiplied with, that takes longer than the products.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from torchparity.nn.geometry import Geometry
from torchparity.nn.parting import split

NARROW = 16
"""Columns up to which a product is faster the other way round."""


def few(samples: int, channels: int) -> bool:
    """Return whether samples of in/groups channels are so few that products are faster than convolutions."""
    return 2 * samples <= channels


def spread(x: Tensor, w: Tensor, g: Geometry, groups: int) -> Tensor:
    """Return all of v (batch, out, time), of x (batch, in, time) and w (out, in/groups, K)."""
    z = product(matrix(w, groups, x.dtype), columns(x, groups))
    z = split(z, -1, len(x), -1).movedim(-2, 0)
    z = z.reshape(len(x), len(w), g.length, -1).flip(2).flatten(1, 2)
    n = (x.shape[-1] - 1) * g.factor + (g.length - 1) * g.dilation + 1
    return F.fold(z, (1, n), (1, g.length), (1, g.dilation), 0, (1, g.factor)).squeeze(2)


def gradients(
    by_v: Tensor, x: Tensor, w: Tensor, g: Geometry, groups: int, wanted: Sequence[bool]
) -> tuple[Tensor | None, Tensor | None]:
    """Return those by x and w, of that by v."""
    by_z = F.unfold(by_v.unsqueeze(2), (1, g.length), (1, g.dilation), 0, (1, g.factor))
    by_z = columns(split(by_z, 1, len(w), g.length).flip(2).flatten(1, 2), groups)
    by_x = by_w = None
    if wanted[0]:
        by_x = product(matrix(w, groups, x.dtype).mT, by_z)
        by_x = split(by_x, -1, len(x), -1).movedim(-2, 0).reshape(x.shape).contiguous()
    if wanted[1]:
        by_w = by_z @ columns(x, groups).mT
        by_w = by_w.reshape(len(w), g.length, w.shape[1]).transpose(1, 2)
    return by_x, by_w


def matrix(w: Tensor, groups: int, dtype: torch.dtype) -> Tensor:
    """Return w as (groups, out/groups·K, in/groups), K the faster of the two, in its order."""
    return w.transpose(1, 2).reshape(groups, -1, w.shape[1]).to(dtype)


def columns(x: Tensor, groups: int) -> Tensor:
    """Return x as (groups, in/groups, batch·time)."""
    return split(x, 1, groups, -1).permute(1, 2, 0, 3).flatten(2)


def product(a: Tensor, b: Tensor) -> Tensor:
    """Return ``a @ b``."""
    return a @ b if b.shape[-1] > NARROW else (b.mT @ a.mT).mT
