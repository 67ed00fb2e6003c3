"""One case of a check: what a piece and its reference make of one input, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from dspref.arrays import Array, NotAnalysable
from torchparity.arithmetic import Arithmetic, eager, rounded
from torchparity.calls import Misbehaved, Refused, alike, call, numbers
from torchparity.cases import Case
from torchparity.job import Job
from torchparity.roundoff import Bound
from torchparity.verdict import STATUSES


@dataclass(frozen=True)
class Outcome:
    """What one case showed, of the output or of a gradient (`part`)."""

    status: str
    case: Case
    job: Job
    outputs: int = 0
    zeros: int = 0
    ratio: float = 0.0
    index: tuple[int, ...] | None = None
    due: float = 0.0
    reason: str = ""
    part: str = "output"
    before: tuple[Job, ...] = ()
    remark: str = ""
    shrinks: bool = True
    """Whether shorter inputs may show it, too: what comes of several calls they may not."""

    @property
    def code(self) -> str:
        """A line of Python that shows the output or the gradient; ``f`` is what was checked."""
        if self.part.startswith("gradient"):
            return self.job.gradient_code(self.case, self.part.removeprefix("gradient by "), self.index, self.due)
        if not self.shrinks:
            return self.job.repeat_code(self.case)
        return self.job.code(self.case, self.index, self.due, self.before)

    @property
    def badness(self) -> tuple[int, bool, bool, float]:
        """Sorts outcomes: by status, outputs before all else, a broken law before a wrong value, then by ratio."""
        return -STATUSES.index(self.status), self.part == "output", self.index is None, self.ratio


@dataclass(frozen=True)
class Compared:
    """Two arrays under a bound: how the status came about, and where."""

    status: str
    ratio: float = 0.0
    index: tuple[int, ...] | None = None
    words: str = ""


def compared(y: Array, expected: Array, limit: Bound, a: Arithmetic, *, part: str = "output") -> Compared:
    """Compare what is `y` with what is `expected`, up to E."""
    lost, overflow = ~np.isfinite(y), np.greater(limit.S + limit.E, a.largest)
    if (lost & ~overflow).any():
        index = first(lost & ~overflow)
        return Compared(
            "wrong", np.inf, index, f"{y[index]} at {part} {list(index)}, where {expected[index]:.9g} is due"
        )
    if overflow.any():
        return Compared("inconclusive", words=f"sums of {float(limit.S.max()):.3g} are beyond the range of {a.result}")
    error = np.abs(y.astype(float) - expected)
    if not error.any():
        return Compared("exact")
    with np.errstate(over="ignore"):
        ratios = np.divide(error, limit.E, out=np.where(error > 0, np.inf, 0.0), where=limit.E > 0)
    index = tuple(int(i) for i in np.unravel_index(int(ratios.argmax()), ratios.shape))
    ratio = float(ratios[index])
    if ratio <= 1:
        return Compared("within bound", ratio, index)
    status = "normwise only" if error.max() <= limit.E.max() else "wrong"
    return Compared(status, ratio, index, f"{y[index]:.9g} at {part} {list(index)}, where {expected[index]:.9g} is due")


def answers(job: Job, case: Case, x: Array, *, double: bool = True) -> tuple[Array, Array] | Outcome:
    """Return what `job` and the reference give, or the outcome if there is nothing to compare."""
    expected: Array | None
    try:
        expected, refusal = job.reference(x, double=double), ""
    except NotAnalysable:
        raise
    except ValueError as error:
        expected, refusal = None, str(error)
    what = f"input of shape {x.shape}"
    try:
        y = call(job.run, x, model=case.model, device=job.device, inner=job.inner)
    except Refused as error:
        if expected is None:
            return Outcome("exact", case, job)
        return Outcome("wrong", case, job, reason=f"{what} refused, which is legal: {error}")
    except Misbehaved as error:
        return Outcome("wrong", case, job, reason=str(error))
    if expected is None and not y.shape[-1]:  # some of Torch's backends refuse by an empty output
        return Outcome("exact", case, job)
    if expected is None:
        return Outcome("wrong", case, job, reason=f"{what} accepted, which is not legal: {refusal}")
    if y.shape != expected.shape:
        reason = f"{what}: output of shape {y.shape}, which should be {expected.shape}"
        return Outcome("wrong", case, job, reason=reason)
    return y, expected


def repeated(job: Job, case: Case) -> Outcome:
    """Ask twice, and again with another input in between: a layer gives one answer.

    A sum of products is the same bit for bit, if it is done in the same order: on a CPU it is. Elsewhere, and behind
    maps whose rounding no one promises, half of the digits must agree.
    """
    x = case.x
    kept: list[Tensor] = []

    def keeping(given: Tensor) -> Any:
        kept.append(y := job.run(given))
        return y

    watched = job.running(keeping)
    seen = [answers(watched, case, x)]
    held = None if isinstance(seen[0], Outcome) else numbers(kept[0])
    seen += [answers(job, case, x), answers(job, case, x[..., ::-1].copy())]
    written_over = held is not None and not np.array_equal(numbers(kept[0]), held, equal_nan=True)
    seen += [answers(job, case, x)]
    for found in seen:
        if isinstance(found, Outcome):
            return replace(found, job=job)
    if written_over:
        reason = "the output of one call is written over by the next: return a tensor that is not used again"
        return Outcome("wrong", case, job, reason=reason, shrinks=False)
    first_answer, again, _, last = (found[0] for found in seen)  # type: ignore[index]
    if same_again(job, case, first_answer, again) and same_again(job, case, first_answer, last):
        return Outcome("exact", case, job)
    reason = "another output for the same input: not deterministic, or a state is kept between calls"
    return Outcome("wrong", case, job, reason=reason, shrinks=False)


def same_again(job: Job, case: Case, y: Array, again: Array) -> bool:
    """Return whether two answers are the same: bit for bit, or by half of their digits where no one promises more."""
    strict = job.bounded and job.device == "cpu"
    return np.array_equal(y, again, equal_nan=True) if strict else alike(y, again, case.model)


def bounded(job: Job, case: Case, x: Array | None = None, before: Sequence[Job] = ()) -> Outcome:
    """Compare with the reference in double precision, under the rounding bound."""
    x = case.x if x is None else x
    found = answers(job, case, x)
    if isinstance(found, Outcome):
        return found
    return judged(job, case, x, *found, job.bound(x, case.model), before)


def excused(found: Compared, coarse: Compared, a: Arithmetic) -> Compared:
    """Return an error in half precision as inconclusive, if rounding every single operation to half can explain it."""
    if not found.words or coarse.words:
        return found
    words = f"{found.words}; within the bound (error/bound {coarse.ratio:.3g}) if every operation rounds to {a.result}"
    return replace(found, status="inconclusive", words=words)


def judged(
    job: Job, case: Case, x: Array, y: Array, expected: Array, limit: Bound, before: Sequence[Job] = ()
) -> Outcome:
    """Return the outcome for outputs `y` that should be `expected`, up to E."""
    found = compared(y, expected, limit, case.model)
    if found.words and case.model.u_store and np.isfinite(y).all():
        found = excused(found, compared(y, expected, job.bound(x, eager(case.model)), case.model), case.model)
    if found.status == "wrong" and np.isfinite(y).all():
        far = limit.E + job.normwise(x, case.model.u_acc)
        if (np.abs(y.astype(float) - expected) <= far).all() and scattered(job, case):
            found = replace(found, status="normwise only")
    zeros = 0 if found.ratio == np.inf else int((limit.S == 0).sum())
    if found.index is None:
        return Outcome(found.status, case, job, y.size, zeros, reason=found.words, before=tuple(before))
    index, status, reason = found.index, found.status, ""
    due = float(expected[index])
    if found.words:
        status = "inconclusive" if job.probed and status == "wrong" and np.isfinite(y).all() else status
        reason = f"{job.words}: {found.words} ({case.kind} input; error/bound {found.ratio:.3g}){job.caveat}"
    return Outcome(status, case, job, y.size, zeros, found.ratio, index, due, reason, before=tuple(before))


def equal(job: Job, case: Case) -> Outcome:
    """Compare with the reference in the same arithmetic, where nothing is rounded: bit for bit.

    A one copies a tap; whole numbers make exact sums wherever S is within the digits of the arithmetic.
    """
    x = case.x
    found = answers(job, case, x)
    if isinstance(found, Outcome):
        return found
    y, expected = found
    limit = job.bound(x, case.model)
    # A border rule other than zeros repeats the one: where several reach an output, they are summed and rounded.
    exact = job.single(x) if case.kind == "one-hot" else 2.0**case.model.digits >= limit.S
    if job.probed or (case.kind == "one-hot" and case.model.u_in):  # probed taps are rounded themselves
        return judged(job, case, x, y, expected, limit)
    expected = rounded(expected, case.model.result)  # tap + bias: the nearest number
    differ = (y != expected) & exact
    outcome = judged(job, case, x, y, found[1], limit)
    if not differ.any() or outcome.status in ("wrong", "inconclusive"):
        return outcome
    index = first(differ)
    article = "an" if case.kind[0] in "aeiou" else "a"
    made = f"where {article} {case.kind} input makes {expected[index]:.9g} exactly"
    reason = f"{job.words}: {y[index]:.9g} at output {list(index)}, {made}"
    small = case.kind != "integer" or fraction(y, expected, differ)
    status = "normwise only" if small and scattered(job, case) else "wrong"
    return Outcome(status, case, job, y.size, 0, outcome.ratio, index, float(expected[index]), reason)


def scattered(job: Job, case: Case) -> bool:
    """Return whether ones reach outputs that no tap touches, as FFT algorithms let them, and direct sums do not.

    Signals as long as that of the case are tried, and such that the kernel fits in; if every output is touched, nobody
    can tell.
    """
    if not job.copies_taps:
        return False
    told = False
    for time in (case.shape[2], job.extent + 8):
        ones = replace(case, kind="one-hot", shape=(8, job.channels, time))
        x, nothing = ones.x, np.zeros_like(ones.x)
        found, silent = answers(job, ones, x), answers(job, ones, nothing)
        if isinstance(found, Outcome) or isinstance(silent, Outcome):
            continue
        untouched = job.magnitudes(x) == job.magnitudes(nothing)
        if not np.array_equal(found[0][untouched], silent[0][untouched]):
            return True
        told |= bool(untouched.any())
    return not told


def fraction(y: Array, due: Array, differ: Array) -> bool:
    """Return whether whole numbers come out wrong by less than a half, as rounding makes them, and not a fault."""
    return bool((np.abs(y[differ].astype(float) - due[differ]) < 0.5).all())


def first(where: Array) -> tuple[int, ...]:
    """Return the first index, in order of time, then channel, then batch, where something holds."""
    places = np.argwhere(where)
    return tuple(int(i) for i in places[np.lexsort(places.T)[0]])
