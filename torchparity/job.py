"""One piece of a check: what to run, what to compare it with, and which inputs tell them apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from torch import nn

from dspref.arrays import Array, NotAnalysable
from dspref.chain import Chain, Pointwise
from dspref.interpolate import Interpolate
from dspref.interpolators import Linear, Nearest
from dspref.layers import Conv, SubpixelConv
from dspref.outline import HEADS
from dspref.spec import token
from torchparity.calls import Run
from torchparity.cases import DENSEST, Case
from torchparity.probe import Probe
from torchparity.roundoff import KERNELS, Bound, bound, doubled, mapped, skeleton, unbiased

_LONGEST = 4096
_WHOLE = 64  # denominators of scales of which multiples are tried

_CAVEAT = "; taps came from probing: a box of several layers rounds more than its collapsed taps say"


@dataclass(frozen=True)
class Job:
    """A piece to run, and the reference to compare it with."""

    names: tuple[str, ...]
    run: Run
    layer: Any
    channels: int
    probed: bool = False
    inner: bool = False
    """Whether another layer makes its input: then it may work in place."""
    device: str = "cpu"
    held: dict[str, str] = field(default_factory=dict)
    """Which parameter of `run` holds the weight, and which the bias: see `torchparity.binding`."""
    prepared: str = ""
    """Python that makes of the module what `run` is."""
    free: bool = False
    """Whether it takes any number of channels."""

    @property
    def words(self) -> str:
        """The reference, as in an architecture in words."""
        return words_for(self.layer)

    @property
    def caveat(self) -> str:
        """What must be known of a bound that was broken."""
        return _CAVEAT if self.probed else ""

    @property
    def bounded(self) -> bool:
        """Whether a rounding bound is known for it."""
        return not any(isinstance(s, Pointwise) and s.name not in ("relu", "leaky") for s in stages_of(self.layer))

    @property
    def copies_taps(self) -> bool:
        """Whether its response to a single one copies taps, so that nothing is rounded."""
        if isinstance(self.layer, Linear):  # a power of two: positions are exact
            return not self.layer.align_corners and self.layer.factor & (self.layer.factor - 1) == 0
        if isinstance(self.layer, Interpolate):
            return self.layer.mode.startswith("nearest")
        if self.layer_op in HEADS:
            return self.layer.op in ("unsqueeze", "lazy")
        return not isinstance(self.layer, (Chain, Pointwise)) or self.layer == Pointwise("relu")

    @property
    def layer_op(self) -> str:
        """The operation of the layer; none for a chain, or for what probing found."""
        return str(getattr(self.layer, "op", ""))

    @property
    def widths(self) -> tuple[int, ...]:
        """How many channels its input may have, out of all that it takes."""
        return (self.channels, 1, 3) if self.free else (self.channels,)

    @cached_property
    def extent(self) -> int:
        """Input samples that one output looks at."""
        return sum(_extent(stage) for stage in stages_of(self.layer))

    @property
    def critical_lengths(self) -> tuple[int, ...]:
        """Input lengths about which the kernel begins to fit, and border rules to apply."""
        pads = [max(s.pads) for s in stages_of(self.layer) if isinstance(s, (Conv, SubpixelConv))]
        near = {self.extent - 1, self.extent, self.extent + 1, self.extent + 9}
        near |= {pad + more for pad in pads for more in (0, 1)}
        for stage in stages_of(self.layer):  # lengths of which the scale makes whole numbers: a float makes one less
            q = stage.scale.denominator if isinstance(stage, Interpolate) and stage.scale is not None else 1
            near |= {q * k for k in range(1, 13)} if 1 < q <= _WHOLE else set()
        return tuple(sorted(t for t in near if 1 <= t <= _LONGEST))

    def reference(self, x: Array, *, double: bool = True) -> Array:
        """Return what the reference gives, in double precision or in that of `x`."""
        with np.errstate(all="ignore"):
            return np.asarray(self.double(x.astype(float)) if double else self.layer(x))

    @cached_property
    def double(self) -> Any:
        """The layer in double precision."""
        return doubled(self.layer)

    @cached_property
    def magnitudes(self) -> Any:
        """The layer in double precision, of absolute values."""
        return doubled(self.layer, np.abs)

    @cached_property
    def _touched(self) -> Any:
        return mapped(unbiased(self.layer), lambda a: np.ones_like(a, np.float64))

    def bound(self, x: Array, model: object) -> Bound:
        """Return the rounding bound of every output, and S."""
        summed = not isinstance(self.layer, (Chain, Nearest, Pointwise)) and self.layer_op not in HEADS
        return bound(self.layer, x, model, S=self.magnitudes(np.abs(x).astype(float)) if summed else None)

    def normwise(self, x: Array, u: float) -> Array | float:
        """Return how far FFT algorithms may take the outputs: ``21 log₂N u Σ_i ‖h_oi‖ ‖x_i‖``; 0 if that is not known.

        Each of the three transforms is off by at most 7u log₂N in the norm (N. J. Higham, *Accuracy and Stability of
        Numerical Algorithms*, 2nd ed., SIAM 2002, ch. 24), N being the length of the whole output.
        """
        norms, length = self._norms
        if norms is None:
            return 0.0
        return transforms(length(x), u) * across(sizes(x), norms)[..., None]

    def normwise_gradients(self, x: Array, g: Array, u: float) -> dict[str, Any]:
        """Return the same for gradients: ``Σ_o ‖h_oi‖ ‖g_o‖`` by the input, ``max Σ_batch ‖x_i‖ ‖g_o‖`` by the weight.

        Gradients by the bias are sums, and no convolutions.
        """
        norms, length = self._norms
        if norms is None:
            return {}
        times = transforms(length(x), u)
        by_input = times * across(sizes(g), norms.T)[..., None]
        return {"input": by_input, "weight": times * float((sizes(x).T @ sizes(g)).max())}

    @cached_property
    def _norms(self) -> tuple[Array | None, Callable[[Array], int]]:
        """The norms of the normal form's taps, by output and input channel, and how long an input makes its output."""
        try:
            u = self.double.normal
        except (AttributeError, NotAnalysable):
            return None, len
        known, L, taps = u.h.dtype.kind == "f", u.L, u.h.shape[-1]
        return sizes(u.h) if known else None, lambda x: L * x.shape[-1] + taps

    def single(self, x: Array) -> Array:
        """Return for every output whether at most one sample of `x` that is not zero reaches it."""
        there = (x != 0).astype(float)
        if isinstance(self.layer, KERNELS) and self.layer.groups == 1:
            thin, _ = skeleton(self.layer, 1)  # every output hears every channel: what is heard is counted first
            return np.asarray(thin(there.sum(axis=-2, keepdims=True)) <= 1)
        return np.asarray(self._touched(there) <= 1)

    def running(self, run: Run, **changes: Any) -> Job:
        """Return the job with another function to run; what was computed for its reference is kept."""
        other = replace(self, run=run, **changes)
        kept = ("double", "magnitudes", "_touched", "_size", "_norms", "extent")
        vars(other).update({name: value for name, value in vars(self).items() if name in kept})
        return other

    def products(self, time: int) -> int:
        """Return about how many products one item of a batch costs."""
        rate = 1 if getattr(self.layer, "size", None) else max(1, int(self.layer.factor))
        return time * (self._size + self.channels * rate)

    @cached_property
    def reached(self) -> dict[Case, tuple[bool, bool]]:
        """What ones were seen to reach, by their case: see `torchparity.compare.scattered`."""
        return {}

    @cached_property
    def largest(self) -> float:
        """The largest size of a weight or tap."""
        return max((float(np.abs(a).max()) for a in _arrays(self.layer)), default=0.0)

    @cached_property
    def _size(self) -> int:
        return sum(a.size for a in _arrays(self.layer))

    @cached_property
    def _gain(self) -> float:
        """The largest output that an input of ones makes, if weights and input have no sign; infinite for fractions."""
        if isinstance(self.layer, Pointwise) or any((a != np.round(a)).any() for a in _arrays(self.layer)):
            return np.inf
        if not self.copies_taps and not isinstance(self.layer, Chain):
            return np.inf
        if isinstance(self.layer, Interpolate):
            return 1.0
        return float(self.magnitudes(np.ones((self.channels, 2 * self.extent + 8))).max())

    def whole(self, case: Case) -> Case | None:
        """Return the case with integers such that sums of them are exact in every order; None if there are none.

        They are as large as can be, and where even ones are too large, most are zero.
        """
        if not np.isfinite(self._gain) or isinstance(self.layer, Linear):
            return None
        room = 2.0**case.model.digits / max(self._gain, 1.0)
        if room >= 1:
            return replace(case, size=int(min(DENSEST, room, 2**case.model.operand_digits)), share=1.0)
        return replace(case, size=1, share=float(np.round(room / 2, 6)))

    def code(
        self, case: Case, index: tuple[int, ...] | None = None, expected: float = 0, before: Sequence[Job] = ()
    ) -> str:
        """Return a line of Python that shows one output, or the whole shape."""
        y = "x"
        for name in [name for job in (*before, self) for name in job.names]:
            y = f"f.get_submodule({name!r})({y})"
        y = self._asked(case, "f") if y == "x" else y
        show = f"{y}.shape" if index is None else f"{y}[{', '.join(map(str, index))}].item(), {float(expected)!r}"
        return f"{self._ready(case)}x = {case.code}{self._there}; print({show})"

    def repeat_code(self, case: Case) -> str:
        """Return a line of Python that shows how far two answers to one input are apart, and with another between."""
        part = "".join(f".get_submodule({n!r})" for n in self.names)
        p = self._asked(case, f"f{part}")
        shown = f"[(a - b).abs().max().item() for a, b in [({p}, {p})]]"
        return f"{self._ready(case)}x = {case.code}{self._there}; print({shown})"

    def gradient_code(self, case: Case, name: str, index: tuple[int, ...] | None, due: float) -> str:
        """Return a line of Python that shows a gradient, or one number of it."""
        part = "".join(f".get_submodule({n!r})" for n in self.names)
        by = f"dict(p.named_parameters())[{self.held[name]!r}]" if name in self.held else "x"
        at = "" if index is None else f"[{', '.join(map(str, index))}].item(), {due!r}"
        more = "" if case.size == DENSEST and case.share == 1 else f", size={case.size}, share={case.share}"
        drawn = f"cases.Case({case.kind!r}, {case.shape}, {case.dtype!r}, {case.seed}{more})"
        grad = f"autograd.backward(y, [{by}], autograd.drawn({drawn}, y))[0]{at}"
        y = self._asked(case, "p")
        return f"{self._ready(case)}p = f{part}; x = {case.code}{self._there}.requires_grad_(); y = {y}; print({grad})"

    def _asked(self, case: Case, f: str) -> str:
        """Return the call of a function, in the setting that the arithmetic of the case needs."""
        if case.model.name == case.model.dtype and self.device == "cpu":
            return f"{f}(x)"
        where = "" if self.device == "cpu" else f", {self.device!r}"
        return f"calls.in_setting({f}, {case.model.name!r}{where})(x)"

    @property
    def _there(self) -> str:
        return "" if self.device == "cpu" else f".to({self.device!r})"

    def _ready(self, case: Case) -> str:
        """Return the imports, and what must be done to ``f`` before it is called."""
        imports = "import torch; from torchparity import arithmetic, autograd, binding, calls, cases, forms"
        return f"{imports}; {self.copied(case)}{self.prepared}"

    def copied(self, case: Case) -> str:
        """Return Python that makes of a module the private copy that is run."""
        alone = f"f = calls.private_copy(f, {case.model.dtype!r}, allowed=arithmetic.DTYPES); "
        return alone if isinstance(self.run, nn.Module) else ""


