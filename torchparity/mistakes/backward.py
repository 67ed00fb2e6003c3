"""The mistake that explains wrong gradients of a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from typing import Any, TypeAlias

import numpy as np

from dspref.adjoints import adjoint
from dspref.arrays import Array, NotAnalysable
from dspref.chain import Chain
from dspref.multirate import window
from torchparity.mistakes.evidence import HALF, is_whole, ran, whole_factor, within
from torchparity.mistakes.forward import special
from torchparity.mistakes.kernels import kernel_of
from torchparity.mistakes.outputs import HALVES, rough, to_bits
from torchparity.roundoff import mapped

Made: TypeAlias = Callable[[Any, Array, Array], Array]
"""A gradient that a mistake makes of a layer, an input, and the gradient of the output."""

DIRECTIONS = 3
"""Random directions in which a gradient is compared with that of a mistaken layer."""


def right(wrt: str) -> Made:
    """Return the gradient that is due."""
    return lambda layer, x, g: np.asarray(getattr(adjoint(layer, x, g, wrt=(wrt,)), wrt))


@dataclass(frozen=True)
class Found:
    """A gradient by 'input', 'weight' or 'bias' that was found for a layer, an input, and the output's gradient.

    A mistake in the backward computation explains it if no entry lies farther off than ``c (n + 4) u S``, with the n
    and S of that computation, as in `torchparity.mistakes.evidence.Subject`; whole numbers with S ≤ 1/u are equal.

    A mistaken layer f explains it if it is that layer's gradient: ``Σ got·v = Σ g·f(v)`` for every direction v of
    the input (or of the weight, or the bias). A few random ones are tried, up to ``c (n + 4) u Σ abs(g)·S(v)``.
    """

    layer: Any
    wrt: str
    x: Array
    g: Array
    got: Array
    u: float

    @cached_property
    def _layers(self) -> tuple[Any, Any, Any]:
        double = mapped(self.layer, lambda a: a.astype(np.float64))
        return double, mapped(double, np.abs), mapped(double, np.ones_like)

    @property
    def _unit(self) -> float:
        return (4 if self.u > HALF else 1) * (self.u + 2.0**-53)

    def made(self, how: Made, *, more: int = 4) -> tuple[Array, Array] | None:
        """Return what a computation makes, and E; None if it does not apply."""
        double, S_layer, n_layer = self._layers
        try:
            due = how(double, self.x, self.g)
            S = np.abs(how(S_layer, np.abs(self.x), np.abs(self.g)))
            n = np.abs(how(n_layer, *((a != 0).astype(float) for a in (self.x, self.g))))
        except (ValueError, IndexError):
            return None
        arrays: list[Array] = [self.x, self.g, due]
        mapped(double, lambda a: arrays.append(a) or a)  # type: ignore[func-returns-value]
        if all(is_whole(a) for a in arrays) and S.max(initial=0) <= 1 / self.u:
            return due, np.zeros_like(due)
        return due, np.asarray((n + more) * self._unit * S)

    @cached_property
    def due(self) -> tuple[Array, Array]:
        """What is due, and E: interpolations have roundings beyond their terms."""
        found = self.made(right(self.wrt), more=0 if hasattr(self.layer, "weight") else 4)
        if found is None:
            raise NotAnalysable("there is no gradient where the layer refuses its input")
        return found

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong."""
        due, E = self.due
        return due.shape == self.got.shape and within(self.got - due, E)

    def explained_by(self, how: Made) -> bool:
        """Return whether a mistaken backward computation explains it."""
        found = self.made(how)
        return found is not None and found[0].shape == self.got.shape and within(self.got - found[0], found[1])

    def mistaken_layers(self) -> Iterator[str]:
        """Yield the names of mistaken layers whose gradient it is."""
        if self.got.shape != self.due[0].shape or (isinstance(self.layer, Chain) and not self.layer.affine):
            return
        rng = np.random.default_rng(0)
        directions = [rng.standard_normal(self.got.shape) for _ in range(DIRECTIONS)]
        made_of = [(v, self._along(v), self._along(v, np.abs)) for v in directions]
        n = np.abs(self._layers[2](np.ones_like(self.x))).max() + self.g.size
        for place, (words, _) in enumerate(special(self.layer)):
            other = False
            for v, along_v, along_abs in made_of:
                made, S = along_v(place), along_abs(place)
                if made is None or S is None or made.shape != self.g.shape:
                    break
                E = (n + 4) * self._unit * float((np.abs(self.g) * np.abs(S)).sum())
                along = float((self.g * made).sum())
                if not abs(along - float((self.got * v).sum())) <= E:
                    break
                other |= abs(along - float((self.due[0] * v).sum())) > 2 * E
            else:
                if other:
                    yield words

    def _along(self, v: Array, change: Callable[[Array], Array] = np.asarray) -> Callable[[int], Array | None]:
        """Return what the mistaken layers, by their places, make of a direction: all else that they add is left out."""
        layer, x = mapped(self._layers[0], change), change(self.x)
        if self.wrt == "input":
            layer, x = _without_bias(layer), change(v)
        elif self.wrt == "bias":
            layer, x = replace(layer, bias=change(v)), 0 * x
        else:
            layer = _without_bias(replace(layer, **{"taps" if layer.op == "filter" else "weight": change(v)}))
        models = [model for _, model in special(layer)]
        return lambda place: ran(models[place], x)


