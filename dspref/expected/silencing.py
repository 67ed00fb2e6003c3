"""The recursion once more with something silenced: the biases of a place, part of the input, or a map's mean.

Signals are values, so that a run without something shares with the run before all that does not depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np

from dspref.arrays import NotAnalysable, as_choice, complaint
from dspref.chain import Pointwise
from dspref.expected.combs import Levels
from dspref.expected.extent import Extent
from dspref.expected.graph import INPUT, Network, Node
from dspref.expected.moments import Moments
from dspref.expected.network import Drawn, Gate
from dspref.expected.source import Source, check_source
from dspref.expected.spectrum import LARGEST, ROUTES, Expected, of_levels, of_moments
from dspref.expected.walk import Carrier, Part, Signal, after, places, started

MEMORY = 2**30
"""Bytes that the matrices of all places may take together."""


class Centring(Carrier, Protocol):
    """A carrier that knows its mean."""

    @property
    def mean(self) -> Any:
        """Mean, of each phase if they differ."""

    def constant(self) -> Self:
        """Return that alone."""


C = TypeVar("C", bound=Centring)
B = TypeVar("B", bound=Carrier)


@dataclass(frozen=True)
class Silenced:
    """Something that feeds a comb, or may.

    Attributes
    ----------
    what : {'biases', 'constant', 'noise', 'mean'}
        Biases of a drawn convolution, a part of the input, or the mean ``E φ(x_n)`` that a map adds.
    where : str
        Name of the place; "input" for a part of that.
    """

    what: str
    where: str

    def __str__(self) -> str:
        if self.what in ("constant", "noise"):
            return f"the {self.what} of the input"
        return f"the {'mean of map' if self.what == 'mean' else 'biases of layer'} {self.where}"


@dataclass(frozen=True)
class Run(Generic[C]):
    """A network, its input, the signals of all places, and how to read the last one."""

    net: Network
    source: Source
    signals: Mapping[str, Signal[C]]
    begin: Callable[[Source], C]
    read: Callable[[Signal[C]], Expected]

    def causes(self) -> Iterator[Silenced]:
        """Yield what can be silenced: the input's parts that are there, biases, and maps that have a mean."""
        if self.source.constant:
            yield Silenced("constant", INPUT)
        if any(self.source.covariance):
            yield Silenced("noise", INPUT)
        for node in self.net:
            if isinstance(node.op, Drawn) and node.op.bias:
                yield Silenced("biases", node.name)
            elif isinstance(node.op, (Pointwise, Gate)) and np.any(self.signals[node.name].moments.mean):
                yield Silenced("mean", node.name)

    def stage(self, cause: Silenced) -> tuple[Any, ...]:
        """Return what places between the same changes of rate have in common."""
        x = self.signals[cause.where]
        return x.rate, x.divisors

    def without(self, causes: Collection[Silenced]) -> Expected:
        """Return what comes out with some things silenced; what does not depend on them is taken over."""
        changed = {INPUT: self._input(causes)} if any(cause.where == INPUT for cause in causes) else {}
        places = {cause.where for cause in causes}
        for node in self.net:
            if node.name in places or any(name in changed for name in node.inputs):
                inputs = [changed.get(name, self.signals[name]) for name in node.inputs]
                changed[node.name] = _silent(node, inputs, causes)
        return self.read(changed.get(self.net.output, self.signals[self.net.output]))

    def _input(self, causes: Collection[Silenced]) -> Signal[C]:
        constant = 0.0 if Silenced("constant", INPUT) in causes else self.source.constant
        covariance = () if Silenced("noise", INPUT) in causes else self.source.covariance
        source = replace(self.source, constant=constant, covariance=covariance)
        return started(self.begin(source), source)


def _silent(node: Node, inputs: Sequence[Signal[C]], causes: Collection[Silenced]) -> Signal[C]:
    if isinstance(node.op, Drawn) and Silenced("biases", node.name) in causes:
        return after(replace(node, op=replace(node.op, bias=0)), inputs)
    found = after(node, inputs)
    if Silenced("mean", node.name) not in causes:
        return found
    (part,) = found.parts.values()  # less its mean, a number of each phase that depends on nothing: another may have it
    away = Part(part.moments.constant(), -part.gain, False, frozenset())
    return replace(found, parts={**found.parts, ("mean", node.name): away})


def started_run(net: Network, source: Source, route: str) -> Run[Any]:
    """Return the run with nothing silenced.

    Raises
    ------
    NotAnalysable
        Where the theory ends; and if the matrices of all places would take more than `MEMORY`.
    """
    check_source(source)
    net = net.before(net.output)
    if as_choice("route", route, ROUTES) != "full":
        try:
            return _run(net, source, Levels.of, of_levels)
        except NotAnalysable:
            if route == "combs":
                raise
    _check_memory(net, source)
    return _run(net, source, Moments.of, of_moments)


def _run(net: Network, source: Source, begin: Callable[[Source], C], read: Callable[[Signal[C]], Expected]) -> Run[C]:
    x = started(begin(source), source)
    return Run(net, source, {INPUT: x, **dict(_reached(places(x, net)))}, begin, read)


def _reached(found: Iterator[tuple[Node, Signal[B] | NotAnalysable]]) -> Iterator[tuple[str, Signal[B]]]:
    for node, signal in found:
        if isinstance(signal, NotAnalysable):
            raise signal
        yield node.name, signal


def _check_memory(net: Network, source: Source) -> None:
    reached = list(_reached(places(started(Extent(1, LARGEST), source), net)))
    periods = [signal.moments.period for _, signal in reached]
    need = 8 * sum(P**2 for P in periods)
    if need > MEMORY:
        P, runs = max(periods), len(periods)
        got = f"{need / 2**30:.1f} GiB for {runs} places of periods up to {P}, and a run of some seconds for each"
        hint = "the recursion of combs takes any period: whole overlap, no fixed filters, white noise and constants"
        raise NotAnalysable(complaint("matrices to explain", got, f"{MEMORY / 2**30:.0f} GiB", hint))
