"""The forms in which the same numbers can reach a layer: memory layouts, recorded gradients, vmap."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator

import torch
from torch import nn

from torchparity.calls import Misbehaved, Refused, Run, alike, call
from torchparity.cases import Case
from torchparity.compare import Outcome, bounded
from torchparity.contexts import LAYOUTS, laid_out, under_vmap, with_grad
from torchparity.job import Job


def _layout(name: str) -> Callable[[Run], Run]:
    return lambda run: lambda x: run(laid_out(x, name))


FORMS: dict[str, Callable[[Run], Run]] = {
    **{name: _layout(name) for name in LAYOUTS if name != "contiguous"},
    "requiring a gradient": with_grad,
    "under vmap": under_vmap,
}
"""What is done to a function, so that it gets its input in another form."""


def in_form(run: Run, form: str) -> Run:
    """Return a function that hands its input to `run` in another form.

    Examples
    --------
    >>> in_form(lambda x: x.stride(), "channels-last")(torch.zeros(1, 2, 3))
    (6, 1, 2)
    """
    return FORMS[form](run)


def in_batches(run: Run, size: int) -> Run:
    """Return a function for any batch of one that takes batches of one size: it gets the rest filled up with zeros.

    Examples
    --------
    >>> in_batches(lambda x: x + len(x), 2)(torch.zeros(3, 1, 1)).ravel()
    tensor([2., 2., 2.])
    """

    def whole(x: torch.Tensor) -> torch.Tensor:
        parts = [torch.cat([part, part.new_zeros(size - len(part), *part.shape[1:])]) for part in torch.split(x, size)]
        return torch.cat([run(part) for part in parts])[: len(x)]

    return whole


def reformed(job: Job, case: Case, *, trains: bool = True) -> Iterator[Outcome]:
    """Yield the outcome for each form of an input: a layer that takes it gives the same output, up to rounding.

    One that refuses a form says so: that is a remark, and no fault of its numbers. What knows no gradients (`trains`
    false) is asked for layouts alone.
    """
    for form in FORMS if trains else LAYOUTS[1:]:
        given = dataclasses.replace(case, kind="constant") if form == "expanded" else case
        changed = job.running(in_form(job.run, form), prepared=_prepared(job, case, form), names=(), held={})
        outcome = bounded(changed, given)
        if outcome.status == "wrong" and " refused, which is legal: " in outcome.reason:
            words = f"input {form} refused: {outcome.reason.partition('legal: ')[2]}"
            yield Outcome("exact", given, changed, part=f"form: {form}", remark=words)
        elif outcome.status in ("wrong", "normwise only", "inconclusive"):
            yield dataclasses.replace(outcome, part=f"form: {form}", reason=f"input {form}: {outcome.reason}")
        else:
            yield dataclasses.replace(outcome, part=f"form: {form}")


def _prepared(job: Job, case: Case, form: str) -> str:
    parts = ", ".join(f"f.get_submodule({name!r})" for name in job.names)
    whole = f"torch.nn.Sequential({parts})" if parts else "f"
    return f"{job.copied(case)}{job.prepared}f = forms.in_form({whole}, {form!r}); "


def in_training(run: Run, job: Job, case: Case) -> str:
    """Return a remark if a module computes something else in training mode, else an empty text."""
    if not isinstance(run, nn.Module):
        return ""
    twin = copy.deepcopy(run).train()
    try:
        y, trained = (call(f, case.x, model=case.model, device=job.device) for f in (run, twin))
    except (Refused, Misbehaved) as error:
        return f"it was checked in evaluation mode; in training mode: {error}"
    if alike(y, trained, case.model):
        return ""
    return "it was checked in evaluation mode: in training mode its output is another (dropout, batch norm, or a fault)"


def aliases(run: Run, job: Job, case: Case) -> str:
    """Return a remark if the output lies in the memory of the input, else an empty text."""
    given = torch.from_numpy(case.x.copy()).to(job.device, getattr(torch, case.model.dtype))
    try:
        with torch.no_grad():
            y = run(given)
    except Exception:
        return ""
    same = isinstance(y, torch.Tensor) and y.layout == torch.strided and y.numel() and not y.is_meta
    if same and y.untyped_storage().data_ptr() == given.untyped_storage().data_ptr():
        return "the output is a view of the input: who changes one in place changes both"
    return ""
