"""Convolutions as matrix products: of few samples with many weights.

A convolution takes w as it lies in memory, a transposed one does not, but takes as many products at the low rate:

    y[o, n] = Σ_i Σ_k w[o, i, k] u[i, n + kd]
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

ALONE = 40
"""Columns up to which the taps of each output channel are multiplied as they lie, by two threads; by one, `NARROW`.

That takes no copy of them. Of more columns it is slower.
"""


def few(samples: int, channels: int) -> bool:
    """Return whether samples are so few, for so many channels, that products are faster than convolutions."""
    return 2 * samples <= channels


def exact(x: Tensor) -> bool:
    """Return whether products are as exact as convolutions of oneDNN are: in single precision, and not in less.

    Torch does not say so where precisions were set for one backend: then they are not taken to be.
    """
    if x.dtype != torch.float32 or x.device.type != "cpu":
        return False
    try:
        return torch.get_float32_matmul_precision() == "highest"
    except RuntimeError:
        return False


def as_they_lie(columns: int) -> bool:
    """Return whether weights are multiplied as they lie, channel by channel, and not copied."""
    return columns <= (ALONE if torch.get_num_threads() > 1 else NARROW)


def convolved(u: Tensor, w: Tensor, bias: Tensor | None, g: Geometry) -> Tensor:
    """Return the convolution of all of u (batch, in, time) with w (out, in, K)."""
    taps = F.unfold(u.unsqueeze(2), (1, g.length), (1, g.dilation)).movedim(0, 1).flatten(1)
    y = split(w.flatten(1) @ taps, -1, len(u), u.shape[-1] - g.reach).movedim(1, 0)
    y = y if bias is None else y + bias[:, None]
    return y.clone(memory_format=torch.contiguous_format)  # strides, too, are those of a convolution


def spread(x: Tensor, w: Tensor, g: Geometry, groups: int) -> Tensor:
    """Return all of v (batch, out, time), of x (batch, in, time) and w (out, in/groups, K)."""
    of = columns(x, groups)
    if as_they_lie(of.shape[-1]):
        pairs = zip(w.to(x.dtype).chunk(groups), of, strict=True)
        z = torch.cat([torch.bmm(c.mT, seen.expand(len(c), -1, -1)) for c, seen in pairs])
    else:
        z = product(matrix(w, groups, x.dtype), of).reshape(len(w), g.length, -1)
    z = split(z, -1, len(x), -1).movedim(-2, 0).flip(2).flatten(1, 2)
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
