"""One drawn case on one device: what Torch makes of it and of its gradients, beside the reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from dspref.interpolate import Interpolate
from torchparity.arithmetic import arithmetic, rounded
from torchparity.build import build
from torchparity.compare import Outcome, bounded, equal
from torchparity.corners import corners
from torchparity.draws import DTYPES, Trial, draw_case
from torchparity.gradients import differentiated
from torchparity.job import Job
from torchparity.roundoff import mapped
from torchparity.tally import VIOLATIONS, Cell, Count, Tally, Violation
from torchparity.upstream import known

FORWARD = "forward"


def trial(
    index: int,
    seed: int = 0,
    *,
    kinds: Sequence[str] | None = None,
    dtypes: Sequence[str] = DTYPES,
    device: str = "cpu",
) -> list[tuple[Cell, Outcome]]:
    """Draw case number `index` again, and return what it shows: forward, and in half of the cases backward.

    Parameters
    ----------
    index, seed, kinds, dtypes
        As for `torchparity.draws.draw_case`.
    device : str

    Examples
    --------
    >>> cell, outcome = trial(0, kinds=["nearest"], dtypes=["float32"])[0]
    >>> cell.direction, outcome.status
    ('forward', 'exact')
    """
    return list(outcomes(draw_case(index, seed, kinds=kinds, dtypes=dtypes), device))


def outcomes(drawn: Trial, device: str = "cpu") -> Iterator[tuple[Cell, Outcome]]:
    """Yield what a drawn case shows, each with the cell that it counts for."""
    job, case, model = job_of(drawn, device), drawn.case, arithmetic(drawn.case.dtype)
    summed = not isinstance(drawn.layer, Interpolate)  # whose modes that copy have a bound of 0, which is equality too
    whole = job.whole(case) if summed and case.kind == "integer" else None
    same = whole is not None or (summed and case.kind == "one-hot" and job.copies_taps)
    case = whole or (replace(case, kind="normal") if case.kind == "integer" else case)
    yield Cell(drawn.kind, model.name, FORWARD, 1 if same else 2), equal(job, case) if same else bounded(job, case)
    if drawn.backward:
        for outcome in differentiated(job, case):
            yield Cell(drawn.kind, model.name, outcome.part.removeprefix("gradient by "), 1 if whole else 2), outcome


def job_of(drawn: Trial, device: str) -> Job:
    """Return the layer of a drawn case, its numbers rounded to the dtype, and the module that Torch has for it."""
    dtype = arithmetic(drawn.case.dtype).dtype
    layer = mapped(drawn.layer, lambda a: rounded(a, dtype))
    module = build(layer).to(device=device, dtype=getattr(torch, dtype))  # of numbers that the dtype holds: exact
    held = {name.rpartition(".")[2]: name for name, _ in module.named_parameters()}
    return Job((), module, layer, drawn.case.shape[1], device=device, held=held)


def tallied(drawn: Trial, device: str = "cpu") -> Tally:
    """Return what a drawn case showed, as a tally of one; known faults of Torch are counted by name alone."""
    found = list(outcomes(drawn, device))
    place = (drawn.layer, drawn.case.shape, device)
    unset = {cell: name for cell, _ in found if (name := known(cell, *place, random=True)) is not None}
    kept = {cell: outcome for cell, outcome in found if cell not in unset}
    broken = {cell: o for cell, o in kept.items() if o.status in VIOLATIONS}
    faults = {cell: name for cell in broken if (name := known(cell, *place)) is not None}
    new = tuple(Violation(drawn.index, cell, o.status, o.reason) for cell, o in broken.items() if cell not in faults)
    return Tally(
        1,
        {cell: _counted(drawn.index, outcome) for cell, outcome in kept.items() if cell not in faults},
        Counter((drawn.kind, name) for name in corners(drawn.kind, drawn.layer, drawn.case.shape)),
        len(new),
        new,
        Counter([*unset.values(), *faults.values()]),
    )


def _counted(index: int, o: Outcome) -> Count:
    return Count(1, o.outputs, o.zeros, o.ratio, index if o.ratio else None, {o.status: 1})
