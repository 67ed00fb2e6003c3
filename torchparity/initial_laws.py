"""Which law a kernel's weights begin with: that of its class, if its weights agree, else what one draw shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from dspref.arrays import NotAnalysable, complaint
from dspref.expected.laws import initialised, rescaled
from dspref.expected.network import Drawn, Unknown
from torchparity.drafts import Kernel
from torchparity.evidence import centred, dependence, one_variance, repeated, tells, uniform, unit
from torchparity.nn import NearestConv1d, SubpixelConv1d

OWN = tuple(kind.reset_parameters for kind in (nn.Conv1d, nn.Linear, SubpixelConv1d, NearestConv1d))
"""What begins with uniform weights and biases of variance 1/(3 fan_in). All convolutions share the first, all fused
layers the last."""

KEEPING = ({"weight"}, {"weight_g", "weight_v"}, {"original0", "original1"})
"""Last names of the parameters that a plain weight is made of, and one under weight norm, by either interface."""


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


COMPUTED = "a weight computed from parameters (parametrized), its law not known: try the module before it is registered"
"""What is not covered of a kernel that is neither a parameter, nor a view, a norm or a multiple of one."""


def law(name: str, op: Drawn, kernel: Kernel, asked: Asked) -> tuple[Drawn | Unknown, Law | None, str]:
    """Return a layer with the variances of its law, the law, and a remark if there is something to say.

    The class's law holds if nothing but its own ``reset_parameters`` is known, and its weights agree with the uniform
    law of variance σ² (`torchparity.evidence.uniform`). Else σ_w² is the mean square of the weights that there are,
    and σ_b² that of the biases. Two kernels that make one gate have to have one law. Unknown is what cannot be said:
    a kernel that is computed from its parameters, or a gate of two laws.

    Raises
    ------
    ValueError
        If weights are not finite, or all the same.
    NotAnalysable
        If they are no independent draws of mean zero: orthogonal, of equal taps, or of a mean that no such draw has.
    """
    kernels = [kernel, *([kernel.also] if kernel.also else [])]
    if any(k.computed for k in kernels):
        return Unknown(COMPUTED), None, ""
    if len({k.bias is None for k in kernels}) > 1:
        return Unknown("a gate of which one half has a bias"), None, ""
    op = replace(op, bias=op.bias if kernel.bias is not None else 0)
    due, words = asked.of(op)
    if any(k.weight.is_meta for k in kernels):
        if asked.init is None and not all(_own(k) for k in kernels):
            return Unknown(f"weights of {type(kernel.owner).__name__} without values ({name})"), None, ""
        return due, Law(name, words, due.weight, due.bias), ""
    found = [_seen(name, op, k, asked.rescale) for k in kernels]
    op = replace(op, icnr=found[0].icnr)
    due = replace(due, icnr=op.icnr)
    if asked.init is not None:
        return due, Law(name, words, due.weight, due.bias), ""
    if len({each.icnr for each in found}) > 1 or not (_one_law(found, False) and _one_law(found, True)):
        return Unknown("a gate whose halves are drawn from two laws"), None, ""
    return _concluded(name, op, due, words, found)


@dataclass(frozen=True, eq=False)
class Seen:
    """What one draw of a kernel shows: its numbers, and whether weights and biases agree with their class."""

    weight: Tensor
    bias: Tensor
    icnr: bool
    weight_agrees: bool
    bias_agrees: bool


def _concluded(name: str, op: Drawn, due: Drawn, words: str, found: list[Seen]) -> tuple[Drawn, Law, str]:
    """Return the law of a layer from what its draws show, and a remark."""
    w, b = torch.cat([each.weight.flatten() for each in found]), torch.cat([each.bias for each in found])
    as_due, biased = found[0].weight_agrees, not found[0].bias_agrees
    expected = due.bias if as_due else op.bias
    bias = 0 if not b.any() else float(b.square().mean()) if biased else expected
    if as_due:
        words += ", biases measured" if biased and bias else ""
        remark = "" if tells(len(w)) else f"{name}: {len(w)} weights, too few to tell their law; that of the class"
        if biased:
            told = f"σ² = {float(bias):.4g} of {len(b)}; not those of reset_parameters"
            remark = f"{name}: biases measured from one draw, {told}"
        drawn = replace(due, bias=bias, bias_law=_bias_law(b) if biased else due.bias_law)
        return drawn, Law(name, words, due.weight, bias), remark
    measured = _measured(op, w, bias, _bias_law(b) if biased else op.bias_law)
    remark = f"{name}: weights measured from one draw, σ² = {measured.weight:.4g}; not those of reset_parameters"
    return measured, Law(name, "measured", measured.weight, measured.bias), remark


def _one_law(found: list[Seen], biases: bool) -> bool:
    """Return whether two kernels, or their biases, may be drawn from one law."""
    if len(found) < 2:
        return True
    agree = {each.bias_agrees if biases else each.weight_agrees for each in found}
    squares = torch.stack([(each.bias if biases else each.weight).square().mean() for each in found])
    if len(agree) > 1 or (bool(squares.any()) and not bool(squares.all())):
        return False
    u, n = unit(squares), min((each.bias if biases else each.weight).numel() for each in found)
    return True in agree or not bool(squares.any()) or one_variance(squares, n, u)


def _measured(op: Drawn, w: Tensor, bias: Any, bias_law: str) -> Drawn:
    """Return the layer with the moments of its draw; the only place that knows them."""
    square = float(w.square().mean())
    return replace(op, weight=square, bias=bias, kurtosis=float(w.pow(4).mean()) / square**2, bias_law=bias_law)


def _bias_law(b: Tensor) -> str:
    """Return the law whose kurtosis, 9/5 or 3, is nearer to that of biases; few, or all zero, are taken for uniform."""
    return "normal" if 5 * float(b.pow(4).mean()) > 12 * float(b.square().mean()) ** 2 else "uniform"


def _own(kernel: Kernel) -> bool:
    """Return whether a kernel is that of its module, and begins as Torch's modules do."""
    prefix = f"{kernel.path}." if kernel.path else ""
    inside = all(name.startswith(prefix) for name in kernel.sources)
    last = {name.rpartition(".")[2] for name in kernel.sources}
    return inside and last in KEEPING and getattr(type(kernel.owner), "reset_parameters", None) in OWN


