"""One case of a check: what a piece and its reference make of one input, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dspref.arrays import Array, NotAnalysable
from torchparity.calls import Misbehaved, Refused, alike, call
from torchparity.cases import Case
from torchparity.job import Job
from torchparity.roundoff import Bound, mapped
from torchparity.verdict import STATUSES


@dataclass(frozen=True)
class Outcome:
    """What one case showed."""

    status: str
    case: Case
    code: str
    outputs: int = 0
    zeros: int = 0
    ratio: float = 0.0
    index: tuple[int, ...] | None = None
    reason: str = ""

    @property
    def badness(self) -> tuple[int, bool, float]:
        """Sorts outcomes: by status, a broken law before a wrong value, then by ratio."""
        return -STATUSES.index(self.status), self.index is None, self.ratio


def _answers(job: Job, case: Case, x: Array, *, double: bool = True) -> tuple[Array, Array] | Outcome:
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
        y = call(job.run, x, inner=job.inner)
    except Refused as error:
        if expected is None:
            return Outcome("exact", case, job.code(case))
        return Outcome("wrong", case, job.code(case), reason=f"{what} refused, which is legal: {error}")
    except Misbehaved as error:
        return Outcome("wrong", case, job.code(case), reason=str(error))
    if expected is None and not y.shape[-1]:  # some of Torch's backends refuse by an empty output
        return Outcome("exact", case, job.code(case))
    if expected is None:
        return Outcome("wrong", case, job.code(case), reason=f"{what} accepted, which is not legal: {refusal}")
    if y.shape != expected.shape:
        reason = f"{what}: output of shape {y.shape}, which should be {expected.shape}"
        return Outcome("wrong", case, job.code(case), reason=reason)
    return y, expected


def repeated(job: Job, case: Case) -> Outcome:
    """Ask twice: a layer gives one answer."""
    x = case.x
    first = _answers(job, case, x)
    second = _answers(job, case, x)
    if isinstance(first, Outcome) or isinstance(second, Outcome):
        return (
            first if isinstance(first, Outcome) else Outcome("wrong", case, job.code(case), reason="refused at random")
        )
    if alike(first[0], second[0], case.dtype):
        return Outcome("exact", case, job.code(case))
    return Outcome("wrong", case, job.code(case), reason="another output for the same input: not deterministic")


def bounded(job: Job, case: Case, x: Array | None = None, before: Sequence[Job] = ()) -> Outcome:
    """Compare with the reference in double precision, under the rounding bound."""
    x = case.x if x is None else x
    answers = _answers(job, case, x)
    if isinstance(answers, Outcome):
        return answers
    y, expected = answers
    return _compared(job, case, y, expected, job.bound(x, case.dtype), before)


def _compared(job: Job, case: Case, y: Array, expected: Array, limit: Bound, before: Sequence[Job] = ()) -> Outcome:
    """Return the outcome for outputs `y` that should be `expected`, up to E."""
    lost = ~np.isfinite(y)
    overflow = np.greater(limit.S + limit.E, np.finfo(case.dtype).max)
    if (lost & ~overflow).any():
        index = _first(lost & ~overflow)
        code = job.code(case, index, expected[index], before)
        reason = f"{y[index]} at output {list(index)}, where {expected[index]:.9g} is due"
        return Outcome("wrong", case, code, y.size, index=index, ratio=np.inf, reason=reason)
    if overflow.any():
        reason = f"sums of {float(limit.S.max()):.3g} are beyond the range of {case.dtype}"
        return Outcome("inconclusive", case, job.code(case, before=before), y.size, reason=reason)
    error = np.abs(y.astype(float) - expected)
    zeros = int((limit.S == 0).sum())
    if not error.any():
        return Outcome("exact", case, job.code(case, before=before), y.size, zeros)
    ratios = np.divide(error, limit.E, out=np.where(error > 0, np.inf, 0.0), where=limit.E > 0)
    index = tuple(int(i) for i in np.unravel_index(int(ratios.argmax()), ratios.shape))
    ratio, code = float(ratios[index]), job.code(case, index, expected[index], before)
    status, reason = "within bound", ""
    if ratio > 1:
        normwise = error.max() <= limit.E.max()
        status = "normwise only" if normwise else "inconclusive" if job.probed else "wrong"
        reason = f"{job.words}: {y[index]:.9g} at output {list(index)}, where {expected[index]:.9g} is due"
        reason += f" ({case.kind} input; error/bound {ratio:.3g})" + job.caveat
    return Outcome(status, case, code, y.size, zeros, ratio, index, reason)


def equal(job: Job, case: Case) -> Outcome:
    """Compare with the reference in the same arithmetic, where nothing is rounded: bit for bit."""
    x = case.x
    answers = _answers(job, case, x, double=False)
    if isinstance(answers, Outcome):
        return answers
    y, expected = answers
    # A border rule other than zeros repeats the one: where several reach an output, they are summed and rounded.
    differ = (y != expected) & (job.single(x) if case.kind == "one-hot" else True)
    found = _compared(job, case, y, expected.astype(float), job.bound(x, case.dtype))
    if not differ.any() or found.status in ("wrong", "inconclusive"):
        return found
    index = _first(differ)
    reason = (
        f"{job.words}: {y[index]:.9g} at output {list(index)}, where a {case.kind} input makes {expected[index]:.9g}"
    )
    # A direct sum leaves outputs alone that no tap touches: if only touched ones are off, its taps are others.
    untouched = mapped(job.layer, np.abs)(np.abs(x)) == mapped(job.layer, np.abs)(np.zeros_like(x))
    direct = untouched.any() and np.array_equal(y[untouched], expected[untouched])
    status = "wrong" if direct or case.kind == "integer" else "normwise only"
    code = job.code(case, index, expected[index])
    return Outcome(status, case, code, y.size, 0, found.ratio, index, reason + " exactly")


def _first(where: Array) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(where)[0])
