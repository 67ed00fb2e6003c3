"""Rows of a sweep from a file: TOML (``[[row]]``), JSON lines, or CSV with a line of names."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from dspref.arrays import complaint, did_you_mean
from dspref.console import read_hertz
from torchparity.sweep_grid import Architecture
from torchparity.sweep_words import law, whole

KEYS = ("spec", "target", "name", "channels", "init", "bias", "sr")
"""What a row may say; one of the first two it must."""

SWITCH = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}


def read_rows(path: str) -> tuple[Architecture, ...]:
    r"""Return the architectures that a file lists.

    Parameters
    ----------
    path : str
        A file whose name ends in .toml, .jsonl or .csv.

    Raises
    ------
    ValueError
        Names the row that can't be read, and why.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "rows.csv"
    >>> _ = file.write_text("spec,bias\nconvt k8 s4 p2,off\n")
    >>> [(source.words, source.bias) for source in read_rows(str(file))]
    [('convt k8 s4 p2', False)]
    """
    place = Path(path)
    reader = _READERS.get(place.suffix)
    if reader is None:
        raise ValueError(complaint("rows", path, f"a file {', '.join(f'*{suffix}' for suffix in _READERS)}"))
    try:
        entries = reader(place.read_text("utf-8-sig"))
    except OSError as error:
        raise ValueError(complaint("rows", f"{path}: {error.strerror}", "a file that can be read")) from None
    except ValueError as error:  # of each of the three formats, or bytes that are no text
        raise ValueError(complaint("rows", f"{path}, {error}", f"what {place.suffix[1:].upper()} says it is")) from None
    if not entries:
        raise ValueError(complaint("rows", f"{path}, without any", "at least one row"))
    return tuple(_source(f"{path}, row {number}", entry) for number, entry in enumerate(entries, 1))


def _toml(text: str) -> list[Any]:
    found = tomllib.loads(text)
    if set(found) - {"row"} or not isinstance(found.get("row", []), list):
        raise ValueError("which has more than tables [[row]]")
    return list(found.get("row", []))


def _jsonl(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _csv(text: str) -> list[Any]:
    """Return rows by name of the column; empty cells say nothing, and cells that stick out are named None."""
    found = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        return [{name: cell for name, cell in row.items() if cell} for row in found]
    except csv.Error as error:
        raise ValueError(str(error)) from None


_READERS: dict[str, Callable[[str], list[Any]]] = {".toml": _toml, ".jsonl": _jsonl, ".csv": _csv}


def _source(where: str, entry: Any) -> Architecture:
    """Return what one row says."""
    if not isinstance(entry, Mapping) or not all(isinstance(key, str) for key in entry):
        raise ValueError(complaint(where, repr(entry)[:80], f"named values: {', '.join(KEYS)}"))
    for key in entry:
        if key not in KEYS:
            raise ValueError(complaint(where, repr(key), ", ".join(KEYS), did_you_mean(key, KEYS)))
    if len(given := [key for key in ("spec", "target") if key in entry]) != 1:
        raise ValueError(complaint(where, " and ".join(given) or "neither spec nor target", "one of spec and target"))
    try:
        return Architecture(_text(entry[given[0]]), **{key: _READ[key](entry[key]) for key in entry if key in _READ})
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(complaint("value", repr(value), "text"))
    return value


def _channels(value: Any) -> str:
    said = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return ",".join(map(str, whole("channels", said)))


def _init(value: Any) -> str:
    law(_text(value))
    return str(value)


def _bias(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() not in SWITCH:
        raise ValueError(complaint("bias", repr(value), "on or off"))
    return SWITCH[str(value).lower()]


def _hertz(value: Any) -> Fraction:
    return read_hertz(str(value))


_READ: dict[str, Callable[[Any], Any]] = {
    "name": _text,
    "channels": _channels,
    "init": _init,
    "bias": _bias,
    "sr": _hertz,
}
