"""Interpolation and the convolution behind it as one transposed convolution, of the kernel that both make together.

    y[j] = Σ_n c[j + σ − nL] x̂[n] + b,    c[i] = Σ_k w[k] h[i + kd]

The taps c are those of the polyphase form one after the other: ``c[σ − s + r − qL] = W_r[q]``. Torch's kernels for
transposed convolutions are the fastest way on a GPU, and the slowest on a CPU.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from torchparity.nn.geometry import Geometry
from torchparity.nn.modes import as_given
from torchparity.nn.polyphase import with_all
from torchparity.nn.taps import in_a_row


def transposed(x: Tensor, w: Tensor, bias: Tensor | None, C: Tensor, g: Geometry, groups: int) -> Tensor:
    """Return the inner outputs (batch, out, L·time + surplus); arguments are those of `polyphase`."""
    L, (_, most), inner = g.factor, g.span, g.factor * x.shape[-1] + g.surplus
    with as_given(x.device.type):
        taps = in_a_row(w, C, groups).to(x.dtype)
        start = g.lead + most * L
        if g.extension != "zeros" or start < 0 or start + inner > (x.shape[-1] - 1) * L + taps.shape[-1]:
            x, start = with_all(x, g, *g.extended), start + g.extended[0] * L
        behind = (x.shape[-1] - 1) * L + taps.shape[-1] - start - inner
        b = None if bias is None else bias.to(x.dtype)
        y = F.conv_transpose1d(x, taps, b, L, min(start, behind), groups=groups)
    return y if start == behind else y.narrow(-1, start - min(start, behind), inner)
