"""Which law a kernel's weights begin with: that of its class, if its weights agree, else what one draw shows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from dspref.arrays import NotAnalysable, complaint
from dspref.expected.laws import initialised, rescaled
from dspref.expected.network import Drawn, Unknown
from torchparity.drafts import Kernel

OWN = (nn.Conv1d.reset_parameters, nn.Linear.reset_parameters)
"""What begins with uniform weights and biases of variance 1/(3 fan_in); all convolutions share the first."""

KEEPING = ({"weight"}, {"weight_g", "weight_v"}, {"original0", "original1"})
"""Last names of the parameters that a plain weight is made of, and one under weight norm, by either interface."""

SIGMAS = 6
"""Standard errors that a moment of a draw may be off: normal means are in 2 of 10⁹ cases."""

ROWS = 8
"""Rows of a kernel that are looked at for being orthogonal."""


@dataclass(frozen=True)
class Law:
    """What a layer is taken to draw from.

    Attributes
    ----------
    name : str
        Of the layer.
    law : str
        "default", "measured", "default, rescaled", or the name of the one asked for.
    weight, bias : number
        σ_w² and σ_b².
    """

    name: str
    law: str
    weight: Any
    bias: Any


@dataclass(frozen=True)
class Asked:
    """What is asked for in place of what the weights show.

    Attributes
    ----------
    init : (str, number), str or None
        A name of `dspref.expected.initialised`, and its scale.
    rescale : float or None
        Reference of Demucs's rescaling, of every convolution.
    """

    init: tuple[str, float] | str | None = None
    rescale: float | None = None

    def of(self, op: Drawn) -> tuple[Drawn, str]:
        """Return the layer as asked for, from its default, and words for that."""
        words = "default"
        if self.init is not None:
            words, *scale = (self.init,) if isinstance(self.init, str) else self.init
            op = initialised(op, words, **({"scale": float(scale[0])} if scale else {}))
        if self.rescale is None:
            return op, str(words)
        return rescaled(op, self.rescale), f"{words}, rescaled"


def law(name: str, op: Drawn, kernel: Kernel, asked: Asked) -> tuple[Drawn | Unknown, Law | None, str]:
    """Return a layer with the variances of its law, the law, and a remark if there is something to say.

    The class's law holds if nothing but its own ``reset_parameters`` is known, and its weights agree: all of them
    within the bound of the uniform law, ``√3 σ``, and their mean square within 6 standard errors of σ²,
    ``√(4/(5n))`` of it, n their number. Else σ_w² is the mean square of the weights that there are, and σ_b² that of
    the biases.

    Raises
    ------
    ValueError
        If weights are not finite, or all the same.
    NotAnalysable
        If they are no independent draws of mean zero: orthogonal, or of a mean that no such draw has.
    """
    kernels = [kernel, *([kernel.also] if kernel.also else [])]
    op = replace(op, bias=op.bias if kernel.bias is not None else 0)
    due, words = asked.of(op)
    if any(k.weight.is_meta for k in kernels):
        if asked.init is None and not all(_own(k) for k in kernels):
            return Unknown(f"weights of {type(kernel.owner).__name__} without values ({name})"), None, ""
        return due, Law(name, words, due.weight, due.bias), ""
    op, due, w = _checked(name, op, due, kernels)
    b = torch.cat(
        [k.bias.detach().double() for k in kernels if k.bias is not None]
        or [torch.zeros(1, dtype=torch.float64, device="cpu")]
    )
    _check(f"bias of {name}", b)
    if asked.init is not None:
        return due, Law(name, words, due.weight, due.bias), ""
    own, slack = all(_own(k) for k in kernels), 1 if asked.rescale else 0
    as_due = own and (_agrees(w, due.weight, slack) or _agrees(w, op.weight, 0))
    expected = due.bias if as_due else op.bias
    biased = not (own and (_agrees(b, expected, slack) or _agrees(b, op.bias, 0)))
    bias = 0 if not b.any() else float(b.square().mean()) if biased else expected
    if as_due:
        words += ", biases measured" if biased and bias else ""
        return replace(due, bias=bias), Law(name, words, due.weight, bias), ""
    found = _measured(op, w, bias)
    remark = f"{name}: weights measured from one draw, σ² = {found.weight:.4g}; not those of reset_parameters"
    return found, Law(name, "measured", found.weight, found.bias), remark


def _measured(op: Drawn, w: Tensor, bias: Any) -> Drawn:
    """Return the layer with the moments of its draw; the only place that knows them."""
    square = float(w.square().mean())
    return replace(op, weight=square, bias=bias, kurtosis=float(w.pow(4).mean()) / square**2)


def _own(kernel: Kernel) -> bool:
    """Return whether a kernel is that of its module, and begins as Torch's modules do."""
    prefix = f"{kernel.path}." if kernel.path else ""
    inside = all(name.startswith(prefix) for name in kernel.sources)
    last = {name.rpartition(".")[2] for name in kernel.sources}
    return inside and last in KEEPING and getattr(type(kernel.owner), "reset_parameters", None) in OWN


