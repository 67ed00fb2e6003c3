"""The page on the article's eight networks: what theory expects, what draws show, what the article's pictures show."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from dspref.arrays import Array, complaint
from dspref.expected import Expected
from dspref.expected.visible import DIGITS
from dspref.spectrum import nulls
from torchparity.known import EIGHT
from torchparity.models.eight.pictures import ARTICLE, INTERPOLATED, beside, panel, sheet
from torchparity.models.eight.read import read_depth, read_height
from torchparity.models.eight.spectra import LINES, Level
from torchparity.models.eight.subject import Subject
from torchparity.models.eight.theory import expected_depth, expected_height, expected_level, foreseen
from torchparity.models.eight.words import DIFFERS, DROPS, FAINTER, HEAD, VALLEYS

CHANGES = {
    "transposed": ("demucs-like-transposed", "modified-transposed"),
    "sub-pixel": ("demucs-like-subpixel", "modified-subpixel"),
}
"""Networks of Fig. 1, and what Fig. 9 makes of them."""


FINE = tuple(Fraction(k, 16) for k in (1, 2, 3, 5, 6, 7))
"""Lines of the second comb, at multiples of 2756.25 Hz that are none of 11 025."""

OVERLOOKED = 3.0
"""dB over the floor up to which a line of a picture may be overlooked."""

MEL: dict[str, float] = {"constant": 1.0, "power": 0.02}
"""An input such as the logarithm of a spectrogram of noise has: nearly constant."""


def check_folder(folder: Path) -> None:
    """Refuse a folder in which one of the article's pictures is missing.

    Examples
    --------
    >>> check_folder(Path("nowhere"))
    Traceback (most recent call last):
    ValueError: folder of the article's figures: got nowhere without melgan.png; allowed: one with all of them. \
Hint: demucs.png, demucs_mod.png, linear.png, melgan.png, nearest.png, subpixelcnn.png, subpixelcnn_mod.png.
    """
    wanted = [f"{file}.png" for file in ARTICLE.values()]
    missing = [file for file in wanted if not (folder / file).is_file()]
    if missing:
        got, hint = f"{folder} without {missing[0]}", ", ".join(sorted(set(wanted)))
        raise ValueError(complaint("folder of the article's figures", got, "one with all of them", hint))


def write(subjects: Sequence[Subject], folder: Path, *, article: Path | None = None) -> tuple[Path, ...]:
    """Write eight.md, figures/eight.png, and figures/eight-beside.png where the article's figures are given.

    Returns
    -------
    tuple of Path
        What was written.
    """
    page, picture = folder / "eight.md", folder / "figures" / "eight.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(to_markdown(subjects), "utf-8")
    picture.write_bytes(sheet([each.panel for each in subjects]))
    if article is None:
        return page, picture
    linear = next(each for each in subjects if each.name == "demucs-like-linear")
    both = picture.with_name("eight-beside.png")
    panels = [*(each.panel for each in subjects), panel(linear.name, linear.found, double=True, aligned=True)]
    both.write_bytes(beside(panels, article))
    return page, picture, both


def to_markdown(subjects: Sequence[Subject]) -> str:
    """Return the page."""
    named = {each.name: each for each in subjects}
    mel = foreseen("melgan", constant=MEL["constant"], power=MEL["power"])
    told = {
        "rare": [
            f"{100 * rare(expected_height(named[b].large['rescaled'], LINES[0])):.0f} %" for _, b in CHANGES.values()
        ],
        "mel": [_db(expected_height(mel, LINES[0])), _db(_comb_height(mel, 32)), _db(_comb_height(mel, 256))],
        "noise": [_db(_comb_height(named["melgan"].found, M)) for M in (32, 256)],
    }
    return "\n".join(
        [
            HEAD.format(draws=len(subjects[0].drawn.tones)),
            *_table(TONES, [row for each in subjects for row in _tones(each)]),
            DROPS,
            *_table(DROP, [_drop(kind, named[a], named[b]) for kind, (a, b) in CHANGES.items()]),
            FAINTER,
            *_table(FAINT, [_fainter(named[a]) for a, _ in CHANGES.values()]),
            VALLEYS,
            *_table(VALLEY, [row for name in INTERPOLATED for row in _valleys(named[name])]),
            DIFFERS.format(**told),
        ]
    )


def rare(height: float) -> float:
    """Return in which share of draws a line expected at `height` over the floor is one that is overlooked.

    ``abs(c)²`` of a draw is exponential.

    Examples
    --------
    >>> round(rare(13.3), 3)
    0.048
    """
    return -math.expm1(-_over(OVERLOOKED) / _over(height))


def _over(height: float) -> float:
    """Return by how much power a line adds to a floor of 1."""
    return float(10 ** (height / 10) - 1)


def _comb_height(found: Expected, divisor: int) -> float:
    return expected_height(found, Fraction(1, divisor))


TONES = (
    "network", "tone at", "level, expected", "drawn", "over floor, expected", "drawn",
    "at the article's size", "there, not rescaled", "the article's picture",
)  # fmt: skip
DROP = ("", "expected", "drawn", "at the article's size", "there, not rescaled", "the article's pictures")
FAINT = ("network", "expected", "at the article's size", "there, not rescaled", "the article's picture")
VALLEY = ("network", "valley at", "order of the null", "expected", "drawn", "the article's picture")


def _tones(each: Subject) -> list[tuple[str, ...]]:
    """Return a row for each tone of a network; of one that has none, that there is none."""
    rows = []
    for line in each.own:
        nu = LINES[line]
        level, head = expected_level(each.found, nu), (f"{each.name}, {EIGHT[each.name]}", _hz(nu, each.panel.sr))
        if level is None:
            rows.append((*head, "none", _pm(each.drawn.level(line)), *["–"] * 5))
            continue
        levels = (_db(level), _pm(each.drawn.level(line)))
        heights = (_db(expected_height(each.found, nu)), _pm(each.drawn.height(line)))
        rows.append((*head, *levels, *heights, *_large_heights(each, nu), _read(each, nu, read_height)))
    return rows


def _large_heights(each: Subject, nu: Fraction) -> tuple[str, str]:
    laws = ("rescaled", "as drawn") if "rescaled" in each.large else ("as drawn", "rescaled")  # MelGAN never is
    first, second = (_db(expected_height(each.large[law], nu)) if law in each.large else "–" for law in laws)
    return first, second


def _read(each: Subject, nu: Fraction, what: Callable[[Array, float], float]) -> str:
    """Return what the article's picture says; nothing at half the rate, which its frame covers."""
    return "–" if each.read is None or 2 * nu == 1 else _db(what(each.read, float(2 * nu)))


