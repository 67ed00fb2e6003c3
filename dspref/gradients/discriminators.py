"""Discriminators in words: ``conv k15 p7 | leaky 0.2 | conv k41 s4 p20``, and known ones by name.

The words of `dspref.spec`, and beside them

    avgpool k s p       average pooling of k samples at every s-th (k), padding p (0)
    maxpool k s p       maximum pooling
    lppool k s n        pooling by the norm of power n (2)
    phaseshuffle n      WaveGAN's: a shift drawn from −n … n
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from dspref.arrays import as_choice, complaint, did_you_mean
from dspref.chain import POINTWISE, Chain, Stage
from dspref.gradients.decimators import LETTERS, PhaseShuffle, Pool, stage_words
from dspref.spec import LETTERS as LAYERS
from dspref.spec import parse, token
from dspref.words import LARGEST, SpecError, Token


def read_discriminator(text: str) -> Chain:
    """Read a discriminator in words.

    Parameters
    ----------
    text : str
        Stages split by ``|``, first to last.

    Returns
    -------
    Chain
        Convolutions as `dspref.Outline`, since words give no weights.

    Raises
    ------
    SpecError
        Says the column, what stands there, and what may.

    Examples
    --------
    >>> read_discriminator("conv k25 s4 p10 | leaky 0.2 | phaseshuffle n2 | avgpool k4").stages[2:]
    (PhaseShuffle(n=2), Pool(kind='average', length=4, stride=4, padding=0, power=2))
    """
    own: dict[int, Stage] = {}
    parts, start = _parts(text), 1
    for place, part in enumerate(parts):
        words = [Token(word.group(), start + word.start()) for word in re.finditer(r"\S+", part)]
        start += len(part) + 1
        if words and words[0].text in LETTERS:
            own[place] = _stage(words)
            parts[place] = "relu".ljust(len(part))  # holds its place, so that columns stay
        elif words:
            _check_head(words[0])
    stages = parse("|".join(parts)).stages
    return Chain(own.get(place, stage) for place, stage in enumerate(stages))


def _parts(text: object) -> list[str]:
    if not isinstance(text, str):
        hint = "it is read already" if isinstance(text, Chain) else ""
        raise TypeError(complaint("discriminator", repr(text), "a str of stages split by |", hint))
    return text.split("|")


def _check_head(head: Token) -> None:
    """Refuse a stage that nobody knows, with all the names there are."""
    known = (*LAYERS, *POINTWISE, *LETTERS)
    op = head.text.partition(":")[0]
    if op not in known and "," not in op:
        hint = did_you_mean(op.lower(), known)
        raise SpecError(head.column, complaint("layer", repr(head.text), ", ".join(known), hint))


def _stage(words: list[Token]) -> Stage:
    """Read pooling or a phase shuffle: a word, then letters with integers."""
    head, numbers = words[0], dict[str, int]()
    for word in words[1:]:
        found = re.fullmatch(r"([a-z])([0-9]{1,7})", word.text)
        if found is None or int(found[2]) > LARGEST:
            allowed = f"{', '.join(LETTERS[head.text])}, each with an integer up to {LARGEST}"
            raise SpecError(word.column, complaint(f"parameter of {head.text}", repr(word.text), allowed))
        if found[1] in numbers:
            before = f"{found[1]}{numbers[found[1]]} and {word.text}"
            raise SpecError(word.column, complaint(f"parameter {found[1]} of {head.text}", before, "one of each"))
        numbers[found[1]] = int(found[2])
    try:
        return stage_words(head.text, numbers)
    except ValueError as error:
        raise SpecError(head.column, str(error)) from None


def stage_text(stage: Stage) -> str:
    """Return the words for one stage.

    Examples
    --------
    >>> stage_text(Pool("average", 4, stride=2, padding=1)), stage_text(PhaseShuffle(2))
    ('avgpool k4 s2 p1', 'phaseshuffle n2')
    """
    return stage.words if isinstance(stage, (Pool, PhaseShuffle)) else token(stage)


def discriminator_text(chain: Chain) -> str:
    """Return the words for a chain: `read_discriminator` of them is the chain, where it holds no weights."""
    return " | ".join(stage_text(stage) for stage in chain.stages)


@dataclass(frozen=True)
class Discriminator:
    """A known discriminator.

    Attributes
    ----------
    name : str
    spec : str
        In words.
    period : int
        Columns that the input is cut into first; 1 for none.
    sr : int
        Rate in Hz of its input, as it is known to be used.
    source : str
        Where it was read.
    """

    name: str
    spec: str
    period: int
    sr: int
    source: str

    @property
    def chain(self) -> Chain:
        """The stages."""
        return read_discriminator(self.spec)


def _joined(convolutions: Iterable[str], slope: str, last: str, between: str = "") -> str:
    return "".join(f"{conv} | leaky {slope} | {between}" for conv in convolutions) + last


def _scales(name: str, spec: str, pool: str, source: str) -> Iterable[Discriminator]:
    """Yield the three of a multi-scale discriminator: the same stages after no, one and two poolings."""
    for poolings, ending in enumerate(("", "-half", "-quarter")):
        place = ("first", "second", "third")[poolings]
        yield Discriminator(name + ending, pool * poolings + spec, 1, 22050, f"{source}: the {place} of three scales")


_MELGAN = _joined(["conv k15 p7", *["conv k41 s4 p20"] * 4, "conv k5 p2"], "0.2", "conv k3 p1")
_SCALE = _joined(
    ["conv k15 p7", *["conv k41 s2 p20"] * 2, *["conv k41 s4 p20"] * 2, "conv k41 p20", "conv k5 p2"],
    "0.1",
    "conv k3 p1",
)
_PERIOD = _joined([*["conv k5 s3 p2"] * 4, "conv k5 p2"], "0.1", "conv k3 p1")
_WAVEGAN = _joined(["conv k25 s4 p10"] * 4, "0.2", "conv k25 s4 p10 | leaky 0.2", "phaseshuffle n2 | ")

_HIFIGAN = "jik876/hifi-gan, models.py"

_ALL = (
    *_scales("melgan", _MELGAN, "avgpool k4 s2 p1 | ", "descriptinc/melgan-neurips, mel2wav/modules.py"),
    *_scales("hifigan-scale", _SCALE, "avgpool k4 s2 p2 | ", f"{_HIFIGAN}, DiscriminatorS"),
    *(
        Discriminator(f"hifigan-period-{p}", _PERIOD, p, 22050, f"{_HIFIGAN}, DiscriminatorP of period {p}")
        for p in (2, 3, 5, 7, 11)
    ),
    Discriminator(
        "wavegan",
        _WAVEGAN,
        1,
        16000,
        "chrisdonahue/wavegan, wavegan.py: phase shuffle of 2 after all layers but the last; its paddings of 10 and 11 "
        "are written as 10; the dense layer behind gives each sample an upstream gradient of its own",
    ),
)

DISCRIMINATORS: dict[str, Discriminator] = {known.name: known for known in _ALL}
"""Known discriminators by name."""


def discriminator(name: str) -> Discriminator:
    """Return a known discriminator.

    Raises
    ------
    ValueError
        If there is none of that name; the message says which there are.

    Examples
    --------
    >>> discriminator("hifigan-period-3").period
    3
    """
    return DISCRIMINATORS[as_choice("discriminator", name, DISCRIMINATORS)]
