"""The page on the article's eight networks: what theory expects, what draws show, and what the article's pictures do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dspref.arrays import complaint
from dspref.expected import Expected
from dspref.spectrum import nulls
from torchparity.known import EIGHT, network_named
from torchparity.models.eight import (
    LINES,
    Level,
    Seen,
    expected_depth,
    expected_height,
    expected_level,
    foreseen,
    seen,
)
from torchparity.models.eight_pictures import ARTICLE, INTERPOLATED, SPAN, USUAL, Panel, beside, panel, sheet
from torchparity.models.eight_read import read_depth, read_height, read_spectrum

DRAWS = 24
"""Draws of each network: the standard error of a tone is then about 0.5 dB."""

DEPTH = 4
"""Levels of interpolating networks that theory looks at: with 16 channels the two innermost add less than 0.01 dB."""

ARTICLE_SIZE = {"channels": 100}

CHANGES = {
    "transposed": ("demucs-like-transposed", "modified-transposed"),
    "sub-pixel": ("demucs-like-subpixel", "modified-subpixel"),
}
"""Networks of Fig. 1, and what Fig. 9 makes of them."""


@dataclass(frozen=True)
class Subject:
    """One network: theory, draws, a picture, and levels read off the article's.

    Attributes
    ----------
    name : str
    found : Expected
        Of the narrow network.
    drawn : Seen
    panel : Panel
    large : mapping
        Heights at `LINES` to expect at the article's size, for weights "rescaled" and "as drawn".
    read : mapping
        Heights and depths at `LINES` in the article's picture, where that was given.
    """

    name: str
    found: Expected
    drawn: Seen
    panel: Panel
    large: Mapping[str, tuple[float, ...]]
    read: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def own(self) -> tuple[int, ...]:
        """Which of `LINES` to tell of: 11 025 Hz; of MelGAN, where that is half the rate, both."""
        return (0, 1) if network_named(self.name).sr == 22050 else (0,)


def subject(
    name: str, *, draws: int = DRAWS, folder: Path | None = None, progress: Callable[[str], None] = lambda words: None
) -> Subject:
    """Return all that there is to say of a network.

    Parameters
    ----------
    name : one of `torchparity.known.EIGHT`
    draws : int
    folder : path, optional
        With the article's pictures, to read levels off.
    progress : function
    """
    interpolates = name in INTERPOLATED
    found = foreseen(name, **({"depth": DEPTH} if interpolates else {}))
    drawn = seen(name, draws=draws, double=interpolates, progress=progress)
    picture = panel(name, found, double=interpolates)
    return Subject(name, found, drawn, picture, {} if interpolates else _large(name), _read(name, folder))


def _large(name: str) -> dict[str, tuple[float, ...]]:
    sizes = ARTICLE_SIZE if network_named(name).rescale else {}
    found = {"rescaled": foreseen(name, **sizes)} if sizes else {}
    found["as drawn"] = foreseen(name, rescaled=False, **sizes)
    return {law: tuple(expected_height(e, line) for line in range(len(LINES))) for law, e in found.items()}


def _read(name: str, folder: Path | None) -> dict[str, tuple[float, ...]]:
    if folder is None:
        return {}
    levels = read_spectrum(folder / f"{ARTICLE[name]}.png", span_db=SPAN.get(name, USUAL))
    places = [float(2 * nu) for nu in LINES]
    return {
        "height": tuple(read_height(levels, place) for place in places),
        "depth": tuple(read_depth(levels, place) for place in places),
    }


def check_folder(folder: Path) -> None:
    """Refuse a folder in which one of the article's pictures is missing.

    Examples
    --------
    >>> check_folder(Path("nowhere"))
    Traceback (most recent call last):
    ValueError: folder of the article's figures: got nowhere without melgan.png; allowed: one with all of them. \
Hint: demucs.png, demucs_mod.png, linear.png, melgan.png, nearest.png, subpixelcnn.png, subpixelcnn_mod.png
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
    draws = len(subjects[0].drawn.tones)
    return "\n".join(
        [
            HEAD.format(draws=draws),
            *_table(TONES, [row for each in subjects for row in _tones(each)]),
            DROPS,
            *_table(DROP, [_drop(kind, named[a], named[b]) for kind, (a, b) in CHANGES.items()]),
            VALLEYS,
            *_table(VALLEY, [row for name in INTERPOLATED for row in _valleys(named[name])]),
            DIFFERS,
        ]
    )


TONES = (
    "network", "tone at", "level, expected", "drawn", "over floor, expected", "drawn",
    "at the article's size", "weights not rescaled", "the article's picture",
)  # fmt: skip
DROP = ("", "expected", "drawn", "at the article's size", "weights not rescaled", "the article's pictures")
VALLEY = ("network", "valley at", "order of the null", "expected", "drawn", "the article's picture")


def _tones(each: Subject) -> list[tuple[str, ...]]:
    """Return a row for each tone of a network; of one that has none, that there is none."""
    rows = []
    for line in each.own:
        level, sr = expected_level(each.found, line), each.panel.sr
        heights = (
            (_db(expected_height(each.found, line)), _pm(each.drawn.height(line))) if level is not None else ("–",) * 2
        )
        large = tuple(_db(each.large[law][line]) if law in each.large else "–" for law in ("rescaled", "as drawn"))
        name = f"{each.name}, {EIGHT[each.name]}"
        told = _db(level) if level is not None else "none"
        read = _db(each.read["height"][line]) if each.read and level is not None else "–"
        rows.append((name, _hz(line, sr), told, _pm(each.drawn.level(line)), *heights, *large, read))
    return rows


