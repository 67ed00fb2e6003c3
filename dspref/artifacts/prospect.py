"""What all findings ask of a chain, computed once: lines, owners, nulls, lengths."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, as_complex, as_fractions, as_rate, complaint
from dspref.artifacts.finding import Thresholds
from dspref.chain import Chain, Pointwise, Stage
from dspref.interpolators import FilterInterp
from dspref.layers import Conv, SubpixelConv, TransposedConv
from dspref.nulls import nulls, provable
from dspref.outline import Outline
from dspref.settling import ones_of, steady_response
from dspref.stretchfilter import StretchFilter


class Prospect:
    """A chain, and what every finding asks of it, computed once."""

    def __init__(self, chain: Chain, sr: Any, offset: ArrayLike, component: Fraction, limits: Thresholds) -> None:
        if not 0 <= component <= Fraction(1, 2):
            raise ValueError(complaint("component", f"{component} cycles/sample", "0 … 1/2 of the layer's input rate"))
        self.chain, self.sr, self.component, self.limits = chain, as_rate(sr), component, limits
        self.S, self.rates, self.offset = chain.factor, chain.rates(1), chain.checked_offset(offset)
        self.layers = tuple((owner, place, stage) for owner, (place, stage) in enumerate(chain.upsamplers, 1))
        self.free = {place: keeps_constants(stage) for _, place, stage in self.layers}
        self.null = _null_test(chain, self.offset)
        self.lines = line_amplitudes(chain, self.offset)

    def owned(self, owner: int) -> list[int]:
        """Return the k of the lines k/S, 0 < k ≤ S/2, that are new at an upsampling layer."""
        spacing = [int(self.rates[place] * self.S) for _, place, _ in self.layers]
        later = spacing[owner:]
        return [k for k in range(spacing[owner - 1], self.S // 2 + 1, spacing[owner - 1]) if all(k % s for s in later)]

    def worst(self, owner: int, lines: Array) -> tuple[int, float | None, int]:
        """Return k of the owner's strongest line, its level re DC (None: nothing at all), and how many there are."""
        power = (np.abs(lines) ** 2).sum(axis=0)
        ks = [k for k in self.owned(owner) if power[k] > 0 and not self.null(Fraction(k, self.S))]
        if not ks:
            return 0, None, 0
        k = max(ks, key=lambda k: float(power[k]))
        return k, 10 * math.log10(power[k]) - self.dc_db, len(ks)

    @property
    def has_dc(self) -> bool:
        """Whether the output has an offset that is more than the rounding of a sum of S samples."""
        power = (np.abs(self.lines if self.lines is not None else np.zeros((1, self.S))) ** 2).sum(axis=0)
        return bool(power[0] > (self.S * np.finfo(float).eps / 2) ** 2 * power.sum())

    @property
    def dc_db(self) -> float:
        """Level of the offset at the output; of 1 where there is none."""
        if self.lines is None or not self.has_dc:
            return 0.0
        return 10 * math.log10((np.abs(self.lines[:, 0]) ** 2).sum())

    @property
    def reference(self) -> str:
        """What levels of lines are relative to."""
        if self.lines is None or self.has_dc:
            return "dBc" if self.chain.affine else "dBc for this constant input"
        return "dB re 1, since the output has no offset"

    def where(self, freq: Fraction, owner: int, stage: int) -> dict[str, Any]:
        """Return the fields of a finding that say where it is."""
        return {"freq": freq, "hz": freq * self.sr, "owner": owner, "stage": stage}


def keeps_constants(stage: Stage) -> bool:
    """Return whether a layer is proved to keep every constant constant: equal phase gains, exactly.

    Its bias is another matter. False where taps are unknown, or equal up to rounding only.

    Examples
    --------
    >>> from dspref import Linear, TransposedConv
    >>> keeps_constants(Linear(3)), keeps_constants(TransposedConv([[[1, 1, 1]]], stride=2))
    (True, False)
    """
    if isinstance(stage, (Outline, Pointwise)) or (proof := provable(Chain([stage]))) is None:
        return False
    gains = proof.collapse().phase_gains
    return bool((gains == gains[:1]).all())


def line_amplitudes(chain: Chain, offset: ArrayLike) -> Array | None:
    """Return c_k (out, S) for a constant input, or None where weights are missing."""
    if any(isinstance(stage, Outline) for stage in chain.stages):
        return None
    period = as_complex("amplitudes", steady_response(chain, offset=offset))
    return np.asarray(np.fft.fft(period, axis=-1) / chain.factor)


def _null_test(chain: Chain, offset: Array) -> Callable[[Fraction], bool]:
    if (proof := provable(chain)) is None or offset.dtype.kind not in "iufO":
        return nulls(None)
    return nulls(proof.offset_response(as_fractions(offset)))


def norms(u: StretchFilter, freqs: list[float]) -> list[float]:
    """Return ‖H(ν)‖, over all channels."""
    H = u.response(freqs).reshape(len(freqs), -1)
    return [float(norm) for norm in np.linalg.norm(H, axis=-1)]


def shared_taps(stage: Stage) -> Array | None:
    """Return the taps of a layer that filters every channel alike; None of any other."""
    if isinstance(stage, (Outline, Pointwise)) or stage.normal.h.ndim != 1:
        return None
    return stage.normal.h


def lengths(chain: Chain) -> StretchFilter:
    """Return the chain as one channel of ones: it has the lengths, offset and borders, and weights need not be known.

    Examples
    --------
    >>> from dspref import parse
    >>> lengths(parse("convt k4 s2 p1 | relu | conv k3 p1")).steady(10)
    slice(2, 18, None)
    """
    return Chain(of_ones(stage) for stage in chain.stages if not isinstance(stage, Pointwise)).collapse()


def of_ones(stage: Any) -> Any:
    """Return the stage as one channel of ones: as long, as wide in time, and cheap."""
    if isinstance(stage, (Conv, SubpixelConv)):
        outer = stage.factor if isinstance(stage, SubpixelConv) else 1
        weight = np.ones((int(outer), 1, stage.length), int)
        return replace(stage, weight=weight, groups=1, bias=None)
    if isinstance(stage, TransposedConv):
        return replace(stage, weight=np.ones((1, 1, stage.length), int), groups=1, bias=None)
    if isinstance(stage, Outline):
        return ones_of(stage)
    u = stage.normal
    return FilterInterp(u.L, np.ones(u.h.shape[-1], int), offset=u.offset, excess=u.excess)


def in_hertz(value: Fraction) -> str:
    """Return a frequency in words, to ten digits.

    Examples
    --------
    >>> in_hertz(Fraction(22050, 256))
    '86.1328125 Hz'
    """
    return f"{float(value):.10g} Hz"
