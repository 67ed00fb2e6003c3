"""Tone-free layers as what they were drawn as, by the coordinates of their weights.

A projected weight ``P w`` of independent draws is ``Σ_i a_i u_i``, u_i an orthonormal basis of the tone-free taps. Its
coordinates ``a_i = u_i·w`` have no correlation, and the variance of w (`dspref.expected.tonefree`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import takewhile

import torch
from torch import Tensor, nn

from dspref.arrays import NotAnalysable
from dspref.designs.notchbases import bases
from dspref.expected.network import Drawn, Unknown
from dspref.expected.tonefree import tone_free_basis
from torchparity.drafts import Kernel
from torchparity.evidence import RARE
from torchparity.initial_laws import Asked, Law, by_phase, law
from torchparity.nn.parting import split

COARSE = 2.0**-12
"""Units above it are those of half precision."""

MOST = 64
"""Branches of one layer: of more, what is expected would take minutes."""


def law_behind(
    name: str, op: Drawn, kernel: Kernel, asked: Asked
) -> tuple[Drawn | Unknown, int, Law | None, list[str]]:
    """Return a layer with the variances of its law, the order that it is tone-free of, the law, and remarks.

    As `torchparity.initial_laws.law`; but weights that are tone-free are read by their coordinates, whoever computes
    them. Those that are computed, and no draws of one law then, are Unknown.

    Raises
    ------
    ValueError, NotAnalysable
        As `torchparity.initial_laws.law`.
    """
    shown = _shown(op, kernel)
    order = shown.order if shown else 0
    if op.op == "shuffle" and order > 1 and op.dilation > 1:
        return Unknown(f"a tone-free sub-pixel convolution of order {order} with dilation"), 0, None, []
    if (free := _free(op, order)) > MOST:
        return Unknown(f"a tone-free layer of {free} free taps, more than {MOST}"), 0, None, []
    if shown is not None:
        try:
            got, found, remark = shown.law(name, asked)
        except (NotAnalysable, ValueError):
            if not kernel.computed:
                raise
            shown, order = None, 0
    if shown is None:
        got, found, remark = law(name, op, kernel, asked)
    remarks = [remark] if remark else []
    if isinstance(got, Drawn) and order:
        remarks.append(f"{name}: tone-free, of order {order}, as its weights are")
    return got, order if isinstance(got, Drawn) else 0, found, remarks


def _free(op: Drawn, order: int) -> int:
    """Return how many branches a tone-free layer has; 0 of any other."""
    return op.length * (op.factor if op.op == "shuffle" else 1) - order * (op.factor - 1) if order else 0


@dataclass(frozen=True, eq=False)
class Shown:
    """A layer that is tone-free with the weights that it has.

    Attributes
    ----------
    order : int
    op : Drawn
        The layer.
    drawn : Drawn
        A layer of factor 1 with what was drawn: a tap for each coordinate.
    kernel : Kernel
        Its weights.
    fourth : float
        ``Σ_n u_i[n]⁴`` in the mean: of the weights' excess κ₄ − 3 the coordinates have so much.
    """

    order: int
    op: Drawn
    drawn: Drawn
    kernel: Kernel
    fourth: float = 1.0

    def law(self, name: str, asked: Asked) -> tuple[Drawn | Unknown, Law | None, str]:
        """Return the layer by what its coordinates are found to draw, or by what is asked for."""
        got, found, remark = law(name, self.drawn, self.kernel, Asked())
        if found is None or not isinstance(got, Drawn):
            return got, found, remark
        if asked.init is not None:
            got, words = asked.of(self.op if self.kernel.bias is not None else replace(self.op, bias=0))
            return got, Law(name, words, got.weight, got.bias), ""
        kurtosis = max(1.0, 3 + (float(got.kurtosis) - 3) / self.fourth)
        got = replace(self.op, weight=got.weight, bias=got.bias, bias_law=got.bias_law, kurtosis=kurtosis)
        return got, found, remark


def _shown(op: Drawn, kernel: Kernel) -> Shown | None:
    """Return a layer whose weights are tone-free as they are, None of all others.

    Of the greatest order p whose ``p(s − 1)`` conditions all kernels meet up to rounding, if independent draws would
    meet those in less than `RARE` of all cases. Of a sub-pixel convolution the biases have to be the same in all
    phases; its kernels may be, too. Of a gate with a kernel to each half nothing is looked for, nor of one number
    throughout, which is no draw.
    """
    if op.op == "conv" or op.factor == 1 or kernel.weight.is_meta or kernel.also:
        return None
    w, bias, held = kernel.weight.detach().double().cpu(), kernel.bias, _written(kernel.weight)
    if bool((w == w.flatten()[0]).all()):
        return None
    if op.op == "shuffle":
        groups, biases = by_phase(w, op, kernel), None if bias is None else by_phase(bias.detach(), op, kernel)
        if biases is not None and not _same(biases):
            return None
        w, bias = groups.flip(-1).permute(1, 2, 3, 0).flatten(2), biases if biases is None else biases[0]
        bias = bias if bias is None else bias * op.factor**0.5
        if _same(groups) and (bias is None or not bool(bias.any())):
            return None  # the same kernel in each phase, and no bias: `torchparity.initial_laws` knows them
        if _same(groups):
            op, order, drawn = replace(op, icnr=True), 1, groups[0]
            return Shown(
                order, op, _plain(op, op.length), replace(kernel, weight=drawn, bias=bias, start=0, computed=False)
            )
    elif math.gcd(op.dilation, op.factor) > 1:
        return None
    order = _order_met(w, op, float(torch.finfo(held).eps) / 2, kernel.computed)
    if not order:
        return None
    U = tone_free_basis(w.shape[-1], op.factor, order=order)
    a = (w @ torch.from_numpy(U.copy()).T).to(held)
    if torch.allclose(a, a.flatten()[0].expand_as(a), rtol=1e-3):
        return None  # one number throughout
    made = replace(kernel, weight=a, bias=bias, start=0, computed=False)
    return Shown(order, op, _plain(op, len(U)), made, float((U**4).sum(axis=1).mean()))


def _plain(op: Drawn, length: int) -> Drawn:
    """Return a layer of factor 1 and so many taps, of the same law."""
    kind = "convt" if op.op == "convt" else "conv"
    return Drawn(kind, op.inputs, op.outputs, length, groups=op.groups, weight=op.weight, bias=op.bias)


def _same(groups: Tensor) -> bool:
    """Return whether all phases have the same numbers."""
    return bool((groups == groups[:1]).all())


def _written(w: Tensor) -> torch.dtype:
    """Return the coarsest format that holds weights as they are: a cast to a finer one moves none."""
    wide = w.detach().double()
    formats = (torch.bfloat16, torch.float16, torch.float32)
    return next((each for each in formats if bool((wide.to(each).double() == wide).all())), w.dtype)


def _order_met(taps: Tensor, op: Drawn, u: float, computed: bool) -> int:
    """Return the greatest order whose conditions all taps meet, 0 for none; of half precision 1, if it is met exactly.

    Projected in an arithmetic of unit u, gains are off by at most ``2 (K + 4) u Σ abs(h)`` (`torchparity.equalgains`);
    in half precision `torchparity.nn.utils.tone_free` makes them equal.
    """
    K, s, half = taps.shape[-1], op.factor, u > COARSE
    bound = 0.0 if half else 2 * (K + 4) * u * float(taps.abs().sum(-1).max())
    gains = split(nn.functional.pad(taps, (0, -K % s)), -1, -1, s).sum(-2)
    spread, count = gains.amax(-1) - gains.amin(-1), taps[..., 0].numel() * (s - 1)
    step = 2 * u * float(taps.abs().max()) if half else bound
    if s > K or not bool((spread <= 2 * bound).all()) or not (computed or _rare(taps, step, count)):
        return 0
    most = (K - 1) // (s - 1) if not half and (op.op == "convt" or op.dilation == 1) else 1
    conditions = ((p, torch.from_numpy(bases(K, s, p)[1].copy())) for p in range(2, most + 1))
    return max((p for p, _ in takewhile(lambda each: _meets(taps, each[1], bound, computed), conditions)), default=1)


def _meets(taps: Tensor, Q: Tensor, bound: float, computed: bool) -> bool:
    """Return whether taps meet conditions within a bound, and draws would not; what is computed need only meet them."""
    off = (taps @ Q.T).abs()
    return bool((off <= bound).all()) and (computed or _rare(taps, bound, off.numel()))


def _rare(taps: Tensor, bound: float, conditions: int) -> bool:
    """Return whether draws meet so many conditions in less than `RARE` of all cases: one in B/σ of them."""
    power = float(taps.square().mean())
    share = bound / math.sqrt(power) if power else 1.0
    return share < 1 and conditions * math.log(share) < math.log(RARE)