def _checked(name: str, op: Drawn, due: Drawn, kernels: list[Kernel]) -> tuple[Drawn, Drawn, Tensor]:
    """Return the layer, told whether its phases begin alike, and the weights that were drawn."""
    drawn = []
    for k in kernels:
        w = k.weight.detach().double()
        if op.op == "shuffle":
            L, C = op.factor, op.outputs
            w = w[k.start : k.start + C * L]
            phases = w.reshape(C, L, -1).movedim(1, 0) if k.order == "crd" else w.reshape(L, C, -1)
            if bool((phases == phases[:1]).all()):
                op, due, w = replace(op, icnr=True), replace(due, icnr=True), phases[0]
        _check(f"weight of {name}", w)
        _check_orthogonal(name, w.reshape(len(w), -1))
        drawn.append(w.flatten())
    return op, due, torch.cat(drawn)


def _check(what: str, w: Tensor) -> None:
    """Refuse numbers that are no draw of mean zero; biases may all be zero."""
    if not bool(torch.isfinite(w).all()):
        raise ValueError(complaint(what, "NaN or infinite values", "finite numbers", "mend them at their source"))
    square, mean = float(w.square().mean()), float(w.mean())
    if not square:
        if what.startswith("weight"):
            raise ValueError(complaint(what, "zeros", "numbers that vary", "behind it there is no signal"))
        return
    hint = "a constant initialisation, or trained weights? What is expected are draws of mean zero"
    if w.numel() > 1 and bool((w == w.flatten()[0]).all()):
        raise ValueError(complaint(what, f"{mean:.4g} throughout", "numbers that vary", hint))
    error = math.sqrt(max(square - mean**2, 0.0) / w.numel())
    if abs(mean) > SIGMAS * error and w.numel() > SIGMAS**2:
        raise NotAnalysable(complaint(what, f"mean {mean:.4g} ± {error:.2g}", "a mean of zero", hint))


def _check_orthogonal(name: str, w: Tensor) -> None:
    """Refuse kernels whose rows, or columns, are orthogonal and of one length."""
    rows = (w if w.shape[0] <= w.shape[1] else w.T)[:ROWS]
    gram = rows @ rows.T
    size = float(gram.diagonal().mean())
    eye = size * torch.eye(len(rows), dtype=gram.dtype, device=gram.device)
    if len(rows) > 1 and bool((gram - eye).abs().max() < 1e-5 * size):
        hint = "their taps depend on each other"
        raise NotAnalysable(complaint(f"weight of {name}", "orthogonal rows", "independent weights", hint))


def _agrees(w: Tensor, variance: Any, slack: float) -> bool:
    """Return whether numbers may be a uniform draw; with slack, one that was scaled by its own deviation."""
    v, off = float(variance), SIGMAS * math.sqrt(0.8 / w.numel())
    if not v:
        return not bool(w.any())
    bound = math.sqrt(3 * v) * (1 + 2**-10 + slack * off)
    return bool(w.abs().max() <= bound) and abs(float(w.square().mean()) / v - 1) <= off