def _seen(name: str, op: Drawn, k: Kernel, reference: float | None) -> Seen:
    """Return what a kernel shows, after refusing what is no draw.

    Demucs's rescaling divides by ``√(s/r)``, s the deviation of the draw itself, and leaves √(sr): it can be undone.
    """
    whole = k.weight.detach().double()
    w, icnr = (whole, False) if op.op != "shuffle" else _phases(whole, op, k)
    u = unit(k.weight)
    _check(f"weight of {name}", w, u)
    if why := dependence(w.movedim(1, 0) if op.op == "convt" else w, u):
        hint = "they depend on each other, or have no common law"
        raise NotAnalysable(complaint(f"weight of {name}", why, "independent weights of one law", hint))
    b = torch.zeros(1, dtype=torch.float64, device="cpu") if k.bias is None else k.bias.detach().double()
    _check(f"bias of {name}", b, u)
    if k.bias is not None and bool(b.any()) and repeated(b, unit(k.bias)):
        hint = "constants, or trained? What is expected are draws"
        raise NotAnalysable(complaint(f"bias of {name}", "biases that repeat", "independent biases of one law", hint))
    undone = [1.0] if reference is None or whole.numel() < 2 else [1.0, float(whole.std()) / reference]
    own, variances = _own(k), (float(op.weight), float(op.bias))
    w_agrees = own and any(uniform(w * scale, variances[0], u) for scale in undone)
    b_agrees = own and bool(variances[1]) and any(uniform(b * scale, variances[1], u) for scale in undone)
    return Seen(w, b, icnr, w_agrees, b_agrees or (own and not variances[1] and not bool(b.any())))


def _phases(w: Tensor, op: Drawn, k: Kernel) -> tuple[Tensor, bool]:
    """Return the weights that were drawn for a sub-pixel convolution, and whether its phases begin alike."""
    phases = by_phase(w, op, k)
    if bool((phases == phases[:1]).all()):
        return phases[0], True
    return w[k.start : k.start + op.outputs * op.factor], False


def by_phase(t: Tensor, op: Drawn, k: Kernel) -> Tensor:
    """Return weights, or biases, that a sub-pixel convolution takes, as (phases, channels, …)."""
    L, C = op.factor, op.outputs
    t = t[k.start : k.start + C * L]
    return t.reshape(C, L, *t.shape[1:]).movedim(1, 0) if k.order == "crd" else t.reshape(L, C, *t.shape[1:])


def _check(what: str, w: Tensor, u: float) -> None:
    """Refuse numbers that are no draw of mean zero; biases may all be zero."""
    if not bool(torch.isfinite(w).all()):
        raise ValueError(complaint(what, "NaN or infinite values", "finite numbers", "mend them at their source"))
    mean = float(w.mean())
    if not bool(w.any()):
        if what.startswith("weight"):
            raise ValueError(complaint(what, "zeros", "numbers that vary", "behind it there is no signal"))
        return
    hint = "a constant initialisation, or trained weights? What is expected are draws of mean zero"
    if w.numel() > 1 and bool((w == w.flatten()[0]).all()):
        raise ValueError(complaint(what, f"{mean:.4g} throughout", "numbers that vary", hint))
    if not centred(w.flatten(), u):
        raise NotAnalysable(complaint(what, f"mean {mean:.4g} of {w.numel()}", "a mean of zero", hint))