def _fainter(each: Subject) -> tuple[str, ...]:
    """Return by how much lines at odd multiples of 2756.25 Hz stand over the floor: the mean of their powers."""
    told = [_db(_comb_height(found, 16)) for found in (each.found, each.large["rescaled"], each.large["as drawn"])]
    if each.read is None:
        return each.name, *told, "–"
    power = np.mean([max(_over(read_height(each.read, float(2 * nu))), 0.0) for nu in FINE])
    return each.name, *told, _db(10 * math.log10(1 + power))


def _drop(kind: str, before: Subject, after: Subject) -> tuple[str, ...]:
    nu = LINES[0]
    pairs = [(before.found, after.found), *((before.large[law], after.large[law]) for law in ("rescaled", "as drawn"))]
    narrow, *large = (_db(expected_height(a, nu) - expected_height(b, nu)) for a, b in pairs)
    drawn = before.drawn.height(0) - after.drawn.height(0)
    read = "–"
    if before.read is not None and after.read is not None:
        read = _db(read_height(before.read, float(2 * nu)) - read_height(after.read, float(2 * nu)))
    return kind, narrow, _pm(drawn), *large, read


def _valleys(each: Subject) -> list[tuple[str, ...]]:
    order = {null.freq: null.order for null in nulls(INTERPOLATED[each.name])}
    return [
        (
            each.name,
            _hz(nu, each.panel.sr),
            str(order[nu]),
            _deep(expected_depth(each.found, nu)),
            _pm(each.drawn.depth(line)),
            _read(each, nu, read_depth),
        )
        for line, nu in enumerate(LINES)
    ]


def _hz(nu: Fraction, sr: int) -> str:
    return f"{float(nu * sr):g} Hz"


def _db(level: float) -> str:
    return f"{level:.1f}".replace("-", "−")


def _deep(level: float | None) -> str:
    return f"under {_db(-DIGITS)}" if level is None else _db(level)


def _pm(level: Level | None) -> str:
    return "none seen" if level is None else f"{_db(level.db)} ± {level.error:.1f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
