"""One run of a stream against the offline reference: what came out, and how far rounding goes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dspref.arrays import Array
from dspref.chain import Chain, Pointwise
from dspref.interpolators import FilterInterp
from dspref.kernels import add_bias
from dspref.layers import TransposedConv
from torchparity.arithmetic import Arithmetic, rounded
from torchparity.calls import Misbehaved, Refused, alike
from torchparity.cases import Case
from torchparity.compare import scattered
from torchparity.job import Job
from torchparity.probe import Probe
from torchparity.roundoff import Bound, bound, doubled, overlapping, stores, summed, terms, unbiased
from torchparity.seams import FLUSH, named
from torchparity.takes import Make, Take, in_code, in_words, take
from torchparity.weigh import Compared, compared, first, fraction

PASSED = ("exact", "within bound")


@dataclass(frozen=True)
class Seen:
    """What one run of a stream showed."""

    status: str
    case: Case
    cut: str
    sizes: tuple[int, ...]
    outputs: int = 0
    zeros: int = 0
    ratio: float = 0.0
    index: tuple[int, ...] | None = None
    due: float = 0.0
    reason: str = ""
    where: str = ""
    looks_like: str = ""
    stream: str = "make"
    before: str = ""
    """Python for the stream that was run, and for what was done before."""
    others: tuple[Case, ...] = ()
    turn: int = 0
    """What other streams were fed in turn with this one, and how many of them were fed before it."""

    @property
    def code(self) -> str:
        """Python that shows the output, or how many samples there are; ``make`` is what was checked."""
        y = f"takes.streamed({self.stream}, x, {in_code(self.sizes)})"
        if self.others:
            signals = [case.code for case in self.others]
            signals.insert(self.turn, "x")
            y = f"takes.in_turn({self.stream}, [{', '.join(signals)}], {in_code(self.sizes)})[{self.turn}]"
        at = "" if self.index is None else ", ".join(map(str, self.index))
        show = f"{y}[{at}].item(), {self.due!r}" if at else f"{y}.shape"
        head = f"import torch; from torchparity import binding, cases, takes; x = {self.case.code}"
        return f"{head}; {self.before}print({show})"


@dataclass(frozen=True)
class Rig:
    """A stream to run afresh, the offline reference, and the delay between them in output samples.

    Where the delay was `declared`, samples that never come are part of it. `stream` and `before` are Python for what is
    run, and for what must be done before.
    """

    new: Make
    job: Job
    a: Arithmetic
    device: str = "cpu"
    latency: int = 0
    declared: bool = False
    stream: str = "make"
    before: str = ""

    @cached_property
    def _known(self) -> dict[Case, tuple[Array, Bound]]:
        return {}

    def due(self, case: Case) -> tuple[Array, Bound]:
        """Return what the reference gives for a case, and how far rounding may take a stream from it."""
        if case not in self._known:
            self._known[case] = (
                self.job.reference(case.x),
                streamed_bound(self.job.layer, case.x, self.a, self.job.bound(case.x, self.a)),
            )
        return self._known[case]

    def take(self, case: Case, sizes: Sequence[int], stream: Any = None, **how: bool) -> Take:
        """Return what a stream gives, a fresh one if none is given."""
        return take(self.new() if stream is None else stream, case.x, sizes, self.a, self.device, **how)

    def seen(self, case: Case, sizes: Sequence[int], cut: str, stream: Any = None) -> Seen:
        """Run a stream, and compare what it gives with what is due."""
        try:
            return self.told(case, self.take(case, sizes, stream), cut)
        except (Refused, Misbehaved) as error:
            return self.failed(case, sizes, cut, error)

    def failed(self, case: Case, sizes: Sequence[int], cut: str, error: Exception) -> Seen:
        """Return what a run showed that ended in an error."""
        seen = Seen("wrong", case, cut, tuple(sizes), stream=self.stream, before=self.before)
        return dataclasses.replace(seen, reason=f"{error} ({in_words(sizes)})")

    def told(self, case: Case, got: Take, cut: str) -> Seen:
        """Compare what a stream gave with what is due."""
        seen = Seen("wrong", case, cut, got.sizes, stream=self.stream, before=self.before)
        expected, limit = self.due(case)
        if got.y.shape[:-1] != expected.shape[:-1]:
            reason = f"output of shape {got.y.shape}, which should be {expected.shape}"
            return dataclasses.replace(seen, reason=reason)
        n = max(0, min(got.y.shape[-1] - self.latency, expected.shape[-1]))
        y, cut_off = got.y[..., self.latency : self.latency + n], Bound(limit.E[..., :n], limit.S[..., :n])
        found = self._judged(case, y, expected[..., :n], cut_off)
        zeros = int((cut_off.S == 0).sum())
        seen = dataclasses.replace(seen, status=found.status, outputs=y.size, zeros=zeros, ratio=found.ratio)
        if found.index is None:
            seen = dataclasses.replace(seen, reason=found.words)
            return self._counted(seen, got, expected) if found.status in PASSED else seen
        index = (*found.index[:-1], found.index[-1] + self.latency)
        seen = dataclasses.replace(seen, index=index, due=float(expected[found.index]))
        if found.status in PASSED:
            return self._counted(seen, got, expected)
        where = got.place(index[-1])
        reason = f"{got.y[index]:.9g} at output {list(index)}, where {expected[found.index]:.9g} is due"
        reason += f" ({case.kind} input in {in_words(got.sizes)}): the first wrong sample is in {where}"
        name = named(self.job, case.x, got, self.latency, limit.E, self.a)
        return dataclasses.replace(seen, reason=reason, where=where, looks_like=name)

    def _judged(self, case: Case, y: Array, expected: Array, limit: Bound) -> Compared:
        """Compare, and say which sample is the first to be wrong."""
        found = compared(y, expected, limit, self.a)
        if case.kind == "integer" and found.status in PASSED:
            return self._equal(found, case, y, rounded(expected, self.a.result), limit)
        if found.index is None or found.status in PASSED:
            return found
        broken = ~(np.abs(y - expected) <= limit.E)
        status = "inconclusive" if self.job.probed and alike(y, expected, self.a) else found.status
        return dataclasses.replace(found, status=status, index=first(broken))

    def _equal(self, found: Compared, case: Case, y: Array, due: Array, limit: Bound) -> Compared:
        """Compare bit for bit where sums are exact; FFT algorithms round whole numbers, too."""
        differ = (y != due) & (2.0**self.a.digits >= limit.S)
        if not differ.any():
            return found
        rounds = fraction(y, due, differ) and scattered(self.job, case)
        return Compared("normwise only" if rounds else "wrong", found.ratio, first(differ))

    def _counted(self, seen: Seen, got: Take, expected: Array) -> Seen:
        """Return what was seen, unless there are too many samples, or too few: a causal stream may keep its tail."""
        total, due = got.y.shape[-1], expected.shape[-1] + self.latency
        steady = sum(got.sizes) * self.job.layer.factor
        causal = not got.flushed and (self.declared or total in (math.floor(steady), math.ceil(steady)))
        if total == due or (total < due and causal):
            return seen
        reason = f"{total} samples in {in_words(got.sizes)}, where {due} are due"
        if total > due:
            name = named(self.job, seen.case.x, got, self.latency, self.due(seen.case)[1].E, self.a)
            return dataclasses.replace(seen, status="wrong", index=None, reason=reason, looks_like=name)
        reason += f": the last {due - total} are missing, " + (
            "flush() or not" if got.flushed else "there is no flush()"
        )
        return dataclasses.replace(seen, status="wrong", index=None, reason=reason, looks_like=FLUSH)


def streamed_bound(layer: Any, x: Array, a: Arithmetic, plain: Bound) -> Bound:
    """Return how far a stream may lie from the reference by rounding alone, and S; `plain` is the bound of the layer.

    Overlap-add in chunks is another order of the same sum: a tail is a partial sum, added later. The bound n·u·S of
    `torchparity.roundoff` holds for every order, so it holds here. Two things are more: a tail that is kept in half
    precision is rounded once more at each of the J − 1 borders between overlapping chunks, and a stream may carry the
    bias in its tail and take it away again, which is two more terms ±b at each. With o = J − 1,

        n′ = n + 2o        S′ = S + 2o·abs(b)        m′ = m + 3o        (without a bias: n, S, m + o)

    In a chain what this adds to a stage is carried through the stages behind it by their absolute values.
    """
    if not isinstance(layer, Chain):
        return _streamed(layer, x, a, plain)
    more = np.zeros_like(x, float)
    for stage in layer.stages:
        at = bound(stage, x, a)
        through = _steeper(stage, more) if isinstance(stage, Pointwise) else doubled(unbiased(stage), np.abs)(more)
        more, x = through + _streamed(stage, x, a, at).E - at.E, doubled(stage)(x)
    return Bound(plain.E + more, plain.S)


def _streamed(layer: Any, x: Array, a: Arithmetic, plain: Bound) -> Bound:
    o, bias = _borders(layer), getattr(layer, "bias_phases", None)
    if not o:
        return plain
    b = 0 if bias is None else add_bias(np.zeros_like(plain.S), np.abs(bias))
    n, biased = terms(layer, *x.shape[-2:]), bias is not None
    E = summed(plain.S + 2 * o * b, n + 2 * o * biased, stores(layer) + o * (1 + 2 * biased), a)
    return Bound(E, plain.S)


def _borders(layer: Any) -> int:
    """Return J − 1: how many borders between chunks may lie within one sum, where stamps overlap."""
    if isinstance(layer, (TransposedConv, FilterInterp)):
        return overlapping(layer.length, layer.factor, getattr(layer, "dilation", 1)) - 1
    return -(-layer.filter.h.shape[-1] // layer.filter.L) - 1 if isinstance(layer, Probe) else 0


def _steeper(stage: Pointwise, more: Array) -> Array:
    return stage(more) if stage.name == "glu" else np.asarray(max(1.0, *map(abs, (0.0, *stage.parameters))) * more)