def _drop(kind: str, before: Subject, after: Subject) -> tuple[str, ...]:
    expected = expected_height(before.found, 0) - expected_height(after.found, 0)
    large = (_db(before.large[law][0] - after.large[law][0]) for law in ("rescaled", "as drawn"))
    read = _db(before.read["height"][0] - after.read["height"][0]) if before.read else "–"
    return kind, _db(expected), _pm(before.drawn.height(0) - after.drawn.height(0)), *large, read


def _valleys(each: Subject) -> list[tuple[str, ...]]:
    order = {null.freq: null.order for null in nulls(INTERPOLATED[each.name])}
    return [
        (
            each.name,
            _hz(line, each.panel.sr),
            str(order[nu]),
            _db(expected_depth(each.found, line)),
            _pm(each.drawn.depth(line)),
            _db(each.read["depth"][line]) if each.read else "–",
        )
        for line, nu in enumerate(LINES)
    ]


def _hz(line: int, sr: int) -> str:
    return f"{float(LINES[line] * sr):g} Hz"


def _db(level: float) -> str:
    return f"{level:.1f}".replace("-", "−")


def _pm(level: Level | None) -> str:
    return "none seen" if level is None else f"{_db(level.db)} ± {level.error:.1f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]


HEAD = """\
# The article's eight networks, fed with white noise

Made by `python -m torchparity.models eight -o docs --beside FOLDER`, FOLDER with the article's own figures. Networks
are those of `torchparity.known.EIGHT` at reduced width: 16 channels in the first of six layers in place of 100;
MelGAN is as large as the article's. Weights are as before training, inputs are white noise of power 1 in each channel.

![spectrograms of the eight networks](figures/eight.png)

First channel of the first draw; 0 dB is the strongest cell; Hann frames of 2048 samples, four bins to a row. At the
right edge, ticks stand where lines are expected that can be seen (those of combs up to sr/32), and triangles at nulls
of the last interpolation, all proved (`dspref.spectrum.nulls`).

## Tones

Levels are in dB re the input; "over floor" is by how much a spectrum of 2048 samples under a Hann window shows the tone
over the floor beside it, floor included. Expected: `dspref.expected` of the network without its LSTM, averaged over
draws. Drawn: {draws} networks with LSTM, eight channels each (MelGAN: one), ± standard error of the mean. One draw lies
−12.9 to +4.8 dB off the mean in 90 % of cases (at half the rate −24.1 to +5.8). The last column is one draw, too: it
is read off the article's picture by its colour bar, where rows of pixels leave bins out; a tone of it is up to 6 dB too
low.
"""

DROPS = """
## What modification does to the tone at 11 025 Hz

In dB over the floor, Fig. 1 less Fig. 9: no biases, and no ReLUs in the first layer.
"""

VALLEYS = """
## Valleys

Level of the floor at the null re the mean of the floor, in dB, as the same spectrum shows it: the window fills a null
from beside. Draws are in double precision. Theory is of four levels: with 16 channels the two innermost add less than
0.01 dB there.
"""

DIFFERS = """
## What differs from the article's figures, and why

- **Width.** Tones of our narrow networks stand higher over the floor than those of the article's size: biases make the
  offset, and in a wide network the floor that comes of the inner layers is stronger. The column "at the article's size"
  is theory alone; it is to the pictures what one draw is to a mean.
- **Fig. 9 shows less tone than theory expects of it.** With weights rescaled, as Demucs's are and as section 6 says
  that these are, theory expects at the article's size the modified tones of the table, 13 and 17 dB over the floor: the
  inner layers amplify, and GLUs make offsets of strong signals without any bias. The pictures have none. Theory has
  none either where weights are not rescaled. Either these pictures are of networks without rescaling, or of draws that
  are as rare as one in a thousand (5 % and 2 %). The article does not say; Fig. 1 fits both.
- **Fig. 1 has fainter lines at multiples of 2756.25 Hz** than our narrow networks: that, too, is as without rescaling.
- **Linear interpolation.** The article's picture is darkest near half the rate at 1, 3 and 5 seconds. That is
  `align_corners=True`: T samples become 4T at n (T − 1)/(4T − 1) in place of n/4, so that in six seconds the phase drifts
  by three output samples, and at half a sample from the grid, three times, the filter has one null more at half the
  rate. With it our picture is as the article's; without, which is Torch's default and what the table is of, the filter
  is at half a sample from the grid all the time. At 11 025 Hz the article's valley ends at what its rounding leaves.
- **0 dB** of the article's colour bars is not the strongest cell of its Fig. 9. Levels here are differences.
- **MelGAN** is fed with 80 channels of noise at the rate of its frames, as the article's must have been: it says "input:
  white noise".
- **Demucs.** Fig. 1, b is called Demucs there and Demucs-like in Table 1. Both are shown; they differ by two taps in the
  encoder's second convolutions. Table 1's linear interpolation has a picture among the article's files, but not in it.
- **LSTM.** Theory leaves it out. In these draws it moves no tone by 0.1 dB but for Demucs, whose draws without it are
  other draws.
"""
