"""Which upsamplers meet a tone budget, and what they cost.

Three kinds of promise, which training tells apart:

- *any weights*: the phases have equal gains by construction. A constant stays a constant through them, through
  convolutions, biases and pointwise maps, whatever is learned.
- *at initialisation* ("first weights" in the text): equal gains to begin with; one step of training may undo them.
- *expected* ("most draws" in the text): a level that random weights have on average; the band of 95 % of all draws
  must lie below the budget.

In exact arithmetic the first two have no line at all; in floating point rounding leaves lines near the floor
``u √N``, u the unit roundoff and N the products added up along the chain, as errors that add like a random walk.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from dspref.advice.choices import Advice, Choice
from dspref.advice.plans import FAMILIES, INITS
from dspref.advice.ways import WAYS, Lengths, Way, choice
from dspref.arrays import as_choice, as_integer, as_rate, complaint

__all__ = ["Advice", "Choice", "advise"]

ROUNDOFF = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-24, "float64": 2.0**-53}
"""Unit roundoff of the formats that networks run in."""

LARGEST = 1 << 13
"""Rate chains beyond it have more lines than anyone reads."""

WIDEST = 1 << 10
"""Largest factor of one layer."""

LONGEST = 1 << 12
"""Most taps of one layer: the powers of its phases take time and memory with their square."""


def advise(
    rates: Iterable[int],
    sr: Fraction | float,
    *,
    tone_budget_db: float,
    channels: Iterable[int] | None = None,
    conv_length: int = 9,
    overlap: int = 2,
    subpixel_length: int = 3,
    dtype: str = "float32",
    only: str | Iterable[str] = (),
    init: str | Iterable[str] = (),
) -> Advice:
    """Return the kernels, initialisations and upsamplers that keep every line of a constant below a budget.

    Between layers pointwise maps may stand: a constant stays constant through them. Expected levels are for leaky
    rectifiers of slope 0.2.

    Parameters
    ----------
    rates : factors of the layers, first to last, each at least 2
    sr : number
        Output rate in Hz.
    tone_budget_db : float
        Largest level of a line in dB re DC at the output, below 0.
    channels : one more than rates, optional
        By default 512, halved by every layer.
    conv_length, overlap, subpixel_length : int
        Taps of the convolution behind an interpolation (odd), taps per phase of a transposed convolution, and taps of
        a sub-pixel convolution (odd).
    dtype : {'float16', 'bfloat16', 'float32', 'float64'}
        What the network runs in: rounding leaves lines too.
    only, init : str, or iterable of str
        Families, and initialisations, to be considered; all, if empty.

    Returns
    -------
    Advice

    Raises
    ------
    ValueError
        If rates are none, or not integers of at least 2; if the budget is not below 0, or `sr` not above; if a layer
        would have more than 4096 taps.

    Examples
    --------
    >>> advice = advise((8, 8, 2, 2), 22050, tone_budget_db=-90)
    >>> "nearest + conv" in [c.name for c in advice.choices], [c.name for c in advice.rejected]
    (True, ['transposed, default', 'sub-pixel ICNR', 'sub-pixel, default'])
    """
    s, rate = _rates(rates), as_rate(sr)
    budget, width = _budget(tone_budget_db), _channels(channels, len(s))
    per_phase = as_integer("overlap", overlap, 1)
    taps_of = Lengths(_odd("conv_length", conv_length), per_phase, _odd("subpixel_length", subpixel_length))
    _check_longest(max(s), overlap=per_phase, subpixel_length=taps_of.subpixel)
    u = ROUNDOFF[as_choice("dtype", dtype, ROUNDOFF)]
    ways = _considered(only, init)
    found = [choice(way, s, rate, width, taps_of, budget, u) for way in ways]
    meeting = sorted((c for c in found if c.worst_db <= budget), key=lambda c: (c.macs, not c.guaranteed))
    failing = sorted((c for c in found if c.worst_db > budget), key=lambda c: c.worst_db)
    return Advice(s, rate, budget, width, dtype, tuple(meeting), tuple(failing))


def _considered(only: str | Iterable[str], init: str | Iterable[str]) -> tuple[Way, ...]:
    families = tuple(as_choice("family", word, FAMILIES) for word in ([only] if isinstance(only, str) else only))
    inits = tuple(as_choice("init", word, INITS) for word in ([init] if isinstance(init, str) else init))
    found = tuple(w for w in WAYS if (not families or w.family in families) and (not inits or w.init in inits))
    if not found:
        allowed = "; ".join(f"{f}: {', '.join(sorted({w.init for w in WAYS if w.family == f}))}" for f in FAMILIES)
        raise ValueError(complaint("families and initialisations", f"{families} with {inits}", allowed))
    return found


def _rates(rates: Any) -> tuple[int, ...]:
    hint = "as (8, 8, 2, 2); leave out layers that keep the rate"
    if isinstance(rates, str) or not isinstance(rates, Iterable):
        raise TypeError(complaint("rates", repr(rates), "an iterable of integers", hint))
    checked = tuple(as_integer("rate", rate, 2, hint) for rate in rates)
    if not checked:
        raise ValueError(complaint("rates", "none", "at least one integer >= 2", hint))
    if max(checked) > WIDEST:
        raise ValueError(complaint("rate", max(checked), f"at most {WIDEST}"))
    if math.prod(checked) > LARGEST:
        raise ValueError(complaint("product of rates", math.prod(checked), f"at most {LARGEST}"))
    return checked


def _budget(level: Any) -> float:
    number = isinstance(level, (int, float)) and not isinstance(level, bool)
    if not number or not -math.inf < level < 0:
        hint = "a line as strong as DC has 0 dB; one step of 16 bits, -96.3"
        raise ValueError(complaint("tone budget", repr(level), "a finite number of dB below 0", hint))
    return float(level)


def _channels(channels: Iterable[int] | None, layers: int) -> tuple[int, ...]:
    if channels is None:
        return tuple(max(1, 512 >> place) for place in range(layers + 1))
    width = tuple(as_integer("channels", c, 1) for c in channels)
    if len(width) != layers + 1:
        allowed = f"{layers + 1}: the input's, and each layer's"
        raise ValueError(complaint("channels", f"{len(width)} numbers", allowed))
    return width


def _check_longest(s: int, **per_phase: int) -> None:
    """Refuse more taps per phase than the largest factor leaves room for."""
    for name, taps in per_phase.items():
        if taps * s > LONGEST:
            raise ValueError(complaint(name, taps, f"at most {LONGEST // s} for a factor of {s}"))


def _odd(name: str, value: int) -> int:
    if as_integer(name, value, 1) % 2 == 0:
        raise ValueError(complaint(name, value, "an odd integer", "an even length would shift by half a sample"))
    return int(value)
