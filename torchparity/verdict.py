"""What a check found, as text, data, JSON and Markdown."""

from __future__ import annotations

import json
import math
import textwrap
from dataclasses import KW_ONLY, asdict, dataclass
from typing import Any

SCHEMA = "torchparity.verify/1"

_TIERS = {0: "laws", 1: "equality", 2: "rounding bound", 3: "largest bound"}

STATUSES = ("wrong", "inconclusive", "normwise only", "vacuous", "within bound", "exact")
"""From the worst to the best; the last two are passed."""


@dataclass(frozen=True)
class Coverage:
    """What a check looked at.

    Attributes
    ----------
    tiers : tuple of int
        0 law, 1 equality, 2 rounding bound (3, its norm, where 2 is broken).
    cases, outputs : int
    zero_share : float
        Share of the real-data outputs that are 0 whatever the layer does (S = 0): they show nothing.
    strata : tuple of (str, int)
        Kinds of input, and the cases of each.
    unchecked : tuple of str
        Stages whose rounding no one promises, and what else was left out.
    gradient_ratio : float
        Largest ``abs(error)/E`` of a gradient.
    """

    tiers: tuple[int, ...] = ()
    cases: int = 0
    outputs: int = 0
    zero_share: float = 0.0
    strata: tuple[tuple[str, int], ...] = ()
    unchecked: tuple[str, ...] = ()
    gradient_ratio: float = 0.0

    def __str__(self) -> str:
        """Return the tiers, and how many numbers were compared, as a person would say it."""
        if not self.cases:
            return "nothing"
        tiers = ", ".join(_TIERS[tier] for tier in self.tiers)
        counts = [f"{n or 'no'} {what}{'s' * (n != 1)}" for n, what in ((self.cases, "case"), (self.outputs, "output"))]
        return f"{tiers}; {', '.join(counts)}{_shown(self.zero_share) if self.outputs else ''}"


def _shown(zero_share: float) -> str:
    if not zero_share:
        return ", all of which show something"
    share = "all" if zero_share == 1 else f"{zero_share:.1%}" if zero_share >= 0.001 else "less than 0.1%"
    return f", {share} of which are 0 whatever the layer does"


@dataclass(frozen=True)
class Verdict:
    """Whether a module does what its description says.

    Attributes
    ----------
    status : str
        "exact": every output equals the reference, rounded or not; "within bound": no output lies farther
        from it than rounding can take it; "normwise only": one does, but none farther than the largest
        bound (FFT and Winograd algorithms): neither passed nor failed; "wrong"; "inconclusive" (overflow,
        or taps found by probing); "vacuous": nothing was compared, or only zeros.
    ratio : float
        Largest ``abs(error)/E``; 0 if there was no error.
    worst_index : tuple of int, or None
        The output (batch, channel, time) of that ratio.
    dtype, device : str
    description : str
        What the module was compared with.
    repro : str
        A line of Python that shows the worst output; ``f`` is what was checked.
    coverage : Coverage
    reason : str
        Why it did not pass, in words; empty if it did.
    arithmetic : str
        The model of rounding that was assumed: one output beyond its bound proves it wrong.
    where : str
        The place of the smallest failure: first wrong sample, phase, tap, channels, group.
    looks_like : str
        The classic mistake that explains what was seen, if one does.
    remarks : tuple of str
        What does not make it fail, and is worth knowing.

    Examples
    --------
    >>> Verdict("exact", 0.0, None, "float32", "cpu", "nearest x4", "", Coverage()).ok
    True
    """

    status: str
    ratio: float
    worst_index: tuple[int, ...] | None
    dtype: str
    device: str
    description: str
    repro: str
    coverage: Coverage
    _: KW_ONLY
    reason: str = ""
    arithmetic: str = ""
    where: str = ""
    looks_like: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the check passed."""
        return self.status in ("exact", "within bound")

    def __str__(self) -> str:
        """Return the verdict as short text."""
        return self.to_text()

    def to_text(self, width: int | None = None) -> str:
        """Return the verdict as text, wrapped at a width if one is given; the line to paste stays one line.

        Examples
        --------
        >>> verdict = Verdict("wrong", 0.0, None, "float32", "cpu", "nearest x4", "", Coverage(), reason="it hung")
        >>> print(verdict.to_text(80))
        wrong: it hung
          compared   nearest x4
          arithmetic float32 on cpu
          covered    nothing
        """
        rows = [(f"  {name:<11}", text, name != "reproduce") for name, text in self._rows()]
        lines = [("", self.headline, True), *rows]
        return "\n".join(_wrapped(head, text, width if wraps else None) for head, text, wraps in lines)

    @property
    def headline(self) -> str:
        """One line: the status, and the ratio or the reason."""
        if self.reason:
            return f"{self.status}: {self.reason}"
        return self.status if self.status == "exact" else f"{self.status}: error/bound at most {self.ratio:.3g}"

    def _rows(self) -> list[tuple[str, str]]:
        seen = self.coverage
        numbers = f"{self.dtype} on {self.device}".strip()
        rows = [("compared", self.description), ("arithmetic", numbers), ("covered", str(seen))]
        if seen.strata:
            rows.append(("inputs", ", ".join(f"{name} {count}" for name, count in seen.strata)))
        if seen.unchecked:
            rows.append(("unchecked", ", ".join(seen.unchecked)))
        if self.arithmetic:
            rows.insert(2, ("model", self.arithmetic))
        if self.where:
            rows.append(("where", self.where))
        if self.looks_like:
            rows.append(("looks like", self.looks_like))
        rows += [("remark", remark) for remark in self.remarks]
        if self.worst_index is not None:
            shown = "" if self.where else f"output {list(self.worst_index)}, "
            rows.append(("worst", f"{shown}error/bound {self.ratio:.3g}"))
        if self.repro:
            rows.append(("reproduce", self.repro))
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, schema "torchparity.verify/1"; a ratio that is not finite is None."""
        data = asdict(self) | {"ratio": self.ratio if math.isfinite(self.ratio) else None}
        data["coverage"]["strata"] = dict(self.coverage.strata)
        if not math.isfinite(self.coverage.gradient_ratio):
            data["coverage"]["gradient_ratio"] = None
        return {"schema": SCHEMA, "ok": self.ok, **data}

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def to_markdown(self) -> str:
        """Return the verdict as Markdown."""
        cells = [
            (name, f"`{text}`" if name == "reproduce" else text.replace("|", "\\|")) for name, text in self._rows()
        ]
        table = "\n".join(f"| {name} | {text} |" for name, text in cells)
        return f"**{self.headline}**\n\n| | |\n|---|---|\n{table}\n"


def _wrapped(head: str, text: str, width: int | None) -> str:
    """Return a text behind its name, its further lines set in."""
    if width is None:
        return head + text
    more = " " * (len(head) or 4)
    kept: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
    return textwrap.fill(text, width, initial_indent=head, subsequent_indent=more, **kept)
