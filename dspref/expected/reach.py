"""How far apart samples are whose spread will be asked for: from the output back to the input.

A map asks for ``T[n, m; 0, 0]``: `dspref.expected.spread`. A layer asks for what its own T is made of, of
``T[n, m; τ, τ + d]`` at ``abs(τ) <= N`` and ``abs(d) <= W``:

    conv, stride s       N → Ns + (K − 1)D                W → Ws                 dilation D
    transposed           N → (N + (K − 1)D)/s             W → W/s
    sub-pixel            N → (N + L − 1)/L + (K − 1)D     W → W/L
    fixed filter         N → (Ns + K − 1)/L               W → (Ws + 2(K − 1))/L

so that interpolators ask for ``W = 2(K − 1)/(L − 1)`` at most, however many there are: neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

from dspref.expected.filters import Fixed
from dspref.expected.graph import INPUT, Network, Op
from dspref.expected.network import Drawn

FARTHEST = 1024
"""Most lags that are asked for: convolutions of one rate that span as many samples would ask for more."""

WIDEST = 32
"""Largest difference of lags: so far apart only filters of more than 16 L taps, and strides behind filters, look."""


@dataclass(frozen=True)
class Reach:
    """Lags τ of one output, and by how much those of the other may differ.

    Attributes
    ----------
    lags, apart : int
        N and W.

    Examples
    --------
    >>> Reach(0, 0).before(Drawn("conv", 8, 8, 9)).before(Fixed([0.25, 0.75, 0.75, 0.25], 2))
    Reach(lags=5, apart=3)
    """

    lags: int = 0
    apart: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "lags", min(self.lags, FARTHEST))
        object.__setattr__(self, "apart", min(self.apart, WIDEST))

    def before(self, op: Op) -> Reach:
        """Return what is asked for in front of a layer, of what is asked for behind it."""
        N, W = self.lags, self.apart
        if isinstance(op, Fixed):
            K = len(op.h)
            return Reach((N * op.stride + K - 1) // op.factor, (W * op.stride + 2 * (K - 1)) // op.factor)
        if not isinstance(op, Drawn):
            return self
        s, span = op.factor, (op.length - 1) * op.dilation
        if op.op == "conv":
            return Reach(N * s + span, W * s)
        return Reach((N + span) // s if op.op == "convt" else -(-N // s) + span, W // s)

    def behind(self, op: Op) -> Reach:
        """Return what follows behind a layer from what is known in front of it; at least what a map asks for."""
        N, W = self.lags, self.apart
        if isinstance(op, Fixed):
            L, K = op.factor, len(op.h)
            N, W = (L * (N + 1) - K) // op.stride, (L * (W + 1) - 1 - 2 * (K - 1)) // op.stride
        elif isinstance(op, Drawn):
            s, span = op.factor, (op.length - 1) * op.dilation
            N = (N - span) // s if op.op == "conv" else s * (N + 1) - 1 - span if op.op == "convt" else s * (N - span)
            W = W // s if op.op == "conv" else s * W + s - 1
        return Reach(max(N, 0), max(W, 0))

    def __or__(self, other: Reach) -> Reach:
        """Return what either asks for."""
        return Reach(max(self.lags, other.lags), max(self.apart, other.apart))

    def __and__(self, other: Reach) -> Reach:
        """Return what both know."""
        return Reach(min(self.lags, other.lags), min(self.apart, other.apart))


def reach(net: Network, *names: str) -> Reach:
    """Return what is asked for at the input of a network, of these places, or else of its output."""
    asked = {name: Reach() for name in names or (net.output,)}
    for node in reversed(net.before(*asked).nodes):
        for name in node.inputs:
            asked[name] = asked.get(name, Reach()) | asked[node.name].before(node.op)
    return asked.get(INPUT, Reach())
