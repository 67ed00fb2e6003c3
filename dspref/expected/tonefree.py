"""Tone-free layers in the theory of drawn networks: filters that are fixed, and a weight for each.

Drawn taps that are projected, ``P w``, are ``Σ_i a_i u_i``: u_i an orthonormal basis of the tone-free taps, and a_i as
many numbers of the variance of w, without correlation. So a tone-free layer is the sum of branches, each an
interpolator u_i and a drawn 1×1 convolution behind it, and all that `dspref.expected` says of such networks holds of
it: exactly for second moments, and for Gaussian weights altogether. What other coordinates share of their fourth
moments is counted by `shared_excess`.

Of order 1 the basis is made of what has a sum of 0 within one phase, and of one vector more, 1/n_r on phase r.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import gcd
from typing import Any

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
    """Return a network all of whose drawn layers that raise the rate are tone-free.

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
        If a layer can't be tone-free: the dilation of a transposed convolution has a factor in common with its stride,
        or taps are too few; or this says nothing of it: of order 2 and more of a sub-pixel convolution with dilation,
        or one whose phases begin alike.

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
    return Network(tuple(each for node in network(steps) for each in tone_free_nodes(node, order)))


def tone_free_nodes(node: Node, order: int) -> Iterator[Node]:
    """Yield a layer that raises the rate as branches and their sum, and any other node as it is.

    The bias is added in the first branch, once. That of a sub-pixel convolution is the mean of those of its L phases,
    of their variance over L.
    """
    layer = node.op
    if not isinstance(layer, Drawn) or layer.op == "conv" or layer.factor == 1:
        yield node
    elif layer.icnr:
        yield from _alike(node, layer, order)
    else:
        yield from _branches(node, layer, order)


def _branches(node: Node, layer: Drawn, order: int) -> Iterator[Node]:
    ends = list[str]()
    one_bias = _one_bias(layer)
    interpolators = list(_interpolators(node.name, layer, order))
    excess = shared_excess(np.array([u for u, _ in interpolators]), layer.factor)
    kurtosis = max(1.0, 3 + (float(layer.kurtosis) - 3) * excess)
    for i, (_, interpolator) in enumerate(interpolators):
        yield Node(f"{node.name}~{i}.taps", interpolator, node.inputs)
        shape = {"groups": layer.groups, "weight": layer.weight, **(one_bias if i == 0 else {"bias": 0})}
        weight = Drawn("conv", layer.inputs, layer.outputs, 1, kurtosis=kurtosis, **shape)
        ends.append(f"{node.name}~{i}")
        yield Node(ends[-1], weight, (f"{node.name}~{i}.taps",))
    yield Node(node.name, "sum", tuple(ends)) if len(ends) > 1 else Node(node.name, Fixed(np.ones(1)), (ends[0],))


def shared_excess(U: Array, s: int) -> float:
    """Return what coordinates in a tone-free basis have of the excess κ₄ − 3 of the taps that were drawn.

    Coordinates of independent taps are not correlated, but not independent either, unless the taps are normal. Lines
    come from the powers of phases, ``q_k = Σ_n e^{2πi kn/s} h[n]²``. With ``B_k = U diag(e^{2πi kn/s}) Uᵀ``, and
    ``A_k = UᵀB_kU``,

        E abs(q_k)² = abs(E q_k)² + 2σ⁴ Σ_ab abs(B_k[a, b])² + (κ₄ − 3)σ⁴ Σ_n abs(A_k[n, n])²

    Independent coordinates of excess e (κ₄ − 3) have ``e Σ_a abs(B_k[a, a])²`` as the last sum: e is such that it is
    the same over all k = 1 … s − 1. For order 1 and n taps to each phase it is ``1 − 1/n``.

    Parameters
    ----------
    U : array (D, K)
        Orthonormal rows, as `tone_free_basis` has them.
    s : int
        The factor.

    Returns
    -------
    float
        e, a ratio; 0 where no phase's power differs by it.

    Examples
    --------
    >>> [round(shared_excess(tone_free_basis(2 * n, 2), 2), 3) for n in (2, 3, 4)]
    [0.5, 0.667, 0.75]
    """
    phase = np.exp(2j * np.pi * np.outer(np.arange(1, s), np.arange(U.shape[1])) / s)
    B = (U * phase[:, None]) @ U.T
    due = (np.abs(((U.T @ B) * U.T).sum(-1)) ** 2).sum()
    independent = (np.abs(np.einsum("kaa->ka", B)) ** 2).sum()
    return float(due / independent) if independent > 1e-12 else 0.0


def _one_bias(layer: Drawn) -> dict[str, Any]:
    """Return the law of the biases; a mean of several is taken for normal."""
    if layer.op == "convt":
        return {"bias": layer.bias, "bias_law": layer.bias_law}
    return {"bias": layer.bias / layer.factor, "bias_law": "normal"}


def _interpolators(name: str, layer: Drawn, order: int) -> Iterator[tuple[Array, Fixed]]:
    """Yield the tone-free taps of a basis, and the interpolators by them, ends included.

    A sub-pixel convolution ``y[tL + r] = Σ_k w_r[k] x[t + kd − p]`` has the taps ``h[((K − 1 − k)d)L + r] = w_r[k]``
    and the offset ``((K − 1)d − p)L``.
    """
    K, s, d, p = layer.length, layer.factor, layer.dilation, layer.padding
    reach = (K - 1) * d
    if layer.op == "convt":
        if gcd(d, s) > 1:
            got = f"{d}, which has a factor in common with the stride {s}"
            hint = "else no tone-free taps pass DC"
            raise NotAnalysable(complaint(f"dilation of {name}", got, "one that has none", hint))
        each, ends = 1, Fixed(np.ones(1), s, p, 1, reach + 1 - s - 2 * p + layer.output_padding)
    else:
        if d > 1 < order:
            raise NotAnalysable(complaint(f"dilation of {name}", d, f"1, of order {order}", "of order 1 it is free"))
        each, ends = s, Fixed(np.ones(1), s, (reach - p) * s, 1, (2 * p - reach) * s, layer.padding_mode)
    for u in tone_free_basis(K * each, s, order=order):
        h = np.zeros((reach + 1, each))
        h[::d] = u.reshape(K, each)
        yield u, replace(ends, h=h.ravel())


def _alike(node: Node, layer: Drawn, order: int) -> Iterator[Node]:
    """Yield a sub-pixel convolution whose phases begin alike: a convolution, and each of its samples repeated."""
    if order > 1:
        got = f"phases that begin alike (icnr), of order {order}"
        raise NotAnalysable(complaint(node.name, got, "order 1", "that is what repeated samples have"))
    shape = {name: getattr(layer, name) for name in ("dilation", "padding", "groups", "padding_mode")}
    law = {"weight": layer.weight, "kurtosis": layer.kurtosis, **_one_bias(layer)}
    yield Node(f"{node.name}~0", Drawn("conv", layer.inputs, layer.outputs, layer.length, **shape, **law), node.inputs)
    yield Node(node.name, Fixed(np.ones(layer.factor), layer.factor), (f"{node.name}~0",))