def stages_of(layer: Any) -> tuple[Any, ...]:
    """Return the stages of a chain, or the one layer."""
    return layer.stages if isinstance(layer, Chain) else (layer,)


def transforms(length: int, u: float) -> float:
    """Return 21 log₂N u for transforms of twice a length."""
    return float(21 * np.log2(2.0 * length) * u)


def sizes(a: Array) -> Array:
    """Return the norms of signals or taps over time."""
    return np.asarray(np.sqrt((a.astype(float) ** 2).sum(axis=-1)))


def across(signals: Array, norms: Array) -> Array:
    """Return ``Σ_i norms[o, i] signals[i]``, or the product where each channel has the same filter."""
    return np.asarray(signals * norms if norms.ndim == 0 else signals @ norms.T)


def _extent(stage: Any) -> int:
    if isinstance(stage, (Conv, SubpixelConv)):
        return int(stage.dilation * (stage.length - 1) + 1)
    if isinstance(stage, Pointwise):
        return 1
    if isinstance(stage, Interpolate):
        return 4 if stage.mode == "cubic" else 2
    if isinstance(stage, Linear):
        return 2
    return -(-int(stage.normal.h.shape[-1]) // int(stage.normal.L))


def _arrays(layer: Any) -> list[Array]:
    found: list[Array] = []
    mapped(layer, lambda a: found.append(a) or a)  # type: ignore[func-returns-value]
    return found


def words_for(layer: Any) -> str:
    """Return a layer, a chain or what a probe found, in words."""
    if isinstance(layer, Probe):
        u = layer.filter
        return f"stretch ×{u.L} + {u.h.shape[-1]} taps (offset {u.offset}, excess {u.excess}, border {u.border})"
    return " | ".join(token(stage) for stage in stages_of(layer)) or "nothing"
