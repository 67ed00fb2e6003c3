"""Discriminators in words: read and told back, and refused with the column."""

from __future__ import annotations

from fractions import Fraction

import pytest

from dspref import Outline, Pointwise, SpecError
from dspref.gradients.decimators import PhaseShuffle, Pool
from dspref.gradients.discriminators import DISCRIMINATORS, discriminator, discriminator_text, read_discriminator
from dspref.gradients.lines import gradient_lines

ALL = "conv k15 p7 | leaky 0.2 | avgpool k4 s2 p1 | maxpool k3 s1 | lppool k4 s4 n3 | phaseshuffle n2 | linear x1/2"


def test_words_are_read_and_told_back() -> None:
    chain = read_discriminator(ALL)
    assert chain.stages[:6] == (
        Outline("conv", 15, padding=7),
        Pointwise("leaky", (0.2,)),
        Pool("average", 4, stride=2, padding=1),
        Pool("max", 3, stride=1),
        Pool("lp", 4, power=3),
        PhaseShuffle(2),
    )
    assert discriminator_text(chain) == ALL
    assert read_discriminator(discriminator_text(chain)) == chain


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("avgpol k4", 1, "did you mean 'avgpool'?"),
        ("conv k4 | avgpool 4", 19, "parameter of avgpool: got '4'; allowed: k, s, p"),
        ("conv k4 | avgpool k4 q2", 11, "parameter of avgpool: got 'q'"),
        ("conv k4 |  avgpool k4 k5", 23, "parameter k of avgpool: got k4 and k5"),
        ("avgpool s2", 1, "avgpool without k"),
        ("phaseshuffle k2", 1, "parameter of phaseshuffle: got 'k'; allowed: n"),
        ("maxpool k4 p3", 1, "padding of pooling: got 3; allowed: 0 … 2, as Torch"),
        ("maxpool k9999999", 9, "each with an integer up to 1048576"),
        ("avgpool k2 | conv", 14, "conv without k"),
        ("avgpool k2 | conv k4, relu", 21, "stages are split by"),
        ("avgpool k2 |", 12, "nothing beside |"),
        ("", 1, "architecture: got no text"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_column(text: str, column: int, words: str) -> None:
    with pytest.raises(SpecError) as error:
        read_discriminator(text)
    assert (error.value.column, words in str(error.value)) == (column, True), str(error.value)


def test_other_than_text_is_refused() -> None:
    with pytest.raises(TypeError, match="it is read already"):
        read_discriminator(read_discriminator("conv k4"))  # type: ignore[arg-type]


STRIDES = {
    "melgan": (4, 4, 4, 4),
    "melgan-half": (2, 4, 4, 4, 4),
    "melgan-quarter": (2, 2, 4, 4, 4, 4),
    "hifigan-scale": (2, 2, 4, 4),
    "hifigan-scale-half": (2, 2, 2, 4, 4),
    "hifigan-scale-quarter": (2, 2, 2, 2, 4, 4),
    **{f"hifigan-period-{p}": (3, 3, 3, 3) for p in (2, 3, 5, 7, 11)},
    "wavegan": (4, 4, 4, 4, 4),
}


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_known_discriminators_have_their_strides(name: str) -> None:
    known = discriminator(name)
    found = [Fraction(stage.factor).denominator for stage in known.chain.stages if stage.factor < 1]
    assert tuple(found) == STRIDES[name]
    assert set(STRIDES) == set(DISCRIMINATORS)
    lines = gradient_lines(known.chain, period=known.period)
    spacing = Fraction(known.period)
    for owner, s in enumerate(found, 1):
        spacing *= s
        first = next(line for line in lines[1:] if line.owner == owner)
        assert first.freq == 1 / spacing


def test_the_lines_of_known_discriminators_in_hertz() -> None:
    """What the first stride owns: sr/4 of MelGAN and WaveGAN, sr/2 of HiFi-GAN's scales; sr/9 of its period 3."""
    owned = {
        name: [str(line.hz(d.sr)) for line in gradient_lines(d.chain, period=d.period)[1:] if line.owner == 1]
        for name, d in DISCRIMINATORS.items()
    }
    assert owned["melgan"] == ["11025/2", "11025"]
    assert owned["hifigan-scale"] == owned["melgan-half"] == ["11025"]
    assert owned["wavegan"] == ["4000", "8000"]
    assert owned["hifigan-period-3"] == ["2450", "4900", "9800"]


def test_a_name_that_is_not_known() -> None:
    with pytest.raises(ValueError, match=r"discriminator: got 'hifigan-period-4'; allowed: melgan.*did you mean"):
        discriminator("hifigan-period-4")
