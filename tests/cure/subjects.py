"""The decoders that are cured: the article's MelGAN, five of other packages, as published, and narrower ones."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version

import torch
from torch import Tensor, nn

from tests.zoo import makers
from tests.zoo.row import Row
from tests.zoo.standin import torchaudio
from tests.zoo.table import HIFIGAN, ZOO
from torchparity.models import melgan


@dataclass(frozen=True)
class Subject:
    """A decoder, and what it is fed with.

    Attributes
    ----------
    name : str
    row : Row
        What it is.
    settles : str
        Why the response to a constant becomes steady only in the limit; "" where it does behind the borders.
    apart : str
        What was found of lines that are not as predicted; it is told where there are any.
    periods : int
        Of the grid, of a constant: fewer where all that a backward pass needs takes memory, more than borders have.
    """

    name: str
    row: Row
    settles: str = ""
    apart: str = ""
    periods: int = 192


def speecht5() -> nn.Module:
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    model: nn.Module = SpeechT5HifiGan(SpeechT5HifiGanConfig())
    return model


def vits(channels: int = 512) -> nn.Module:
    from transformers import VitsConfig
    from transformers.models.vits.modeling_vits import VitsHifiGan

    model: nn.Module = VitsHifiGan(VitsConfig(upsample_initial_channel=channels))
    return model


def encodec() -> nn.Module:
    from transformers import EncodecConfig, EncodecModel

    decoder: nn.Module = EncodecModel(EncodecConfig()).decoder
    return decoder


def dac() -> nn.Module:
    from transformers import DacConfig, DacModel

    decoder: nn.Module = DacModel(DacConfig()).decoder
    return decoder


MELGAN = Row("MelGAN", f"torch=={version('torch')}", lambda: melgan().eval(), 80, HIFIGAN, 256, 22050, 256, ())

LSTM = "an LSTM in front goes to its fixed point by a factor a step, which is rounding after some ten steps"


APART = """
layer 4 is under its band. Behind it are 4 channels, whose offsets are louder than the noise (claim UA-T31): most
networks have no line. Of 400 others (`python -m tests.cure.crowd`) 22 % of those with lower floors have one over 3 dB,
and 42 % of those with higher ones; the mean of ratios is 13.6 dB, and the ratio of mean powers, which theory has,
24.7 (20.4 … 27.7 in 95 % of a bootstrap), theory 23.8. In effect some 4 loud networks are all of it: that does not
speak against theory, and five draws cannot speak for it. Of layers 1 to 3 the ratios of means are −1.2, 7.2 and 17.5,
theory −1.3, 7.4 and 18.2, of 215, 128 and 19 networks in effect.
"""
"""Of VITS: what more networks say of a row that is not as predicted."""


def _of(name: str, make: Callable[[], nn.Module] | None = None) -> Row:
    """Return a decoder of the zoo, where widths are reduced, or made in another way."""
    row = next(row for row in ZOO if row.name == name)
    return row if make is None else replace(row, make=make)


SPEECHT5, VITS, ENCODEC, DAC, OOBLECK = (
    "transformers SpeechT5 HiFi-GAN",
    "transformers VITS's HiFi-GAN",
    "transformers EnCodec 24k",
    "transformers DAC",
    "diffusers Oobleck",
)

PUBLISHED = (
    Subject("MelGAN", MELGAN),
    Subject("SpeechT5's HiFi-GAN", _of(SPEECHT5, speecht5)),
    Subject("VITS's HiFi-GAN", _of(VITS, vits)),
    Subject("EnCodec 24k", _of(ENCODEC, encodec), settles=LSTM),
    Subject("DAC", replace(_of(DAC, dac), channels=1024)),
    Subject("Oobleck", _of(OOBLECK, partial(makers.oobleck, 128)), periods=48),
)
"""Of the width as published."""

REDUCED = (
    Subject("SpeechT5's, an eighth", _of(SPEECHT5)),
    Subject("VITS's, a quarter", _of(VITS, partial(vits, 128))),
    Subject("VITS's, an eighth", _of(VITS), apart=APART),
    Subject("EnCodec 24k, a quarter", _of(ENCODEC), settles=LSTM),
    Subject("DAC, a twelfth", _of(DAC)),
    Subject("Oobleck, a sixteenth", _of(OOBLECK)),
)
"""Of fewer channels, of which theory says that more is left of lines."""

SUBJECTS = (*PUBLISHED, *REDUCED)


def made(subject: Subject, seed: int) -> nn.Module:
    """Return the decoder with the weights of a seed, in double precision."""
    torch.manual_seed(seed)
    return drawn(subject.row.make).double()


def drawn(make: Callable[[], nn.Module]) -> nn.Module:
    """Make a decoder; what its package warns of in its own code is not ours."""
    with warnings.catch_warnings(), torchaudio():
        warnings.simplefilter("ignore")
        return make().eval()


class Plain(nn.Module):
    """A decoder as one takes it: (1, channel, time) in, and the waveform (1, channel, time) out."""

    def __init__(self, row: Row, module: nn.Module) -> None:
        super().__init__()
        self.row, self.module = row, module

    def forward(self, x: Tensor) -> Tensor:
        """Return the waveform."""
        return self.row.waveform(self.module(*self.row.arguments(x)))
