"""Whether a Torch module does what the reference says, with no tolerance picked by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from torch import nn

from dspref.arrays import as_choice, as_integer, complaint
from torchparity.calls import DTYPES, Misbehaved, Refused, Run, alike, call, own_dtype, private_copy
from torchparity.cases import GRIDS, KINDS, LONG, REAL, Case
from torchparity.compare import Outcome, bounded, equal, repeated
from torchparity.job import Job
from torchparity.plan import Broken, Like, as_chain, plan
from torchparity.verdict import Coverage, Verdict

_SIZE = 1 << 28  # products in one batch of one-hot inputs
_ONES = 256
_CHEAP = 1 << 24  # products in an input of LONG samples


def check(
    f: Run,
    like: Like = None,
    *,
    dtype: str | None = None,
    seed: int = 0,
    lengths: Sequence[int] | None = None,
    grid: str = "small",
    channels: int | None = None,
) -> Verdict:
    """Compare a module or function with the reference, output by output, on CPU.

    Tier 0, law: both accept an input, or both refuse it; length, channels and dtype agree; outputs are
    finite, the same every time, and the input is left alone. Tier 1, equality: one-hot inputs copy taps
    bit for bit, and sums of small integers are exact. Tier 2: on noise, on noise spread over 40 octaves
    and on constants, no output lies farther from the reference than `torchparity.roundoff` allows, borders
    included. A Sequential is checked layer by layer, on such inputs and on those that its own layers hand
    on. The module is copied to the CPU: the one given is not touched.

    Parameters
    ----------
    f : nn.Module, or function of a tensor (batch, channel, time)
    like : layer, Chain or str, optional
        What `f` should be. With weights, it is the reference (rounded to `dtype`). Without, as in
        ``"convt k16 s8 p4"`` (`dspref.parse`), it says the structure that must be found, and the values
        come from `torchparity.describe`, else from `torchparity.probe`, as if nothing is given.
    dtype : {'float32', 'float64'}, optional
        The module's own by default.
    seed : int
    lengths : sequence of int, optional
        Input lengths in place of those of the grid, at least one.
    grid : {'small', 'full'}
    channels : int, optional
        Of the input, where neither module nor `like` says.

    Returns
    -------
    Verdict

    Raises
    ------
    NotAnalysable
        If there is no reference: the module can neither be described nor probed, with both reasons. If the
        weights are not there (lazy modules, meta device), or are complex or of half precision.
    ValueError, TypeError
        If an option is not one of those allowed.

    Examples
    --------
    >>> check(nn.Upsample(scale_factor=4), like="nearest x4").status
    'exact'
    >>> check(lambda x: x.repeat_interleave(4, -1).roll(1, -1), like="nearest x4").status
    'wrong'
    """
    dtype = own_dtype(f) if dtype is None else as_choice("dtype", dtype, DTYPES)
    seed, times = as_integer("seed", seed, 0), _times(grid, lengths)
    run = private_copy(f, dtype) if isinstance(f, nn.Module) else f
    promised = as_chain(like)
    try:
        found = plan(run, promised, dtype=dtype, channels=channels, seed=seed)
    except Broken as broken:
        return Verdict("wrong", 0.0, None, dtype, "cpu", broken.description, "", Coverage(), reason=str(broken))
    checked = [job for job in found.jobs if job.bounded]
    outcomes = [o for job in checked for o in _examine(job, dtype, seed, times, given=lengths is not None)]
    if len(found.jobs) > 1:
        outcomes += _in_turn(run, found.jobs, dtype, seed, times)
    unchecked = tuple(job.words for job in found.jobs if not job.bounded)
    return _verdict(outcomes, dtype, found.description, unchecked)


def _times(grid: str, lengths: Sequence[int] | None) -> tuple[int, ...]:
    """Return the input lengths that are asked for."""
    if lengths is None:
        return GRIDS[as_choice("grid", grid, GRIDS)]
    if not len(lengths):
        raise ValueError(complaint("lengths", "none", "at least one input length", "leave it out for those of grid="))
    return tuple(as_integer("length", t, 1) for t in lengths)


def _examine(job: Job, dtype: str, seed: int, times: Sequence[int], *, given: bool) -> Iterator[Outcome]:
    """Yield the outcome of every case for one layer."""
    long = {LONG} if job.products(LONG) <= _CHEAP else set()
    every = times if given else sorted({*times, *job.critical_lengths, *long})
    yield repeated(job, Case("normal", (1, job.channels, max(every)), dtype, seed))
    for i, time in enumerate(every):
        for kind in REAL:
            yield bounded(job, Case(kind, (1 + i % 3, job.channels, time), dtype, seed))
    time = max(every) if given else job.extent + 8
    if job.copies_taps:
        batch = max(2, min(job.channels * time, _ONES, _SIZE // job.products(time)))
        yield equal(job, Case("one-hot", (batch, job.channels, time), dtype, seed))
    for time in every if job.whole_numbers(dtype) else ():
        yield equal(job, Case("integer", (2, job.channels, time), dtype, seed))


def _in_turn(run: Run, jobs: Sequence[Job], dtype: str, seed: int, times: Sequence[int]) -> Iterator[Outcome]:
    """Yield the outcome of each layer for what the layers before it hand on, and of the whole."""
    for time in sorted(times)[len(times) // 2 :]:
        case = Case("normal", (2, jobs[0].channels, time), dtype, seed)
        y = case.x
        try:
            for place, job in enumerate(jobs):
                if job.bounded:
                    yield bounded(job, case, y, jobs[:place])
                y = call(job.run, y, inner=job.inner)
            whole = call(run, case.x)
        except Refused as error:  # a bounded layer's own cases have told whether it may
            if not job.bounded:
                yield Outcome("wrong", case, job.code(case), reason=f"{job.words} refused its input: {error}")
            continue
        except Misbehaved as error:
            yield Outcome("wrong", case, jobs[0].code(case), reason=str(error))
            continue
        same = alike(y, whole, case.dtype)
        reason = "" if same else "the module is not its layers one after another"
        yield Outcome("exact" if same else "wrong", case, jobs[0].code(case), reason=reason)


def _verdict(outcomes: Sequence[Outcome], dtype: str, description: str, unchecked: tuple[str, ...]) -> Verdict:
    seen = _coverage(outcomes, unchecked)
    worst = max(outcomes, key=lambda o: o.badness, default=None)
    if worst is None or (worst.status in ("exact", "within bound") and (not seen.outputs or seen.zero_share == 1)):
        reason = "nothing was compared" if not seen.outputs else "every output is zero whatever the layer does"
        return Verdict("vacuous", 0.0, None, dtype, "cpu", description, "", seen, reason=reason)
    index = worst.index if worst.status != "exact" else None
    code = worst.code if worst.status != "exact" else ""
    return Verdict(worst.status, worst.ratio, index, dtype, "cpu", description, code, seen, reason=worst.reason)


def _coverage(outcomes: Sequence[Outcome], unchecked: tuple[str, ...]) -> Coverage:
    real = [o for o in outcomes if o.case.kind in REAL]
    drawn = sum(o.outputs for o in real)
    counts = Counter(o.case.kind for o in outcomes if o.outputs)
    tiers = {0: bool(outcomes), 1: counts["one-hot"] + counts["integer"] > 0, 2: drawn > 0}
    return Coverage(
        tuple(tier for tier, run in tiers.items() if run),
        len(outcomes),
        sum(o.outputs for o in outcomes),
        sum(o.zeros for o in real) / drawn if drawn else 0.0,
        tuple((kind, counts[kind]) for kind in KINDS),
        unchecked,
    )
