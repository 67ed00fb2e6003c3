"""The numbers behind figures, stored beside this module, and what differs from them.

Levels are stored to 0.01 dB, and agree if they are the stored ones to 0.01: either may have been rounded to the other
side. Levels that double precision has lost are stored as none. Whole numbers, as samples in millionths, and words are
equal or not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from dspref.arrays import complaint
from dspref.console import json_text, write
from dspref.figures.picture import Picture

HELD = "numbers"
"""The folder in this package."""


def stored(name: str) -> dict[str, Any] | None:
    """Return the stored numbers of a figure, by panel; None where there are none.

    Raises
    ------
    ValueError
        If the file is broken.
    """
    file = files("dspref.figures") / HELD / f"{name}.json"
    if not file.is_file():
        return None
    try:
        found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        got = f"{name}.json, which is broken ({error})"
        raise ValueError(complaint(f"numbers of {name}", got, "the file that comes with dspref")) from None
    return found


def store(picture: Picture) -> Path:
    """Write the numbers of a figure to where `stored` looks for them: for those who change figures."""
    path = Path(str(files("dspref.figures") / HELD)) / f"{picture.name}.json"
    write(path, json_text(picture.numbers))
    return path


def differences(picture: Picture) -> tuple[str, ...]:
    """Return in words where a figure's numbers are not the stored ones; nothing where all agree.

    Raises
    ------
    ValueError
        If none are stored, or the file is broken.

    Examples
    --------
    >>> from dspref.figures import picture
    >>> differences(picture("fig3"))
    ()
    """
    due = stored(picture.name)
    if due is None:
        allowed = "a figure whose numbers are stored"
        raise ValueError(complaint(f"numbers of {picture.name}", "none stored", allowed))
    return tuple(_differing(json.loads(json.dumps(picture.numbers)), due, picture.name))


def counted(numbers: Any) -> int:
    """Return how many numbers and words there are.

    Examples
    --------
    >>> counted({"levels": [1.0, None], "words": "none"})
    3
    """
    if isinstance(numbers, dict):
        return sum(map(counted, numbers.values()))
    return sum(map(counted, numbers)) if isinstance(numbers, list) else 1


def _differing(found: Any, due: Any, where: str) -> Iterator[str]:
    """Yield what differs, with the way to it."""
    if isinstance(found, dict) and isinstance(due, dict):
        for key in sorted(found.keys() | due.keys()):
            if key in found and key in due:
                yield from _differing(found[key], due[key], f"{where}, {key}")
            else:
                yield f"{where}: {key!r} is {'new' if key in found else 'missing'}"
    elif isinstance(found, list) and isinstance(due, list) and len(found) == len(due):
        for i, pair in enumerate(zip(found, due, strict=True)):
            yield from _differing(*pair, f"{where}[{i}]")
    elif not agree(found, due):
        yield f"{where}: {_short(found)}, stored {_short(due)}"


def agree(found: Any, due: Any) -> bool:
    """Return whether a level is the stored one to 0.01 dB, or anything else is equal.

    Examples
    --------
    >>> agree(-9.55, -9.54), agree(-9.56, -9.54), agree(3, 4), agree(None, -9.54)
    (True, False, False, False)
    """
    if isinstance(found, float) and isinstance(due, float):
        return round(100 * abs(found - due)) <= 1
    return type(found) is type(due) and bool(found == due)


def _short(content: Any) -> str:
    if isinstance(content, (list, dict)):
        return f"{len(content)} values"
    return repr(content)
