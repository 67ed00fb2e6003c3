"""Tone-free layers in the theory of drawn networks: filters that are fixed, and a weight for each.

Drawn taps that are projected, ``P w``, are ``Σ_i a_i u_i``: u_i an orthonormal basis of the tone-free taps, and a_i as
many independent numbers of the variance of w. So a tone-free layer is the sum of branches, each an interpolator u_i and
a drawn 1×1 convolution behind it, and all that `dspref.expected` says of such networks holds of it: exactly for second
moments, and for Gaussian weights altogether.

Of order 1 the basis is made of what has a sum of 0 within one phase, and of one vector more, 1/n_r on phase r.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import gcd

import numpy as np

from dspref.arrays import Array, NotAnalysable, as_integer, complaint, frozen
from dspref.designs.notchbases import bases
from dspref.designs.projection import check_order
from dspref.expected.filters import Fixed
from dspref.expected.graph import Network, Node, network
from dspref.expected.network import Drawn, Step


def tone_free_basis(taps: int, factor: int, *, order: int = 1) -> Array:
    """Return an orthonormal basis of the tone-free taps, ``U Uᵀ = I`` and ``UᵀU = P`` of `dspref.designs.projector`.

    Parameters
    ----------
    taps, factor : int
        K and s.
    order : int
        p.

    Returns
    -------
    array (K − p(s − 1), K)

    Raises
    ------
    NotAnalysable
        If there are fewer taps than the factor, or too few for the order.

    Examples
    --------
    >>> (tone_free_basis(4, 2) * np.array([[2], [2**0.5], [2**0.5]])).round(12) + 0.0
    array([[ 1.,  1.,  1.,  1.],
           [ 1.,  0., -1.,  0.],
           [ 0.,  1.,  0., -1.]])
    """
    K, s, p = as_integer("taps", taps, 1), as_integer("factor", factor, 2), as_integer("order", order, 1)
    check_order(K, s, p)
    return frozen(_by_phases(K, s)) if p == 1 else bases(K, s, p)[0]


def _by_phases(K: int, s: int) -> Array:
    """Within a phase of n taps: 1 … 1, −j, of j ones, j = 1 … n − 1."""
    sizes = [len(range(r, K, s)) for r in range(s)]
    rows = [np.concatenate([np.full(n, 1 / n) for n in sizes])]
    place = 0
    for n in sizes:
        for j in range(1, n):
            rows.append(np.zeros(K))
            rows[-1][place : place + j + 1] = [*[1.0] * j, -j]
        place += n
    at = np.argsort(np.concatenate([np.arange(r, K, s) for r in range(s)]), kind="stable")
    U = np.array(rows)[:, at]
    return np.asarray(U / np.linalg.norm(U, axis=1, keepdims=True))


def tone_free_network(steps: Network | Iterable[Step], *, order: int = 1) -> Network:
    """Return a network all of whose drawn transposed convolutions are tone-free.

    Parameters
    ----------
    steps : Network, or steps as `dspref.expected.network` takes them
    order : int
        p.

    Returns
    -------
    Network
        For `dspref.expected.forecast` and `dspref.expected.expected_spectrum`. A layer's name is that of the sum of its
        branches.

    Raises
    ------
    NotAnalysable
        If a layer can't be tone-free: its dilation has a factor in common with its stride, or its taps are too few; or
        the network has sub-pixel convolutions, of which this says nothing.

    Examples
    --------
    >>> from dspref import Pointwise
    >>> from dspref.expected import Source, expected_spectrum
    >>> steps = [Drawn("conv", 80, 64, 7), Pointwise("relu"), Drawn("convt", 64, 1, 16, 8), Pointwise("tanh")]
    >>> for net in (steps, tone_free_network(steps)):
    ...     found = expected_spectrum(net, Source(80, constant=1.0))
    ...     print([comb.db and round(comb.db, 1) for comb in found.combs if comb.power > 1e-30])
    [-13.7, -15.0]
    [-11.7]
    """
    return Network(tuple(_replaced(network(steps), order)))


def _replaced(net: Network, order: int) -> Iterator[Node]:
    for node in net:
        if isinstance(node.op, Drawn) and node.op.op == "shuffle" and node.op.factor > 1:
            raise NotAnalysable(complaint(node.name, "a sub-pixel convolution", "transposed convolutions"))
        if isinstance(node.op, Drawn) and node.op.op == "convt" and node.op.factor > 1:
            yield from _branches(node.name, node.op, node.inputs, order)
        else:
            yield node


def _branches(name: str, layer: Drawn, inputs: tuple[str, ...], order: int) -> Iterator[Node]:
    """Yield the branches and their sum; the bias is added in the first, once."""
    if gcd(layer.dilation, layer.factor) > 1:
        got = f"{layer.dilation}, which has a factor in common with the stride {layer.factor}"
        raise NotAnalysable(
            complaint(f"dilation of {name}", got, "one that has none", "else no tone-free taps pass DC")
        )
    ends = list[str]()
    for i, u in enumerate(tone_free_basis(layer.length, layer.factor, order=order)):
        h = np.zeros((layer.length - 1) * layer.dilation + 1)
        h[:: layer.dilation] = u
        yield Node(f"{name}~{i}.taps", Fixed(h, layer.factor, layer.padding), inputs)
        bias = 0 if i else layer.bias
        kurtosis = 3 + (float(layer.kurtosis) - 3) * float((u**4).sum())
        shape = {"groups": layer.groups, "weight": layer.weight, "bias": bias, "bias_law": layer.bias_law}
        weight = Drawn("conv", layer.inputs, layer.outputs, 1, kurtosis=kurtosis, **shape)
        ends.append(f"{name}~{i}")
        yield Node(ends[-1], weight, (f"{name}~{i}.taps",))
    yield Node(name, "sum", tuple(ends)) if len(ends) > 1 else Node(name, Fixed(np.ones(1)), (ends[0],))