def _without_bias(layer: Any) -> Any:
    """Return a layer, or a chain, whose bias is zero."""
    if isinstance(layer, Chain):
        return Chain(_without_bias(stage) for stage in layer.stages)
    has = any(field.name == "bias" for field in fields(layer)) and layer.bias is not None
    return replace(layer, bias=0 * layer.bias) if has else layer


def likely_gradient(layer: Any, x: Array, g: Array, got: Mapping[str, Array], *, u: float) -> str:
    """Return the classic mistake that explains wrong gradients, in a few words; empty if some stay unexplained.

    A gradient may be that of a mistaken layer (`torchparity.mistakes.likely` has the same table), or wrong in the
    backward computation alone: a sum left out, a mean, a shift. The first in this order names it: all zero, scaled,
    the mistaken layers, then the others.

    Parameters
    ----------
    layer : layer of dspref with weights, or Chain
    x, g : array (batch, in, time), (batch, out, time')
        Input, and gradient of the output: noise, as in `likely`.
    got : dict from 'input', 'weight', 'bias' to array
        The gradients found, at least one of them wrong.
    u : float
        Unit roundoff of the arithmetic.

    Returns
    -------
    str
        ``"gradient by weight, bias: …"``; different mistakes joined by "; ".

    Examples
    --------
    >>> from dspref import Conv, adjoint
    >>> layer, x, g = Conv([[[1.0, 2.0]]], bias=[0.0]), np.ones((2, 1, 3)), np.ones((2, 1, 2))
    >>> got = {"input": adjoint(layer, x, g).input, "bias": 2 * adjoint(layer, x, g).bias}
    >>> likely_gradient(layer, x, g, got, u=2.0**-24)
    'gradient by bias: doubled'
    """
    return likely_gradients(layer, [(x, g, got)], u=u)


def likely_gradients(layer: Any, cases: Iterable[tuple[Array, Array, Mapping[str, Array]]], *, u: float) -> str:
    """Return what `likely_gradient` does, for the mistake that explains the wrong gradients of all cases.

    Parameters
    ----------
    cases : iterable of (x, g, got)
        A gradient that is right in a case says nothing there: a mean over the batch does not show in a batch of one.

    Examples
    --------
    >>> from dspref import Nearest
    >>> x, g = np.ones((2, 1, 3)), np.ones((2, 1, 6))  # due is 2
    >>> cases = [(x, g, {"input": x}), (x[:1], 3 * g[:1], {"input": 3 * x[:1]})]
    >>> likely_gradients(Nearest(2), cases, u=2.0**-24)
    'gradient by input: mean over the factor, not the sum'
    """
    common: dict[str, list[str]] = {}
    for x, g, got in cases:
        for wrt, values in got.items():
            found = Found(layer, wrt, np.asarray(x, float), np.asarray(g, float), np.asarray(values, float), u)
            try:
                if found.is_right:
                    continue
            except NotAnalysable:
                return ""
            words = list(explanations(found)) if np.isfinite(found.got).all() else []
            common[wrt] = [known for known in common.get(wrt, words) if known in words]
    named: dict[str, list[str]] = {}
    for wrt, left in common.items():
        named.setdefault(left[0] if left else "", []).append(wrt)
    return (
        "" if "" in named else "; ".join(f"gradient by {', '.join(parts)}: {words}" for words, parts in named.items())
    )


