"""How far rounding alone may part two samples of a steady response: an error analysis of the very network and input.

A convolution rounds ``z = Σ w x + b`` of n terms by at most ``(n + 1) u S``, ``S = Σ abs(w) abs(x) + abs(b)``: n as in
`torchparity.roundoff`, and one for the taps, which are rounded when they are projected. To first order the output is
off by

    E[t] = Σ_layers Σ_n abs(∂y[t]/∂z[n]) (n + 1) u S[n],

its gradients those of one backward pass. Where sums cancel, E is large against them. Maps between convolutions, which
round as well, are left out: E is a part of the bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchparity.arithmetic import unit

CONVOLUTIONS = (nn.Conv1d, nn.ConvTranspose1d)


@dataclass
class Sums:
    """Results z of the convolutions, as they run, and what each may be off by."""

    results: list[Tensor] = field(default_factory=list)
    off: list[Tensor] = field(default_factory=list)

    @torch.no_grad()
    def add(self, layer: Any, inputs: tuple[Tensor, ...], z: Tensor) -> None:
        """Take one down: a forward hook."""
        x, w, b = inputs[0], layer.weight, layer.bias
        transposed = isinstance(layer, nn.ConvTranspose1d)
        S = (_transposed if transposed else _conv)(layer, x.abs(), w.abs(), b if b is None else b.abs())
        overlap = -(-layer.kernel_size[0] // layer.stride[0]) if transposed else layer.kernel_size[0]
        n = overlap * layer.in_channels // layer.groups + (b is not None)
        self.results.append(z)
        self.off.append((n + 1) * unit("float64") * S)

    def reach(self, y: Tensor) -> float:
        """Return E of one output, a number."""
        slopes = torch.autograd.grad(y, self.results, retain_graph=True, allow_unused=True)
        pairs = zip(slopes, self.off, strict=True)
        return float(sum((slope.abs() * off).sum() for slope, off in pairs if slope is not None))


def _conv(layer: Any, x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    """Run a layer with other weights: Torch's own way around its kinds of padding."""
    z: Tensor = layer._conv_forward(x, w, b)
    return z


def _transposed(layer: Any, x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    shape = {name: getattr(layer, name) for name in ("stride", "padding", "output_padding", "groups", "dilation")}
    return F.conv_transpose1d(x, w, b, **shape)


@contextmanager
def sums(module: nn.Module) -> Iterator[Sums]:
    """Take down the sums of all convolutions while a module runs.

    Examples
    --------
    >>> net = nn.Conv1d(1, 1, 2).double()
    >>> _ = net.weight.data.fill_(0.5), net.bias.data.zero_()
    >>> with sums(net) as found:
    ...     y = net(torch.ones(1, 1, 4, dtype=torch.float64))
    >>> found.reach(y[0, 0, 0]) == 4 * 2.0**-53
    True
    """
    found = Sums()
    hooks = [m.register_forward_hook(found.add) for m in module.modules() if isinstance(m, CONVOLUTIONS)]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def parted(y: Tensor, found: Sums) -> float:
    """Return the bound of peak to peak over mean of rows of numbers that are equal but for rounding: the largest.

    The samples that are asked for are the largest and the least of each row.
    """
    rows = y.reshape(-1, y.shape[-1])
    ends = (
        (found.reach(row[row.argmax()]) + found.reach(row[row.argmin()]), float(row.detach().mean())) for row in rows
    )
    return max(off / abs(mean) for off, mean in ends)
