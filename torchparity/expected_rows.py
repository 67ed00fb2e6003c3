"""Networks whose expected spectra are compared with those of draws: each with its theory, its input and its draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import nn

from dspref.expected import Source, Step, architectures
from dspref.expected.architectures import demucs_decoder, demucs_unet
from torchparity.models import melgan
from torchparity.models.unet import UPSAMPLERS, UNet, decoder

OUT = 32
"""Channels of output: as many networks that share all but their last layer, at the price of one."""


@dataclass(frozen=True)
class Row:
    """A network to draw, and the theory of it.

    Attributes
    ----------
    name : str
    factory : function
        As `torchparity.sampled.sampled` takes it.
    steps : tuple of steps
        As `dspref.expected.expected_spectrum` takes them.
    factors : tuple of int
        Of the layers that raise the rate.
    channels : int
        Of the input.
    inputs : str
        "ones" or "white"; with one channel, white noise is mono.
    draws : int
    options : mapping
        Further ones of `torchparity.sampled.sampled`.
    """

    name: str
    factory: Callable[[], nn.Module] = field(repr=False)
    steps: tuple[Step, ...] = field(repr=False)
    factors: tuple[int, ...]
    channels: int
    inputs: str
    draws: int
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> Source:
        """The input, for the theory."""
        words = self.inputs.split("+")
        return Source(self.channels, float("ones" in words), (1.0,) if words != ["ones"] else ())


def rows() -> tuple[Row, ...]:
    """Return all of them.

    Examples
    --------
    >>> len(rows()), rows()[0].name
    (18, 'MelGAN')
    """
    small = _unets(channels=16, depth=4, draws=9600, periods=32, records=3)
    large = _unets(channels=100, depth=6, draws=400, periods=3, records=2)  # each takes seconds, and tones stand out
    return (*_melgans(), *_decoders(), *small, *(row for row in large if row.name.endswith(AT_LARGE)))


def _melgans() -> Iterator[Row]:
    for name, stacks, inputs, draws in (
        ("MelGAN", 3, "ones", 1600),
        ("MelGAN", 3, "white", 800),
        ("MelGAN without residual stacks", 0, "ones", 3200),
    ):
        made, steps = partial(melgan, stacks=stacks, out=OUT), architectures.melgan(stacks=stacks, out=OUT)
        yield Row(name, made, steps, (8, 8, 2, 2), 80, inputs, draws)


def _decoders() -> Iterator[Row]:
    for kind in UPSAMPLERS:
        made, steps = partial(decoder, kind=kind, out=OUT), demucs_decoder(kind=kind, out=OUT)
        for inputs, draws in (("ones", 4800), ("white", 4800)):
            noise = {"periods": 64, "records": 3, "bands": 8} if inputs == "white" else {}
            yield Row(f"Decoder ×3, {kind}", made, steps, (4, 4, 4), 256, inputs, draws, noise)


def _unets(*, channels: int, depth: int, draws: int, **options: Any) -> Iterator[Row]:
    options |= {"dtype": "float32"}
    for name, told in UNETS.items():
        made = partial(UNet, channels=channels, depth=depth, audio=1, out=8, **told)
        steps = demucs_unet(channels=channels, depth=depth, **told)
        yield Row(f"U-Net {depth} × {channels}, {name}", made, steps, (4,) * depth, 1, "white", draws, options)


UNETS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "without biases": {"bias": False},
    "without biases and outermost ReLUs": {"bias": False, "first_relu": False},
    "sub-pixel": {"kind": "subpixel"},
}
"""U-Nets of the article's figures, and the options of `torchparity.models.unet.UNet` that make them."""

AT_LARGE = ("as it is", "without biases", "outermost ReLUs")
"""What networks as large as the article's are drawn of."""
