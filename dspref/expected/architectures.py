"""Networks of the article and of public reports before training, as values: MelGAN, HiFi-GAN, Demucs without LSTM."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from dspref.arrays import as_choice
from dspref.chain import Pointwise
from dspref.expected.filters import Fixed, fixed
from dspref.expected.graph import Network, Node
from dspref.expected.laws import rescaled
from dspref.expected.network import Drawn, Step, Sum
from dspref.interpolators import Linear, Nearest

RELU, GLU, TANH = Pointwise("relu"), Pointwise("glu"), Pointwise("tanh")

LENGTH, STRIDE = 8, 4
"""Of the resampling layers of Demucs."""

UPSAMPLERS = ("transposed", "nearest", "linear", "subpixel")


def melgan(*, channels: int = 80, width: int = 32, stacks: int = 3, out: int = 1) -> tuple[Step, ...]:
    """Return MelGAN's generator, ×8 ×8 ×2 ×2: `width` channels before the last layer, `stacks` residual stacks each.

    References
    ----------
    K. Kumar et al., *MelGAN*, NeurIPS 2019; J. Pons et al., arXiv 2010.14356, section 1.

    Examples
    --------
    >>> from dspref.expected import Source, expected_spectrum
    >>> found = expected_spectrum(melgan(), Source(80, constant=1.0))
    >>> [(comb.every_hz(22050), round(comb.db, 1)) for comb in found.combs[2:]]
    [(5512.5, -76.4), (689.0625, -115.1), (86.1328125, -132.4)]
    """
    leaky, C = Pointwise("leaky", (0.2,)), 16 * width
    steps: list[Step] = [Drawn("conv", channels, C, 7, padding=3)]
    for K, s in ((16, 8), (16, 8), (4, 2), (4, 2)):
        C //= 2
        last = Drawn("conv", C, C, 1)
        steps += [leaky, Drawn("convt", 2 * C, C, K, s, padding=s // 2)]
        steps += [
            Sum(((last,), (leaky, Drawn("conv", C, C, 3, dilation=d, padding=d), leaky, last)))
            for d in (3**j for j in range(stacks))
        ]
    return (*steps, leaky, Drawn("conv", C, out, 7, padding=3), TANH)


def hifigan(
    *,
    channels: int = 192,
    width: int = 512,
    rates: tuple[int, ...] = (10, 10, 2, 2),
    lengths: tuple[int, ...] = (16, 16, 4, 4),
    blocks: tuple[int, ...] = (3, 7, 11),
    dilations: tuple[int, ...] = (1, 3, 5),
) -> Network:
    """Return HiFi-GAN's generator, by default as RVC has it at 40 kHz: blocks of each upsampler share their input.

    References
    ----------
    J. Kong, J. Kim, J. Bae, *HiFi-GAN*, arXiv 2010.05646 (multi-receptive field fusion).

    Examples
    --------
    >>> net = hifigan()
    >>> net.output, len(net.nodes)
    ('tanh', 200)
    """
    leaky, nodes, C = (
        Pointwise("leaky", (0.1,)),
        [Node("pre", Drawn("conv", channels, width, 7, padding=3), ("input",))],
        width,
    )

    def put(name: str, op: Drawn | Fixed | Pointwise | str, *inputs: str) -> str:
        nodes.append(Node(name, op, inputs))
        return name

    x = "pre"
    for i, (s, K) in enumerate(zip(rates, lengths, strict=True), 1):
        x = put(f"up{i}.leaky", leaky, x)
        x = put(f"up{i}", Drawn("convt", C, C // 2, K, s, padding=(K - s) // 2), x)
        C, ends = C // 2, []
        for k in blocks:
            y = x
            for d in dilations:
                name = f"block{i}.{k}.{d}"
                z = put(f"{name}.leaky1", leaky, y)
                z = put(f"{name}.conv1", Drawn("conv", C, C, k, dilation=d, padding=d * (k - 1) // 2), z)
                z = put(f"{name}.leaky2", leaky, z)
                z = put(f"{name}.conv2", Drawn("conv", C, C, k, padding=(k - 1) // 2), z)
                y = put(name, "sum", y, z)
            ends.append(y)
        x = put(f"mean{i}", Fixed(np.full(1, 1 / len(blocks))), put(f"sum{i}", "sum", *ends))
    x = put("leaky", Pointwise("leaky", (0.01,)), x)
    put("tanh", TANH, put("post", Drawn("conv", C, 1, 7, padding=3), x))
    return Network(tuple(nodes))


def demucs_decoder(
    *, channels: int = 64, depth: int = 3, out: int = 1, kind: str = "transposed", bias: bool = True
) -> tuple[Step, ...]:
    """Return Demucs's decoder alone: in each layer a convolution, GLU, one of `UPSAMPLERS` ×4, and ReLU but at the end.

    Examples
    --------
    >>> [step.op if isinstance(step, Drawn) else step.name for step in demucs_decoder(depth=2)]
    ['conv', 'glu', 'convt', 'relu', 'conv', 'glu', 'convt']
    """
    wide = [out, *(channels * 2**i for i in range(depth))]
    layers = [(*_layer(wide[i + 1], wide[i], kind, bias), *((RELU,) if i else ())) for i in reversed(range(depth))]
    return tuple(step for layer in layers for step in layer)


def demucs_unet(
    *,
    channels: int = 100,
    depth: int = 6,
    kind: str = "transposed",
    bias: bool = True,
    first_relu: bool = True,
    audio: int = 1,
    out: int = 8,
    reference: float = 0.1,
) -> tuple[Step, ...]:
    """Return Demucs without its recurrent layers: a U-Net with added skips, whose weights are rescaled to `reference`.

    Parameters
    ----------
    channels, depth : int
        Of the first layer, doubled with each next one; layers of the encoder, and of the decoder.
    kind : one of `UPSAMPLERS`
    bias, first_relu : bool
        Whether there are biases, and ReLUs in the outermost layers.

    References
    ----------
    J. Pons et al., arXiv 2010.14356, sections 5 and 6; A. Défossez et al., arXiv 1911.13254.

    Examples
    --------
    >>> [type(step).__name__ for step in demucs_unet(depth=2)][4:6]
    ['Sum', 'Drawn']
    """
    net: tuple[Step, ...] = ()
    wide = [audio, *(channels * 2**i for i in range(depth))]
    for i, (before, own) in reversed(list(enumerate(pairwise(wide)))):
        down = _drawn("conv", before, own, LENGTH, STRIDE, bias)
        relu = (RELU,) if i or first_relu else ()
        inner = (Sum(((), net)),) if net else ()
        back = _layer(own, before if i else out, kind, bias)
        last = (RELU,) if i > 1 or (i == 1 and first_relu) else ()
        own_steps = (down, *relu, _drawn("conv", own, 2 * own, 1, 1, bias), GLU, *inner, *back, *last)
        net = tuple(rescaled(step, reference) if isinstance(step, Drawn) else step for step in own_steps)
    return net


def _layer(channels: int, after: int, kind: str, bias: bool) -> tuple[Step, ...]:
    """Return a layer of the decoder without its ReLU."""
    as_choice("upsampler", kind, UPSAMPLERS)
    head = (_drawn("conv", channels, 2 * channels, 3, 1, bias), GLU)
    if kind == "transposed":
        return (*head, _drawn("convt", channels, after, LENGTH, STRIDE, bias))
    if kind == "subpixel":
        return (*head, _drawn("shuffle", channels, after, 3, STRIDE, bias))
    u = Nearest(STRIDE) if kind == "nearest" else Linear(STRIDE)
    return (*head, fixed(u), _drawn("conv", channels, after, 3, 1, bias))


def _drawn(op: str, inputs: int, outputs: int, length: int, factor: int, bias: bool) -> Drawn:
    """Return a layer with the padding that keeps whole frames."""
    padding = (length - factor) // 2 if op != "shuffle" else (length - 1) // 2
    layer = Drawn(op, inputs, outputs, length, factor, padding=padding)
    return layer if bias else replace(layer, bias=0)
