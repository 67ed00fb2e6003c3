"""The record of the zoo: docs/validation/zoo.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.zoo.audited import Audited
from tests.zoo.measured import Response
from tests.zoo.table import ZOO

HEAD = (
    "| model | package | chain | on other ways | leaves no line | factor | grid "
    "| peaks of a constant | of noise | off the grid |"
)
COST = "| model | parameters | make | trace | measure | memory |"

NOT_RUN = """## What CI does not run

CI installs transformers (it is in the extra `test`, of the same version) and no other package of the extra `zoo`: the
quick suite traces the decoders of transformers, and says of the others that they are skipped and why. Nothing is
measured there. All of this page is made by `pip install -c tests/constraints.txt -e '.[test,zoo]'` and
`python -m tests zoo`, which fails where a package is not there.
"""


def write(seen: Sequence[Audited], folder: Path, made: str) -> None:
    """Write the page; a decoder of the table that was not seen to its end is told as such."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "zoo.md").write_text(page(seen, made), encoding="utf-8")


def page(seen: Sequence[Audited], made: str) -> str:
    """Return the page: what was traced and measured, what that cost, and what was read where."""
    missing = [row.name for row in ZOO if row not in [a.row for a in seen]]
    return "\n".join(
        [
            "# Decoders of other packages",
            "",
            f"{len(seen)} of {len(ZOO)} decoders, at random initialisation, widths reduced, factors as they are."
            + (f" Not seen to the end: {', '.join(missing)}." if missing else ""),
            "",
            "Chain, factor and grid are those that were traced; they equal those read in the packages' source. Peaks "
            "stand 10 dB over their floor; the first number of a pair is how many there are, the second at how many "
            "multiples of the grid, 0 Hz included, they could be.",
            "",
            made,
            "",
            HEAD,
            _rule(HEAD),
            *map(_row, seen),
            "",
            *(f"- {a.row.name}: {text}." for a in seen for text in remarks(a)),
            "",
            "## Time and memory",
            "",
            "Seconds on one core; memory is the peak over that before the decoder was made.",
            "",
            COST,
            _rule(COST),
            *map(_cost, seen),
            "",
            "## Sources",
            "",
            *(f"- {row.name}: {', '.join(f'{c.file}:{c.line}' for c in row.source)}" for row in ZOO),
            "",
            NOT_RUN,
        ]
    )


def remarks(audited: Audited) -> tuple[str, ...]:
    """Return what is to be known of one decoder: of its source, of its responses, and of its trace."""
    row = audited.row
    unknown = (f"out of sight of the trace: {_counts(row.hidden)}",) if row.hidden else ()
    silent = row.silent and f"a coarser grid explains its peaks: {row.silent}"
    drifts = row.drifts and f"its response to a constant does not repeat to rounding: {row.drifts}"
    return tuple(text for text in (row.note, silent, drifts) if text) + unknown


def _row(a: Audited) -> str:
    row = a.row
    besides = " | ".join(_counts(pairs) for pairs in (row.branches, row.inner))
    off = len(a.constant.off_grid) + len(a.noise.off_grid)
    peaks = f"{_peaks(a.constant, row.period)} | {_peaks(a.noise, row.period)} | {off}"
    chain = row.chain.replace(" | ", ", ")
    return f"| {row.name} | {row.package} | {chain} | {besides} | {row.factor} | {float(row.grid_hz):g} Hz | {peaks} |"


def _counts(pairs: tuple[tuple[str, int], ...]) -> str:
    return ", ".join(f"{count} × {word}" for word, count in pairs) or "nothing"


def _peaks(response: Response, period: int) -> str:
    return f"{len(response.peaks)} of {period // 2 + 1}"


def _cost(a: Audited) -> str:
    memory = "not known" if a.mebibytes is None else f"{a.mebibytes} MiB"
    return f"| {a.row.name} | {a.parameters} | {' | '.join(f'{s:.2f}' for s in a.seconds)} | {memory} |"


def _rule(head: str) -> str:
    return "|" + " --- |" * (head.count("|") - 1)
