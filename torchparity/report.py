"""An audit as text, JSON and picture."""

from __future__ import annotations

import io
import json
import platform
import textwrap
from fractions import Fraction
from importlib.metadata import version
from typing import Any

import numpy as np

from dspref.documents import stages_of
from dspref.lines import Line
from dspref.spec import token
from dspref.spectrum import LineMeasurement, Peak
from dspref.tables import decimal, hertz
from torchparity.audit import Audit
from torchparity.measure import STANDS_DB, Measured

ROWS = 16
"""Lines in the table, the highest first; JSON has them all."""

NULL = 2.0**-100
"""Share of the strongest line's power at or below which a predicted line is a null, to double rounding."""


def to_dict(audit: Audit) -> dict[str, Any]:
    """Return the audit as plain data, schema "torchparity.audit/1"."""
    return {
        "schema": "torchparity.audit/1",
        "name": audit.name,
        "sr": float(audit.sr),
        "versions": {p: version(p) for p in ("dspref", "numpy", "scipy", "torch")}
        | {"python": platform.python_version()},
        "factor": audit.spine.chain.factor,
        "rate": str(audit.spine.rate),
        "whole_module_described": audit.spine.whole,
        "stages": stages_of(audit.spine.chain, audit.sr),
        "not_described": [{"name": s.name, "type": s.kind, "why": s.reason} for s in audit.spine.undescribed],
        "stands_db": STANDS_DB,
        "lines": [_line(line, audit) for line in audit.lines],
        "runs": [_run(r, audit.sr) for r in audit.runs],
        "findings": [{"level": f.level, "text": f.text} for f in audit.findings],
    }


def to_json(audit: Audit) -> str:
    """Return `to_dict` as JSON text."""
    return json.dumps(to_dict(audit), indent=1, allow_nan=False) + "\n"


def _line(line: Line, audit: Audit) -> dict[str, Any]:
    level = _level(audit, line)
    return {
        "hz": float(line.hz(audit.sr)),
        "freq": f"{line.freq * audit.spine.chain.factor}/{audit.spine.chain.factor}",
        "owner": line.owner,
        "stage": line.stage,
        "origins": list(line.origins),
        "predicted_db": None if level is None or level == -np.inf else level,
        "null": level == -np.inf,
    }


def _level(audit: Audit, line: Line) -> float | None:
    """Return the predicted level under a constant 1 in dB, −∞ for a null, None if it is not known."""
    powers = audit.predicted
    if powers is None:
        return None
    power = float(powers[int(line.freq * audit.spine.chain.factor)])
    return float(-np.inf if power <= NULL * powers.max() else 10 * np.log10(power))


def _run(r: Measured, sr: Fraction) -> dict[str, Any]:
    return {
        "input": r.input,
        "seed": r.seed,
        "steady_samples": r.samples,
        "segments": r.segments,
        "periodic": r.periodic,
        "judged": r.judged,
        "resolution_hz": float(7 * r.bin * sr),
        "lines_standing": len(r.standing),
        "peaks": len(r.peaks),
        "peaks_off_grid": [_peak(p, sr) for p in r.off_grid],
        "lines": [
            {"hz": float(m.freq * sr), "level_db": m.level_db, "floor_db": m.floor_db, "height_db": m.height_db}
            for m in r.lines
        ],
    }


def _peak(p: Peak, sr: Fraction) -> dict[str, float]:
    return {"hz": p.freq * float(sr), "level_db": p.level_db, "height_db": p.height_db}


def to_text(audit: Audit) -> str:
    """Return the audit as text of at most 80 columns."""
    blocks = [_head(audit), _owners(audit), _table(audit), _inputs(audit), _verdict(audit)]
    return "\n\n".join(blocks) + "\n"


def _head(audit: Audit) -> str:
    chain = audit.spine.chain
    layers = [token(stage) for _, stage in chain.upsamplers]
    count = f"{len(layers)} upsampling layer{'s' if len(layers) > 1 else ''}"
    head = f"{audit.name} at {hertz(audit.sr)}: {count}, ×{chain.factor}"
    grid = f"predicted: lines at multiples of {hertz(audit.sr / chain.factor)} and nowhere else"
    return "\n".join([head, *_wrapped(" | ".join(layers)), *_wrapped(grid)])


def _wrapped(text: str, indent: str = "  ") -> list[str]:
    return textwrap.wrap(text, 80, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False)


