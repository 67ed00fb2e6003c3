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
from torchparity.unet import UPSAMPLERS, UNet, decoder

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
    beyond : mapping
        Levels at which networks of this width are not as infinitely wide ones are, each with the reason.
    """

    name: str
    factory: Callable[[], nn.Module] = field(repr=False)
    steps: tuple[Step, ...] = field(repr=False)
    factors: tuple[int, ...]
    channels: int
    inputs: str
    draws: int
    options: dict[str, Any] = field(default_factory=dict)
    beyond: dict[str, str] = field(default_factory=dict)

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
    (15, 'MelGAN')
    """
    return (*_melgans(), *_decoders(), *_unets())


def _melgans() -> Iterator[Row]:
    for name, stacks, inputs, draws in (
        ("MelGAN", 3, "ones", 1600),
        ("MelGAN", 3, "white", 200),
        ("MelGAN without residual stacks", 0, "ones", 3200),
    ):
        made, steps = partial(melgan, stacks=stacks, out=OUT), architectures.melgan(stacks=stacks, out=OUT)
        yield Row(name, made, steps, (8, 8, 2, 2), 80, inputs, draws)


BEYOND = {
    "Decoder ×3, linear, white": {
        "floor by band": "bands 45 to 85 dB under the lowest, of noise that maps fold back from higher powers: there, "
        "what 64 channels have beyond the limit of wide layers counts"
    },
}
"""Levels that differ, and why, as far as it is known."""


def _decoders() -> Iterator[Row]:
    for kind in UPSAMPLERS:
        made, steps = partial(decoder, kind=kind, out=OUT), demucs_decoder(kind=kind, out=OUT)
        for inputs, draws in (("ones", 4800), ("white", 4800)):
            noise = {"periods": 16, "records": 3, "bands": 8} if inputs == "white" else {}
            beyond = BEYOND.get(f"Decoder ×3, {kind}, {inputs}", {})
            yield Row(f"Decoder ×3, {kind}", made, steps, (4, 4, 4), 256, inputs, draws, noise, beyond)


def _unets() -> Iterator[Row]:
    options = {"periods": 8, "records": 3, "dtype": "float32"}
    for name, told in UNETS.items():
        made = partial(UNet, channels=16, depth=4, audio=1, out=8, **told)
        steps = demucs_unet(channels=16, depth=4, **told)
        beyond = BEYOND.get(f"U-Net, {name}, white", {})
        yield Row(f"U-Net, {name}", made, steps, (4,) * 4, 1, "white", 9600, options, beyond)


UNETS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "without biases": {"bias": False},
    "without biases and outermost ReLUs": {"bias": False, "first_relu": False},
    "sub-pixel": {"kind": "subpixel"},
}
"""U-Nets of the article's figures, and the options of `torchparity.unet.UNet` that make them."""
