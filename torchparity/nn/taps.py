"""The taps of interpolation and the convolution behind it: by phases, or in a row.

    W[o, r, i, q] = Σ_k w[o, i, k] C[k, r, q],    c[o, i, (Q − 1 − q)L + r] = W[o, r, i, q]

C says which taps meet which sample (`torchparity.nn.geometry`). Phases are channels of a convolution at the low rate;
the row is the kernel of a transposed one.
"""

from __future__ import annotations

import torch
from torch import Tensor


def composed(w: Tensor, C: Tensor, dtype: torch.dtype) -> Tensor:
    """Return W as the weight (out·L, in/groups, Q) of a convolution: phase r of channel o is its channel oL + r.

    It is computed with the input channels last, the one long axis of the product.
    """
    (K, L, Q), (out, n, _) = C.shape, w.shape
    W = torch.bmm(C.reshape(K, L * Q).T.expand(out, -1, -1), w.to(C.dtype).transpose(1, 2)).to(dtype)
    return W.view(out, L, Q, n).transpose(2, 3).reshape(out * L, n, Q).contiguous()  # or Torch has channels last


def decomposed(W: Tensor, C: Tensor, dtype: torch.dtype) -> Tensor:
    """Return ``Σ_r Σ_q W[o, r, i, q] C[k, r, q]``, the adjoint of `composed`."""
    (_, L, Q), (rows, n) = C.shape, W.shape[:2]
    last = W.to(C.dtype).reshape(rows // L, L, n, Q).transpose(2, 3).reshape(rows // L, L * Q, n)
    return (C.flatten(1) @ last).transpose(1, 2).to(dtype)


def in_a_row(w: Tensor, C: Tensor, groups: int) -> Tensor:
    """Return c as a weight (in, out/groups, QL) of Torch's, in the precision of C."""
    return turned(w, groups).to(C.dtype) @ _rows(C)


def out_of_row(c: Tensor, C: Tensor, groups: int, dtype: torch.dtype) -> Tensor:
    """Return w (out, in/groups, K) by the adjoint of `in_a_row`."""
    return turned(c.to(C.dtype) @ _rows(C).T, groups).to(dtype)


def turned(w: Tensor, groups: int) -> Tensor:
    """Return (out, in/groups, …) as (in, out/groups, …), or the other way."""
    rows, columns, taps = w.shape
    return w.reshape(groups, rows // groups, columns, taps).transpose(1, 2).reshape(groups * columns, -1, taps)


def _rows(C: Tensor) -> Tensor:
    """Return C as (K, QL): greatest q first."""
    return C.flip(2).transpose(1, 2).flatten(1)