def explanations(found: Found) -> Iterator[str]:
    """Yield the mistakes that explain a gradient, the most special first."""
    if not found.got.any():
        yield "all zero"
    yield from (words for words, how in scales(found) if found.explained_by(how))
    yield from found.mistaken_layers()
    yield from (words for words, how in backward(found) if found.explained_by(how))
    yield from _halved(found)


def scales(found: Found) -> Iterator[tuple[str, Made]]:
    """Yield the right gradient times a number."""
    due, (batch, _, length) = right(found.wrt), found.g.shape
    for words, c in {"doubled": 2.0, "of the other sign": -1.0}.items():
        yield words, partial(_scaled, due, c)
    counts = {
        "the batch": batch,
        "time": length,
        "the input's time": found.x.shape[-1],
        "batch and time": batch * length,
    }
    counts |= {"the factor": whole_factor(found.layer), "the groups": getattr(found.layer, "groups", 1)}
    for words, n in (counts | {"all outputs": found.g.size}).items():
        if n > 1:
            yield f"mean over {words}, not the sum", partial(_scaled, due, 1 / n)
            yield f"a sum over {words} too many", partial(_scaled, due, float(n))
    yield "halved", partial(_scaled, due, 0.5)


def backward(found: Found) -> Iterator[tuple[str, Made]]:
    """Yield what else goes wrong in a backward computation alone."""
    wrt, layer, (batch, _, length) = found.wrt, found.layer, found.g.shape
    due, factor = right(wrt), whole_factor(layer)
    if factor > 1 and wrt == "input":
        yield "the first phase only", lambda layer, x, g: due(layer, x, g * (np.arange(length) % factor == 0))
    if batch > 1:
        for words, kept in {"first": slice(None, 1), "last": slice(-1, None)}.items():
            yield f"the {words} item of the batch only", partial(_of_items, wrt, kept)
        first = (np.arange(batch) == 0)[:, None, None]
        yield "all of the batch's given to its first item", lambda layer, x, g: due(layer, x, first * g.sum(0))
    for words, keep in {"last": np.arange(length) < length - 1, "first": np.arange(length) > 0}.items():
        yield f"without the {words} output", lambda layer, x, g, keep=keep: due(layer, x, g * keep)  # type: ignore[misc]
    size = found.got.shape[-1]
    for words, keep in {"last": np.arange(size) < size - 1, "first": np.arange(size) > 0}.items():
        yield f"without its {words} entry", lambda *given, keep=keep: due(*given) * keep
    for k in (1, -1, 2, -2):
        yield f"{abs(k)} off", lambda *given, k=k: window(due(*given), k, size)
    if wrt == "weight" and kernel_of(layer).ndim == 3 and kernel_of(layer).shape[0] == kernel_of(layer).shape[1]:
        yield "channels not transposed", lambda *given: due(*given).swapaxes(0, 1)
    for words, bits in {"11 significant bits (TF32, float16)": 11, "8 significant bits (bfloat16)": 8}.items():
        yield f"operands rounded to {words}", partial(_coarse, due, partial(to_bits, bits=bits))


def _scaled(due: Made, c: float, *given: Any) -> Array:
    return c * due(*given)


def _of_items(wrt: str, kept: slice, layer: Any, x: Array, g: Array) -> Array:
    part = right(wrt)(layer, x[kept], g[kept])
    return np.repeat(part, len(x), axis=0) if wrt == "input" else part


def _coarse(due: Made, change: Callable[[Array], Array], layer: Any, x: Array, g: Array) -> Array:
    return due(rough(layer, change), change(x), change(g))


def _halved(found: Found) -> Iterator[str]:
    """Yield the half format in which it was accumulated, if it has no more bits, and is right as far as that goes."""
    for name, bits in HALVES.items():
        coarse = replace(found, u=2.0**-bits)
        if found.u < coarse.u / 2 and np.array_equal(found.got, to_bits(found.got, bits=bits)) and coarse.is_right:
            yield f"accumulated in half precision ({name})"
