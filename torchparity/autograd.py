"""What autograd makes of a layer: its gradients, for cotangents that are made again from the same case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from dspref.arrays import Array
from torchparity.arithmetic import rounded
from torchparity.binding import parameters_of
from torchparity.calls import Misbehaved, Refused, answer, numbers, setting, tensor
from torchparity.cases import Case, draw
from torchparity.compare import Outcome
from torchparity.job import Job


def cotangent(case: Case, shape: tuple[int, ...]) -> Array:
    """Return g for a case: whole numbers if its input is of such, ones for a constant, as of a sum, else noise."""
    kind = case.kind if case.kind == "integer" else "normal"
    batch, channels, time = shape
    model = case.model
    own = model.result if model.result != model.dtype else model.dtype
    if case.kind == "constant":
        return rounded(np.ones(shape), own)
    size = max(1, min(case.size, 2 if model.digits < 24 else 8))
    return draw(kind, (batch, channels, time), own, seed=case.seed + 1, size=size, share=case.share)


def by_torch(job: Job, case: Case, x: Array, g: Array, alone: Sequence[str] = ()) -> dict[str, Array] | Outcome:
    """Return the gradients that autograd gives, or the outcome if there are none to compare."""
    a = case.model
    parameters = parameters_of(job.run)
    trained = {name: parameters[key] for name, key in job.held.items() if parameters[key].requires_grad}
    given = tensor(x, a.dtype, job.device).requires_grad_(not alone or "input" in alone)
    wanted: dict[str, Tensor] = {"input": given} | trained
    frozen = [p for name, p in trained.items() if alone and name not in alone]
    wanted = {name: t for name, t in wanted.items() if not alone or name in alone}
    if not wanted:
        return {}
    try:
        for p in frozen:
            p.requires_grad_(False)
        return _by_torch(job, case, given, g, wanted)
    finally:
        for p in frozen:
            p.requires_grad_(True)


def _by_torch(
    job: Job, case: Case, given: Tensor, g: Array, wanted: Mapping[str, Tensor]
) -> dict[str, Array] | Outcome:
    a, shape = case.model, tuple(given.shape)
    try:
        with setting(a, job.device), torch.enable_grad():
            y = answer(job.run, given, a)
    except (Refused, Misbehaved) as error:
        if not isinstance(job.run, nn.Module):
            return Outcome("exact", case, job, part="gradients", remark=f"no gradients: the function raises {error}")
        return Outcome("wrong", case, job, reason=f"input of shape {shape} that requires a gradient: {error}")
    if tuple(y.shape) != g.shape:
        reason = f"input that requires a gradient: output of shape {tuple(y.shape)}, which should be {g.shape}"
        return Outcome("wrong", case, job, reason=reason)
    if not y.requires_grad and not isinstance(job.run, nn.Module):
        remark = "no gradient compared: the output of the function carries none"
        return Outcome("exact", case, job, part="gradients", remark=remark)
    if not y.requires_grad:
        reason = "the output carries no gradient, though the input asks for one; for inference alone: gradients=False"
        return Outcome("wrong", case, job, reason=reason, part="gradients")
    try:
        with setting(a, job.device):
            grads = backward(y, list(wanted.values()), drawn(case, y))
    except Exception as error:
        reason = f"backward raised {type(error).__name__}: {' '.join(str(error).split())}"
        return Outcome("wrong", case, job, reason=reason, part="gradients")
    missing = [name for name, grad in zip(wanted, grads, strict=True) if grad is None]
    if missing:
        reason = f"no gradient by {missing[0]}: the output does not depend on it, as autograd sees it"
        return Outcome("wrong", case, job, reason=reason, part=f"gradient by {missing[0]}")
    return {name: numbers(grad) for name, grad in zip(wanted, grads, strict=True) if grad is not None}


def backward(y: Tensor, leaves: Sequence[Tensor], g: Tensor) -> Sequence[Tensor | None]:
    """Return the gradients of ``Σ g·y`` by leaves; where ``.grad()`` is not supported, as by reentrant checkpoints.

    Then they are accumulated by ``backward()``, for which the leaves' own are put aside.
    """
    try:
        return torch.autograd.grad(y, leaves, g, allow_unused=True)
    except RuntimeError as error:
        if ".grad()" not in str(error):
            raise
    kept = [leaf.grad for leaf in leaves]
    for leaf in leaves:
        leaf.grad = None
    try:
        torch.autograd.backward(y, g)
        return [leaf.grad for leaf in leaves]
    finally:
        for leaf, grad in zip(leaves, kept, strict=True):
            leaf.grad = grad


def drawn(case: Case, y: Tensor) -> Tensor:
    """Return the cotangent of a case for an output, as a tensor like it; ones are expanded, as a sum has them.

    Examples
    --------
    >>> drawn(Case("constant", (1, 1, 2), "float32", 0), torch.zeros(1, 1, 3)).stride()
    (0, 0, 0)
    """
    batch, channels, time = y.shape
    if case.kind == "constant":
        return y.new_ones(()).expand(y.shape)
    return torch.from_numpy(cotangent(case, (batch, channels, time))).to(y)
