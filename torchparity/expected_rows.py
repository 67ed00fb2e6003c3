"""Networks whose expected spectra are compared with those of draws: each with its theory, its input and its draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import Any

from torch import nn

from dspref import Linear, Nearest
from dspref.chain import Pointwise
from dspref.expected import Drawn, Source, Step, Sum, fixed, rescaled
from torchparity.models import melgan
from torchparity.unet import LENGTH, STRIDE, UPSAMPLERS, UNet, decoder

RELU, GLU, LEAKY = Pointwise("relu"), Pointwise("glu"), Pointwise("leaky", (0.2,))

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
    (15, 'MelGAN')
    """
    return (*_melgans(), *_decoders(), *_unets())


def _melgans() -> Iterator[Row]:
    for name, stacks, inputs, draws in (
        ("MelGAN", 3, "ones", 1600),
        ("MelGAN", 3, "white", 200),
        ("MelGAN without residual stacks", 0, "ones", 3200),
    ):
        made, steps = partial(melgan, stacks=stacks, out=OUT), melgan_steps(stacks=stacks, out=OUT)
        yield Row(name, made, steps, (8, 8, 2, 2), 80, inputs, draws)


def _decoders() -> Iterator[Row]:
    for kind in UPSAMPLERS:
        made, steps = partial(decoder, kind=kind, out=OUT), decoder_steps(kind=kind, out=OUT)
        for inputs, draws in (("ones", 4800), ("white", 4800)):
            noise = {"periods": 16, "records": 3, "bands": 8} if inputs == "white" else {}
            yield Row(f"Decoder ×3, {kind}", made, steps, (4, 4, 4), 256, inputs, draws, noise)


def _unets() -> Iterator[Row]:
    options = {"periods": 8, "records": 3, "dtype": "float32"}
    for name, told in UNETS.items():
        made = partial(UNet, channels=16, depth=4, audio=1, out=8, **told)
        yield Row(f"U-Net, {name}", made, unet_steps(channels=16, depth=4, **told), (4,) * 4, 1, "white", 9600, options)


UNETS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "without biases": {"bias": False},
    "without biases and outermost ReLUs": {"bias": False, "first_relu": False},
    "sub-pixel": {"kind": "subpixel"},
}
"""U-Nets of the article's figures, and the options of `torchparity.unet.UNet` that make them."""


def melgan_steps(*, channels: int = 80, width: int = 32, stacks: int = 3, out: int = 1) -> tuple[Step, ...]:
    """Return `torchparity.models.melgan`, but for weight norm and reflected borders, which change nothing here."""
    C = 16 * width
    steps: list[Step] = [Drawn("conv", channels, C, 7, padding=3)]
    for K, s in ((16, 8), (16, 8), (4, 2), (4, 2)):
        steps += [LEAKY, Drawn("convt", C, C // 2, K, factor=s, padding=s // 2)]
        C //= 2
        steps += [_residual(C, 3**j) for j in range(stacks)]
    return (*steps, LEAKY, Drawn("conv", C, out, 7, padding=3), Pointwise("tanh"))


def _residual(C: int, dilation: int) -> Sum:
    last = Drawn("conv", C, C, 1)
    return Sum(((last,), (LEAKY, Drawn("conv", C, C, 3, dilation=dilation, padding=dilation), LEAKY, last)))


def decoder_steps(
    *, channels: int = 64, depth: int = 3, out: int = 1, kind: str = "transposed", bias: bool = True
) -> tuple[Step, ...]:
    """Return `torchparity.unet.decoder`."""
    wide = [out, *(channels * 2**i for i in range(depth))]
    return tuple(
        step
        for i in reversed(range(depth))
        for step in (*layer_steps(wide[i + 1], wide[i], kind=kind, bias=bias), *((RELU,) if i else ()))
    )


def layer_steps(channels: int, after: int, *, kind: str = "transposed", bias: bool = True) -> tuple[Step, ...]:
    """Return `torchparity.unet.decoder_layer` without its ReLU."""
    return (_biased(Drawn("conv", channels, 2 * channels, 3, padding=1), bias), GLU, *_up(kind, channels, after, bias))


def _up(kind: str, before: int, after: int, bias: bool) -> tuple[Step, ...]:
    if kind == "transposed":
        return (_biased(Drawn("convt", before, after, LENGTH, STRIDE, padding=(LENGTH - STRIDE) // 2), bias),)
    if kind == "subpixel":
        return (_biased(Drawn("shuffle", before, after, 3, STRIDE, padding=1), bias),)
    u = (Nearest if kind == "nearest" else Linear)(STRIDE)
    return fixed(u), _biased(Drawn("conv", before, after, 3, padding=1), bias)


def unet_steps(
    *,
    channels: int = 100,
    depth: int = 6,
    kind: str = "transposed",
    bias: bool = True,
    first_relu: bool = True,
    audio: int = 1,
    out: int = 8,
) -> tuple[Step, ...]:
    """Return `torchparity.unet.UNet`, Demucs's rescaling included."""
    net: tuple[Step, ...] = ()
    wide = [audio, *(channels * 2**i for i in range(depth))]
    for i, (before, own) in reversed(list(enumerate(pairwise(wide)))):
        down = _biased(Drawn("conv", before, own, LENGTH, STRIDE, padding=(LENGTH - STRIDE) // 2), bias)
        relu = (RELU,) if i or first_relu else ()
        inner = (Sum(((), net)),) if net else ()
        back = layer_steps(own, before if i else out, kind=kind, bias=bias)
        last = (RELU,) if i > 1 or (i == 1 and first_relu) else ()
        net = (down, *relu, _biased(Drawn("conv", own, 2 * own, 1), bias), GLU, *inner, *back, *last)
    return _rescaled(net)


def _rescaled(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    def one(step: Step) -> Step:
        if isinstance(step, Sum):
            return Sum(tuple(_rescaled(branch) for branch in step.branches))
        return rescaled(step) if isinstance(step, Drawn) else step

    return tuple(one(step) for step in steps)


def _biased(layer: Drawn, bias: bool) -> Drawn:
    return layer if bias else replace(layer, bias=0)
