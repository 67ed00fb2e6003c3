"""From what every case showed to one verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torchparity.arithmetic import Arithmetic
from torchparity.cases import KINDS, REAL
from torchparity.compare import Outcome
from torchparity.shrink import explained
from torchparity.verdict import Coverage, Verdict


@dataclass(frozen=True)
class Told:
    """What a verdict says of every check, whatever came of it."""

    a: Arithmetic
    device: str
    description: str
    unchecked: tuple[str, ...]
    remarks: tuple[str, ...]

    def verdict(self, status: str, seen: Coverage, **more: Any) -> Verdict:
        """Return a verdict."""
        fields: dict[str, Any] = {"ratio": 0.0, "worst_index": None, "repro": "", "dtype": self.a.dtype} | more
        fields |= {"device": self.device, "description": self.description, "arithmetic": self.a.words}
        return Verdict(status, coverage=seen, remarks=self.remarks, **fields)


def concluded(outcomes: Sequence[Outcome], told: Told) -> Verdict:
    """Return the verdict of the worst outcome, made small; passed only if there was something to see."""
    seen = covered(outcomes, told.unchecked)
    ranked = sorted(outcomes, key=lambda o: o.badness)
    worst = ranked[-1] if ranked else None
    passed = worst is not None and worst.status in ("exact", "within bound")
    if worst is None or (passed and (not seen.outputs or seen.zero_share == 1)):
        reason = "nothing was compared" if not seen.outputs else "every output is zero whatever the layer does"
        return told.verdict("vacuous", seen, reason=reason)
    if passed:  # gradients pass: the outputs say how
        worst = next((o for o in reversed(ranked) if o.part == "output"), worst)
        exact = worst.status == "exact"
        index, code = (None, "") if exact else (worst.index, worst.code)
        return told.verdict(worst.status, seen, ratio=worst.ratio, worst_index=index, repro=code)
    small, where, name = explained(worst)
    about = {"ratio": worst.ratio, "worst_index": small.index, "repro": small.code, "reason": small.reason}
    return told.verdict(worst.status, seen, where=where, looks_like=name, **about)


def covered(outcomes: Sequence[Outcome], unchecked: tuple[str, ...]) -> Coverage:
    """Return what all outcomes together looked at."""
    forward = [o for o in outcomes if o.part == "output"]
    real = [o for o in forward if o.case.kind in REAL]
    drawn = sum(o.outputs for o in real)
    counts = Counter(o.case.kind for o in forward if o.outputs)
    back = [o for o in outcomes if o.part.startswith("gradient")]
    counts["gradient"] = sum(o.outputs > 0 for o in back)
    counts["form"] = sum(o.part.startswith("form") and o.outputs > 0 for o in outcomes)
    tiers = {0: bool(outcomes), 1: counts["one-hot"] + counts["integer"] > 0, 2: drawn > 0}
    return Coverage(
        tuple(tier for tier, run in tiers.items() if run),
        len(outcomes),
        sum(o.outputs for o in outcomes),
        sum(o.zeros for o in real) / drawn if drawn else 0.0,
        tuple((kind, counts[kind]) for kind in (*KINDS, "form", "gradient") if counts[kind] or kind != "impulse"),
        unchecked,
        max((o.ratio for o in back), default=0.0),
    )