def _owners(audit: Audit) -> str:
    """Return one row per upsampling layer: its lines, and how high they were measured."""
    columns = [f"{r.input}, dB" for r in _shown(audit)]
    rows = [f"{'layer':>5}  {'its lines, multiples of':<24}{'lines':>6}" + "".join(f"{c:>16}" for c in columns)]
    for owner, (place, _) in enumerate(audit.spine.chain.upsamplers, 1):
        mine = [k for k, line in enumerate(audit.lines) if line.owner == owner and line.freq]
        spacing = audit.spine.chain.rates(audit.sr)[place]
        cells = [_span([r.lines[k] for k in mine]) for r in _shown(audit)]
        rows.append(f"{owner:>5}  {hertz(spacing):<24}{len(mine):>6}" + "".join(f"{c:>16}" for c in cells))
    return "over the local floor, median (highest) of each layer's new lines:\n" + "\n".join(rows)


def _span(lines: list[LineMeasurement]) -> str:
    heights = [m.height_db for m in lines]
    return f"{np.median(heights):.0f} ({max(heights):.0f})" if heights else "–"


def _shown(audit: Audit) -> tuple[Measured, ...]:
    return tuple(r for r in audit.runs if r.seed == audit.runs[0].seed)


def _table(audit: Audit) -> str:
    """Return the highest lines, of the last input shown (noise), with every input beside."""
    runs = _shown(audit)
    known = audit.predicted is not None and runs[0].input == "constant"
    order = sorted(range(1, len(audit.lines)), key=lambda k: -runs[-1].lines[k].height_db)[:ROWS]
    head = f"{'Hz':>16}  {'owner':>5}" + (f"{'predicted':>14}{'measured':>14}" if known else "")
    rows = [head + "".join(f"{'over floor,':>14}" for _ in runs)]
    rows.append(" " * len(head) + "".join(f"{r.input:>14}" for r in runs))
    for k in sorted(order):
        line = audit.lines[k]
        levels = f"{_words(_level(audit, line)):>14}{runs[0].lines[k].level_db:>11.1f} dB" if known else ""
        cells = "".join(f"{r.lines[k].height_db:>11.1f} dB" for r in runs)
        rows.append(f"{decimal(line.hz(audit.sr)):>16}  {line.owner:>5}{levels}{cells}")
    shown = f"the {len(order)} highest of {len(audit.lines) - 1} predicted lines (0 Hz, the offset itself, left out):"
    return shown + "\n" + "\n".join(rows)


def _words(level: float | None) -> str:
    return "null" if level is None or level == -np.inf else f"{level:.1f} dB"


def _inputs(audit: Audit) -> str:
    rows = []
    for r in audit.runs:
        on = len(r.peaks) - len(r.off_grid)
        off = f"{len(r.off_grid)} off" + ("" if r.judged else " (not judged)")
        rows.append(f"{r.input}, seed {r.seed}: {len(r.peaks)} peaks, {on} on the grid, {off}")
    head = f"peaks ≥ {STANDS_DB:.0f} dB (0 Hz included), found without looking at the prediction:"
    return "\n".join([head, *(f"  {row}" for row in rows)])


def _verdict(audit: Audit) -> str:
    errors = [f for f in audit.findings if f.level == "error"]
    first = "verdict: every peak is explained by an upsampling layer"
    if audit.recording is not None:
        first = "verdict: none, since a recording has peaks of its own; leave --wav out for one"
    elif not all(r.judged for r in audit.runs):
        first = "verdict: none on noise, since the output is too short; on the constant, every peak is explained"
    if errors:
        first = "verdict: NOT explained"
    kept = [*errors, *(f for f in audit.findings if f.level == "note")]
    return "\n".join([first, *(row for f in kept for row in _wrapped(f"{f.level}: {f.text}"))])


def to_png(audit: Audit) -> bytes:
    """Return the spectrogram of each input of the first seed, predictions marked, as a PNG.

    A recording is shown too, above what the module makes of it.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from dspref.plot import plot_spectrogram

    runs = _shown(audit)
    rows = len(runs) + (audit.recording is not None)
    with mpl.rc_context({"font.size": 9}):
        figure = Figure(figsize=(11, 4.2 * rows), layout="constrained")
        FigureCanvasAgg(figure)
        axes = list(np.atleast_1d(figure.subplots(rows)))
        if audit.recording is not None:
            size = max(128, 1024 // round(audit.spine.rate))
            ax = plot_spectrogram(audit.recording, float(audit.sr / audit.spine.rate), ax=axes.pop(0), size=size)
            ax.set_title(f"{audit.name}, the recording")
        for ax, r in zip(axes, runs, strict=True):
            up = {m.freq for m in r.standing}
            plot_spectrogram(r.signal, float(audit.sr), lines=audit.lines, standing=up, ax=ax)
            ax.set_title(
                f"{audit.name}, {r.input} input, seed {r.seed}; right: predicted lines by layer, pale if not measured"
            )
        page = io.BytesIO()
        figure.savefig(page, format="png", dpi=110)
    return page.getvalue()
