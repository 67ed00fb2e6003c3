"""Corners in which there is no output, beside those of `dspref.strata`: every route must refuse."""

from __future__ import annotations

from dspref.strata import BASE, STRATA, Holds, Params, Rule, Stratum, convt_padding, extent, only, reach, stratum

__all__ = ["BASE", "REFUSED", "STRATA", "Holds", "Params", "Rule", "Stratum", "only"]

TOO_LONG = stratum(
    lambda w, x: x.shape[-1] + sum(w.pads) <= reach(w),
    padding=(0, 1),
    taps=(4, 5, 7),
    time=lambda p: range(1, extent(p) - 2 * p["padding"]),
)


def unborderable(mode: str, short: Holds) -> Stratum:
    """Return the stratum of inputs too short for a border rule, though not for the kernel."""
    slack = 0 if mode == "circular" else 1
    rules = {"dilation": 1, "taps": (1, 2, 3), "padding": (3, 4), "padding_mode": mode}
    return stratum(short, **rules, time=lambda p: range(1, p["padding"] + slack))


BORDERS_TOO_FAR = {
    "reflect, time <= padding": unborderable(
        "reflect", lambda w, x: w.padding_mode == "reflect" and x.shape[-1] <= max(w.pads)
    ),
    "circular, time < padding": unborderable(
        "circular", lambda w, x: w.padding_mode == "circular" and x.shape[-1] < max(w.pads)
    ),
}

REFUSED: dict[str, dict[str, Stratum]] = {
    "convt": {
        "output length <= 0": stratum(
            lambda w, x: w.normal.length(x.shape[-1]) <= 0,
            padding=lambda p: range(len(convt_padding(p)), len(convt_padding(p)) + 4),
        )
    },
    "conv": {"output length <= 0": TOO_LONG, **BORDERS_TOO_FAR},
    "shuffle": {"output length <= 0": TOO_LONG, **BORDERS_TOO_FAR},
    "filter": {
        "output length <= 0": stratum(
            lambda w, x: w.normal.length(x.shape[-1]) <= 0,
            excess=lambda p: [-p["factor"] * p["time"] - n for n in range(3)],
        )
    },
}
