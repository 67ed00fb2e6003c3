"""Answers as plain data, ready for JSON: schemas ``dspref.predict/1``, ``whence/1``, ``presets/1`` and ``doctor/1``.

Frequencies are numbers of hertz. Where the decimal that JSON prints is not the frequency itself, a second
field with ``_exact`` in its name holds the fraction: ``"hz": 5333.33…, "hz_exact": "16000/3"``.
Levels are ``20 log10 abs(c)`` for an input offset of 1, of the loudest output channel.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Iterable, Mapping
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeAlias

import numpy as np

from dspref import __version__
from dspref.arrays import Array, complaint
from dspref.chain import Chain, Stage
from dspref.lines import Image, Line, images, tone_lines, whence
from dspref.nulls import nulls, provable
from dspref.outline import overlap
from dspref.presets import Preset
from dspref.spec import outlined, spec, token

Document: TypeAlias = dict[str, Any]

MOST = 1 << 13
"""Chains of a larger factor have more lines than anyone reads: they are refused."""


def predict_document(chain: Chain, sr: Fraction | int, *, component: Fraction | None = None) -> Document:
    """Return the stages, the possible lines, and the images of one component.

    Parameters
    ----------
    chain : Chain
    sr : Fraction or int
        Output rate in Hz.
    component : Fraction, optional
        A frequency at the input in Hz, whose images are wanted.

    Returns
    -------
    dict
        ``schema, version, spec, sr, factor, stages, lines``, and ``images`` for a component. A line has
        ``hz, freq ("k/S"), owner, stage, origins, level_db``; where its level is exactly nothing,
        ``level_db`` is None and ``null`` is true. Floats count as the fractions they are; of a chain too large
        for that, or with complex taps, nothing is said to be null.

    Raises
    ------
    ValueError
        If the component is beyond half the input rate, or the factor beyond `MOST`.
    NotAnalysable
        If a stage lowers the rate.

    Examples
    --------
    >>> from dspref import parse
    >>> [line["hz"] for line in predict_document(parse("convt k4 s2 | convt k4 s2"), 32000)["lines"]]
    [0, 8000, 16000]
    """
    sr, S = Fraction(sr), readable(chain.factor)
    found = None if component is None else images(chain, below_half("component", component, sr / S))
    proof = provable(chain)
    null = nulls(None if proof is None else proof.offset_response())
    document: Document = {
        "schema": "dspref.predict/1",
        "version": __version__,
        "spec": spec(chain),
        **number("sr", sr),
        "factor": S,
        "stages": stages_of(chain, sr),
        "lines": [_line(line, S, sr, null(line.freq)) for line in tone_lines(chain)],
    }
    if found is not None:
        null = nulls(None if proof is None else proof.collapse().h)
        document["images"] = [_image(image, sr, null(image.freq)) for image in found]
    return document


def whence_document(chain: Chain, hertz: Iterable[Fraction], sr: Fraction | int) -> Document:
    """Return, for each frequency in Hz, which layer can put a line there and which cannot.

    Where all taps are known and leave exactly nothing there, the answer has ``null: true`` too.

    Examples
    --------
    >>> from dspref import parse
    >>> chain = parse("convt k4 s2 | convt k4 s2 | convt k4 s2")
    >>> whence_document(chain, [Fraction(12000)], 32000)["queries"]
    [{'hz': 12000, 'owner': 1, 'stage': 0, 'origins': [1], 'cannot': [2, 3], 'nearest_hz': 12000}]
    """
    sr, S = Fraction(sr), readable(chain.factor)
    proof = provable(chain) if S > 1 else None
    null = nulls(None if proof is None else proof.offset_response())
    queries = []
    for hz in hertz:
        answer = whence(chain, below_half("frequency", hz, sr))
        queries.append(
            {
                **number("hz", hz),
                "owner": answer.owner,
                "stage": answer.stage,
                "origins": list(answer.origins),
                "cannot": list(answer.cannot),
                **number("nearest_hz", answer.nearest * sr),
                **({"null": True} if answer.owner and null(answer.freq) else {}),
            }
        )
    return {"schema": "dspref.whence/1", **number("sr", sr), "spec": spec(chain), "queries": queries}


def presets_document(known: Iterable[Preset]) -> Document:
    """Return known architectures: ``name, spec, sr, factor, grid_hz, source, note`` of each.

    Examples
    --------
    >>> from dspref import preset
    >>> presets_document([preset("melgan")])["presets"][0]["grid_hz"]
    86.1328125
    """
    return {"schema": "dspref.presets/1", "presets": [_preset(p) for p in known]}


def _preset(p: Preset) -> Document:
    factor = p.chain.factor
    rates = {"sr": p.sr, "factor": factor, **number("grid_hz", Fraction(p.sr, factor))}
    return {"name": p.name, "spec": p.spec, **rates, "source": p.source, "note": p.note}


def doctor_document(needed: Iterable[str], optional: Mapping[str, tuple[str, str]]) -> Document:
    """Return which versions are installed: ``python, packages, ok``, ok if every package needed is there.

    Parameters
    ----------
    needed : names of packages
    optional : for each package, what it gives and the extra that installs it

    Examples
    --------
    >>> doctor_document(["no-such-package"], {})["packages"]
    [{'name': 'no-such-package', 'version': None, 'needed': True, 'gives': None}]
    """
    rows = [{"name": n, "version": _version(n), "needed": True, "gives": None} for n in needed]
    rows += [{"name": n, "version": _version(n), "needed": False, "gives": gives} for n, (gives, _) in optional.items()]
    whole = all(row["version"] for row in rows if row["needed"])
    return {"schema": "dspref.doctor/1", "python": platform.python_version(), "packages": rows, "ok": whole}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def stages_of(chain: Chain, sr: Fraction | int) -> list[Document]:
    """Return one row per stage: its place, its ordinal among the upsampling layers, and its rates."""
    owners = {place: owner for owner, (place, _) in enumerate(chain.upsamplers, 1)}
    rates = chain.rates(sr)
    return [
        {
            "stage": place,
            "owner": owners.get(place),
            "op": stage.op,
            "length": stage.length,
            "factor": stage.factor,
            **number("rate_in", rates[place]),
            **number("rate_out", rates[place + 1]),
            "overlap": _overlap(stage),
            "spec": token(stage),
        }
        for place, stage in enumerate(chain.stages)
    ]


def number(name: str, value: Fraction) -> Document:
    """Return a frequency as a JSON number, and as a fraction too where the decimal is not exact.

    Examples
    --------
    >>> number("hz", Fraction(11025, 2)), number("hz", Fraction(16000, 3))
    ({'hz': 5512.5}, {'hz': 5333.333333333333, 'hz_exact': '16000/3'})
    """
    value = Fraction(value)
    plain = int(value) if value.denominator == 1 else float(value)
    return {name: plain} | ({} if Fraction(str(plain)) == value else {f"{name}_exact": str(value)})


def _line(line: Line, S: int, sr: Fraction, null: bool) -> Document:
    return {
        **number("hz", line.hz(sr)),
        "freq": f"{line.freq * S}/{S}",
        "owner": line.owner,
        "stage": line.stage,
        "origins": list(line.origins),
        **_level("level_db", line.amplitude, null),
    }


def _image(image: Image, sr: Fraction, null: bool) -> Document:
    return {
        **number("hz", image.freq * sr),
        "freq": str(image.freq),
        "order": image.order,
        "owner": image.owner,
        "stage": image.stage,
        **_level("gain_db", image.gain, null),
    }


def _level(name: str, amplitude: Array | None, null: bool) -> Document:
    """Return a level in dB: None where it is not known, and where nothing is left ("null": true)."""
    if amplitude is None:
        return {name: None}
    if null:
        return {name: None, "null": True}
    if not amplitude.any():  # nothing is left of it in floating point: that proves no null
        return {name: None}
    return {name: round(20 * math.log10(np.abs(amplitude).max()), 6)}


def _overlap(stage: Stage) -> str | None:
    """Return how stamps overlap, for layers that stamp or shuffle."""
    outline = outlined(stage)
    if outline is None or outline.op == "conv":
        return None
    return "none" if outline.op == "shuffle" else overlap(outline.length, outline.stride, outline.dilation)


def readable(factor: int) -> int:
    """Return the factor of a chain, if anyone could read all of its lines."""
    if factor > MOST:
        raise ValueError(complaint("factor of the chain", factor, f"at most {MOST}", "ask for fewer layers at a time"))
    return factor


def below_half(what: str, hz: Fraction, rate: Fraction) -> Fraction:
    """Return a frequency in cycles per sample, if it is one that the rate can hold."""
    if not 0 <= hz <= rate / 2:
        raise ValueError(complaint(what, f"{_plain(hz)} Hz", f"0 … {_plain(rate / 2)} Hz, half of {_plain(rate)} Hz"))
    return hz / rate


def _plain(hz: Fraction) -> str:
    return str(hz if number("", hz).get("_exact") else number("", hz)[""])
