"""An audit as plain data, schema "torchparity.audit/2": every other form but pictures and sound is made of it."""

from __future__ import annotations

import json
import os
import platform
from fractions import Fraction
from importlib.metadata import version
from typing import Any

import numpy as np

from dspref.documents import stages_of
from dspref.lines import Line
from dspref.spectrum import Peak
from torchparity.audit import Audit
from torchparity.audited import Cure, Expectation, Steady
from torchparity.devices import device_name
from torchparity.measure import STANDS_DB, Measured
from torchparity.nn.modes import exact
from torchparity.report.cards import cards
from torchparity.spine import Layer

SCHEMA = "torchparity.audit/2"

NULL = 2.0**-100
"""Share of the strongest line's power at or below which a predicted line is a null, to double rounding."""


def to_dict(audit: Audit, *, command: str = "", target: str = "") -> dict[str, Any]:
    """Return the audit as plain data, schema "torchparity.audit/2": see `torchparity.formats.schema`.

    Parameters
    ----------
    audit : Audit
    command : str
        What was typed, for whoever wants to do it again.
    target : str
        As ``path/file.py:factory``: where code scanning puts its results.
    """
    return {
        "schema": SCHEMA,
        "cut": None,
        "name": audit.name,
        **_exactly("sr", audit.sr),
        "reproduce": _reproduce(audit, command, target),
        "verdict": _verdict(audit),
        "factor": audit.spine.chain.factor,
        "rate": str(audit.spine.rate),
        "whole_module_described": audit.spine.whole,
        "stages": [_stage(row) for row in stages_of(audit.spine.chain, audit.sr)],
        "branches": [_branch(layer, audit.sr) for layer in audit.spine.layers if layer.branch],
        "ways": [list(way) for way in audit.spine.routes],
        "not_described": [{"name": s.name, "type": s.kind, "why": s.reason} for s in audit.spine.undescribed],
        "stands_db": STANDS_DB,
        "lines": [_line(line, audit) for line in audit.lines],
        "expected": [_expected(e, audit) for e in audit.expected],
        "actual": [_actual(s, audit) for s in audit.actual],
        "runs": [_run(r, audit.sr) for r in audit.runs],
        "findings": [{"level": f.level, "text": f.text} for f in audit.findings],
        "cards": [card.to_dict() for card in cards(audit)],
        "cures": [_cure(cure, audit.sr) for cure in audit.cures],
        "remarks": list(audit.remarks),
        "checkpoint": audit.checkpoint,
        "tone_free": list(audit.tone_free),
        "against": None if audit.against is None else audit.against.to_dict(),
    }


def json_of(document: dict[str, Any]) -> str:
    """Return a document as JSON text."""
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _reproduce(audit: Audit, command: str, target: str) -> dict[str, Any]:
    """Return what else decides the numbers. Audits run on the CPU, so switches of CUDA are said and change nothing."""
    import torch

    packages = ("dspref", "numpy", "scipy", "torch")
    return {
        "command": command,
        "target": target,
        "seeds": sorted({r.seed for r in audit.runs}),
        "device": "cpu",
        "processor": device_name("cpu"),
        "threads": torch.get_num_threads(),
        "tf32": not exact("cuda"),
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": {p: version(p) for p in packages} | {"python": platform.python_version()},
    }


def _verdict(audit: Audit) -> dict[str, str]:
    """Return the verdict: a status for programs, and a sentence."""
    if any(f.level == "error" for f in audit.findings):
        return {"status": "contradicted", "text": "NOT explained"}
    if audit.recording is not None:
        return {"status": "none", "text": "none, since a recording has peaks of its own; leave --wav out for one"}
    if not audit.runs:
        return {"status": "none", "text": "none, since nothing was measured: an architecture alone has no output"}
    return _of_runs(audit)


def _of_runs(audit: Audit) -> dict[str, str]:
    """Return the verdict where nothing contradicts: of the inputs that are judged; a sweep never is."""
    judged, left = (list(dict.fromkeys(r.input for r in audit.runs if r.judged is is_so)) for is_so in (True, False))
    whys = {"sweep": "none on the sweep, which has peaks of its own", "noise": "none on noise: the output is too short"}
    whys |= {r.input: f"none on {r.input}, which goes another way through the module" for r in audit.runs if r.astray}
    rest = "; ".join(whys[each] for each in left)
    if not judged:
        return {"status": "none", "text": rest}
    if not left:
        return {"status": "explained", "text": "every peak is explained by an upsampling layer"}
    text = f"on {' and '.join(judged)}, every peak is explained by an upsampling layer; {rest}"
    return {"status": "explained" if left == ["sweep"] else "partly explained", "text": text}


def _exactly(name: str, value: Fraction) -> dict[str, Any]:
    return {name: float(value), f"{name}_exact": str(Fraction(value))}


def _stage(row: dict[str, Any]) -> dict[str, Any]:
    rates = {name: Fraction(row.get(f"{name}_exact") or str(row[name])) for name in ("rate_in", "rate_out")}
    kept = {name: row[name] for name in ("stage", "owner", "op", "length", "overlap", "spec")}
    exact = {name: text for key, rate in rates.items() for name, text in _exactly(key, rate).items()}
    return {**kept, "factor": str(row["factor"]), **exact}


def _branch(layer: Layer, sr: Fraction) -> dict[str, Any]:
    rates = {"rate_in": layer.rate_in, "rate_out": layer.rate_out, "every": layer.spacing}
    exact = {name: text for key, rate in rates.items() for name, text in _exactly(key, rate * sr).items()}
    kept = {"owner": layer.owner, "name": layer.name, "type": layer.kind, "spec": layer.words}
    return {**kept, "factor": str(layer.factor), **exact}


def _line(line: Line, audit: Audit) -> dict[str, Any]:
    level = _level(audit, line)
    return {
        **_exactly("hz", line.hz(audit.sr)),
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


def _expected(e: Expectation, audit: Audit) -> dict[str, Any]:
    return {
        "input": e.input,
        "levels_db": [e.level_db(line.freq) for line in audit.lines],
        "predicted": e.expected is not None,
        "floor_db": None if e.expected is None else e.expected.floor_db,
        "bands": _bands(e),
        "finest_hz": None if e.finest is None else float(audit.sr / e.finest.divisor),
        "finest_hz_exact": None if e.finest is None else str(audit.sr / e.finest.divisor),
        "not_predicted": [{"what": row.what, "where": row.where, "why": row.why} for row in e.not_predicted],
        "remarks": list(e.remarks),
    }


def _bands(e: Expectation) -> list[dict[str, Any]]:
    """Return the levels between which nine of ten networks have a line, comb by comb; None where that is not known."""
    combs = () if e.expected is None else e.expected.combs
    return [{"divisor": comb.divisor, "low_db": comb.low, "high_db": comb.high} for comb in combs]


def _actual(s: Steady, audit: Audit) -> dict[str, Any]:
    return {
        "input": s.input,
        "seed": s.seed,
        "period": s.period,
        "levels_db": [s.level_db(line.freq) for line in audit.lines],
        "resolution": s.resolution,
        "border_samples": [s.start, s.rest],
        "dtype": s.dtype,
    }


def _run(r: Measured, sr: Fraction) -> dict[str, Any]:
    return {
        "input": r.input,
        "seed": r.seed,
        "dtype": r.dtype,
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


def _cure(cure: Cure, sr: Fraction) -> dict[str, Any]:
    kept = ("owner", "rule", "words", "promise", "before_db", "after_db", "reference")
    return {**{name: getattr(cure, name) for name in kept}, "hz": None if cure.freq is None else float(cure.freq * sr)}
