"""One case of a check: what a piece and its reference make of one input, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from dspref.arrays import Array, NotAnalysable
from torchparity.arithmetic import Arithmetic, eager, rounded
from torchparity.calls import Misbehaved, Refused, alike, call, numbers
from torchparity.cases import Case
from torchparity.job import Job
from torchparity.roundoff import KERNELS, Bound
from torchparity.verdict import STATUSES
from torchparity.weigh import Compared, compared, excused, first, fraction, last_places

_LAST = 2
_TAPS = "taps are computed on the way, as by a norm or a scale, or wrong by so little; hand over those that are used"


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

    See `same_again` for what is one.
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
    E = job.bound(x, case.model).E if job.bounded else None

    def more() -> Iterator[Array]:
        yield from (found[0] for _ in range(TRIES) if not isinstance(found := answers(job, case, x), Outcome))

    if all(same_again(job, case, first_answer, y, E, more) for y in (again, last)):
        return Outcome("exact", case, job)
    reason = "another output for the same input: not deterministic, or a state is kept between calls"
    return Outcome("wrong", case, job, reason=reason, shrinks=False)


TRIES = 3


def same_again(
    job: Job, case: Case, y: Array, again: Array, E: Array | None, more: Callable[[], Iterable[Array]]
) -> bool:
    """Return whether two answers are the same: bit for bit, or as far apart as two orders of a sum may be, 2E.

    Libraries for products of matrices take another order now and then; noise is another each time, so one of `more`
    answers must be the same. On devices other than a CPU, and where no one promises a bound, half of the digits must
    agree.
    """
    if np.array_equal(y, again, equal_nan=True):
        return True
    if E is None or job.device != "cpu":
        return alike(y, again, case.model)
    if y.shape != again.shape or not (np.abs(y.astype(float) - again) <= 2 * E).all():
        return False
    return any(np.array_equal(y, other) for other in more())


def bounded(job: Job, case: Case, x: Array | None = None, before: Sequence[Job] = ()) -> Outcome:
    """Compare with the reference in double precision, under the rounding bound."""
    x = case.x if x is None else x
    found = answers(job, case, x)
    if isinstance(found, Outcome):
        return found
    return judged(job, case, x, *found, job.bound(x, case.model), before)


def coarser(job: Job, limit: Bound, a: Arithmetic, half: Callable[[], Bound]) -> Iterator[tuple[str, Bound]]:
    """Yield what may have been rounded besides, in code that is right, and the bound under which it is.

    In half precision every single operation may round to half, with a bound that `half` gives; operands may be rounded
    once more each, which makes ``E + 2 u S``.
    """
    if a.u_store:
        yield f"every operation rounds to {a.result}", half()
    if isinstance(job.layer, KERNELS):
        more = Bound(limit.E + 2 * max(a.u_acc, a.u_store) * limit.S, limit.S)
        yield "weights or input are rounded once more on the way, as where they are scaled", more


def beyond(job: Job, a: Arithmetic, *operands: Array) -> str:
    """Return words if operands are too large for the format that they are rounded to, else an empty text."""
    largest = max(job.largest, *(float(np.abs(x).max(initial=0)) for x in operands))
    return f"operands of {largest:.3g} are beyond the range of {a.result}" if a.u_in and largest > a.largest else ""


def weighed(
    found: Compared,
    y: Array,
    expected: Array,
    more: Iterable[tuple[str, Bound]],
    far: Callable[[], Any],
    job: Job,
    case: Case,
) -> Compared:
    """Return an error as less than wrong, if an FFT algorithm up to `far` can explain it, or coarser rounding."""
    if found.words and (np.abs(y.astype(float) - expected) <= far()).all() and scattered(job, case):
        return replace(found, status="normwise only")
    for why, limit in more if found.words else ():
        found = excused(found, compared(y, expected, limit, case.model), why)
    return found


def judged(
    job: Job, case: Case, x: Array, y: Array, expected: Array, limit: Bound, before: Sequence[Job] = ()
) -> Outcome:
    """Return the outcome for outputs `y` that should be `expected`, up to E."""
    a = case.model
    found = compared(y, expected, limit, a)
    finite = bool(np.isfinite(y).all())
    if finite:
        more = coarser(job, limit, a, lambda: job.bound(x, eager(a)))
        found = weighed(found, y, expected, more, lambda: limit.E + job.normwise(x, a.u_acc), job, case)
    elif words := beyond(job, a, x):
        found = Compared("inconclusive", words=words)
    zeros = 0 if found.ratio == np.inf else int((limit.S == 0).sum())
    if found.index is None:
        return Outcome(found.status, case, job, y.size, zeros, reason=found.words, before=tuple(before))
    index, status, reason = found.index, found.status, ""
    due = float(expected[index])
    if found.words:
        status = "inconclusive" if job.probed and status in ("wrong", "normwise only") and finite else status
        reason = f"{job.words}: {found.words} ({case.kind} input; error/bound {found.ratio:.3g}){job.caveat}"
    return Outcome(status, case, job, y.size, zeros, found.ratio, index, due, reason, before=tuple(before))


def equal(job: Job, case: Case) -> Outcome:
    """Compare with the reference in the same arithmetic, where nothing is rounded: bit for bit.

    A one copies a tap; whole numbers make exact sums wherever S is within the digits of the arithmetic.

    Eq. 7.2.
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
    article = "a" if case.kind == "one-hot" else "an"
    made = f"where {article} {case.kind} input makes {expected[index]:.9g} exactly"
    status, more = unequal(job, case, y, expected, limit, differ)
    reason = f"{job.words}: {y[index]:.9g} at output {list(index)}, {made}{more}"
    return Outcome(status, case, job, y.size, 0, outcome.ratio, index, float(expected[index]), reason)


def unequal(job: Job, case: Case, y: Array, expected: Array, limit: Bound, differ: Array) -> tuple[str, str]:
    """Return the status of outputs within their bound that should be equal and are not, and words for it."""
    copied = case.kind != "integer"
    if (copied or fraction(y, expected, differ)) and scattered(job, case):
        return "normwise only", ""
    if copied and last_places(y - expected, limit.S, case.model)[differ].max() <= _LAST:
        return "inconclusive", f", up to {_LAST} units in the last place: {_TAPS}"
    return "wrong", ""


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
        if ones not in job.reached:
            job.reached[ones] = _reached(job, ones)
        beyond, untouched = job.reached[ones]
        if beyond:
            return True
        told |= untouched
    return not told


def _reached(job: Job, ones: Case) -> tuple[bool, bool]:
    """Return whether ones reach outputs that no tap touches, and whether there are such outputs."""
    x, nothing = ones.x, np.zeros_like(ones.x)
    found, silent = answers(job, ones, x), answers(job, ones, nothing)
    if isinstance(found, Outcome) or isinstance(silent, Outcome):
        return False, False
    untouched = job.magnitudes(x) == job.magnitudes(nothing)
    return not np.array_equal(found[0][untouched], silent[0][untouched]), bool(untouched.any())
