"""Modules as their authors write them, as networks: node by node, by second moments over all signs, and refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from dspref import Linear, Nearest
from dspref.arrays import NotAnalysable
from dspref.chain import Pointwise
from dspref.expected import (
    Drawn,
    Fixed,
    Gate,
    Source,
    Unknown,
    average_pool,
    expected_spectrum,
    fixed,
    forecast,
    rescaled,
)
from dspref.expected.dense import dense_moments
from dspref.expected.graph import Network, Node, network
from dspref.expected.moments import Moments
from dspref.expected.network import Concat, Step, Sum
from dspref.expected.walk import started, walk
from torchparity.calls import own_channels
from torchparity.models import melgan
from torchparity.models.demucs import Demucs
from torchparity.models.unet import UPSAMPLERS, UNet
from torchparity.nn import FilterInterp1d, PixelShuffle1d, Snake, SubpixelConv1d
from torchparity.nn.init import icnr_
from torchparity.nn.utils import tone_free
from torchparity.nn_designs import KaiserUpsample1d, LearnedLinear1d
from torchparity.walked import Walked, walked

LEAKY = Pointwise("leaky", (0.2,))


class Doing(nn.Module):
    """Does what a function of its modules says."""

    def __init__(self, does: Callable[[Any, Tensor], Any], **parts: Any) -> None:
        super().__init__()
        self.does = does
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Any:
        return self.does(self, x)


def conv(inputs: int = 8, outputs: int = 8, length: int = 3, **given: Any) -> nn.Conv1d:
    return nn.Conv1d(inputs, outputs, length, padding=length // 2, **given)


def drawn(inputs: int = 8, outputs: int = 8, length: int = 3, **given: Any) -> Drawn:
    return Drawn("conv", inputs, outputs, length, padding=length // 2, **given)


def shape(net: Network) -> list[tuple[Any, tuple[int, ...]]]:
    """Return what each place does to which, by their numbers; −1 is the input."""
    number = {"input": -1} | {node.name: i for i, node in enumerate(net)}
    return [(node.op, tuple(sorted(number[name] for name in node.inputs))) for node in net]


def names(made: Walked) -> list[str]:
    return [node.name for node in made.network]


# -- networks of this package ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_melgan_has_the_combs_of_the_article(device: str) -> None:
    with torch.device(device):
        module = melgan()
    made = walked(module)
    assert made.channels == 80
    assert {law.law for law in made.laws} == {"default"}
    assert len(made.laws) == 1 + 4 + 4 * 9 + 1
    assert [remark.startswith("no values on the meta device") for remark in made.remarks] == [True] * (device == "meta")
    before = Network(made.network.nodes[:-1])  # the map at the end is a tanh
    assert made.network.nodes[-1] == Node("23", Pointwise("tanh"), ("22",))
    found = expected_spectrum(before, Source(80, constant=1.0))
    assert [(comb.divisor, round(comb.db or 0, 2)) for comb in found.combs] == [
        (1, -21.5),
        (2, -49.49),
        (4, -76.34),
        (32, -115.0),
        (256, -132.32),
    ]


def _unet(kind: str, channels: int, rescale: float) -> list[Step]:
    """The U-Net of two levels, written by hand."""

    def layer(op: str, before: int, after: int, length: int, factor: int = 1, padding: int = 0) -> Drawn:
        return rescaled(Drawn(op, before, after, length, factor, padding=padding), rescale)

    def up(before: int, after: int) -> list[Step]:
        if kind == "transposed":
            return [layer("convt", before, after, 8, 4, 2)]
        if kind == "subpixel":
            return [layer("shuffle", before, after, 3, 4, 1)]
        return [fixed(Nearest(4) if kind == "nearest" else Linear(4)), layer("conv", before, after, 3, 1, 1)]

    def down(before: int, after: int) -> list[Step]:
        glu: list[Step] = [layer("conv", after, 2 * after, 1), Pointwise("glu")]
        return [layer("conv", before, after, 8, 4, 2), Pointwise("relu"), *glu]

    def wide(own: int) -> list[Step]:
        return [layer("conv", own, 2 * own, 3, 1, 1), Pointwise("glu")]

    C = channels
    inner = [*down(C, 2 * C), *wide(2 * C), *up(2 * C, C), Pointwise("relu")]
    return [*down(1, C), Sum(((), tuple(inner))), *wide(C), *up(C, 1)]


@pytest.mark.parametrize("kind", UPSAMPLERS)
def test_a_u_net_is_the_one_written_by_hand(kind: str) -> None:
    with torch.device("meta"):
        module = UNet(channels=4, depth=2, kind=kind, audio=1, out=1, rescale=0)
    made = walked(module, rescale=0.1)
    assert shape(made.network) == shape(network(_unet(kind, 4, 0.1)))
    assert {law.law for law in made.laws} == {"default, rescaled"}
    assert names(made)[0] == "encoder.0.0"
    assert "add" in names(made)


def test_weights_that_were_rescaled_have_the_law_of_rescaling_and_others_that_of_their_draw() -> None:
    torch.manual_seed(1)
    module = UNet(channels=16, depth=1, rescale=0.01)
    exact, measured = walked(module, rescale=0.01), walked(module)
    assert {law.law for law in exact.laws} == {"default, rescaled"}
    assert {law.law for law in measured.laws} == {"measured"}
    assert len(measured.remarks) == len(measured.laws) == 4
    for a, b in zip(exact.laws, measured.laws, strict=True):
        assert a.weight == pytest.approx(b.weight, rel=6 * np.sqrt(0.8 / 256))  # 256: the fewest weights of a layer


def test_demucs_is_predicted_as_far_as_its_lstm() -> None:
    with torch.device("meta"):
        module = Demucs()  # 648 million weights, none of which is there
    made = walked(module, rescale=0.1)
    refused = [node for node in made.network if isinstance(node.op, Unknown)]
    assert refused == [Node("lstm", Unknown("LSTM"), ("encoder.5.3",))]
    before = Network(tuple(itertools.takewhile(lambda node: node.name != "lstm", made.network)))
    assert before.output == "encoder.5.3"
    assert expected_spectrum(before, Source(2, covariance=(1.0,))).noise > 0
    with pytest.raises(NotAnalysable, match="LSTM"):
        expected_spectrum(made.network, Source(2, covariance=(1.0,)))


# -- networks of others ---------------------------------------------------------------------------------------------


class Block(nn.Module):
    """HiFi-GAN's: residuals one after another, by functional maps and the old interface of weight norm."""

    def __init__(self, channels: int, length: int) -> None:
        super().__init__()
        self.first = torch.nn.utils.weight_norm(conv(channels, channels, length))
        self.second = torch.nn.utils.weight_norm(conv(channels, channels, length))

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(F.leaky_relu(self.first(F.leaky_relu(x, 0.1)), 0.1))
        return torch.as_tensor(y + x)


class HiFi(nn.Module):
    """Two blocks that share their input, added in place."""

    def __init__(self) -> None:
        super().__init__()
        self.up = torch.nn.utils.weight_norm(nn.ConvTranspose1d(8, 6, 16, 8, padding=4))
        self.blocks = nn.ModuleList(Block(6, K) for K in (3, 5))
        for part in self.modules():
            if isinstance(part, nn.Conv1d):
                part.weight.data.normal_(0, 0.01)  # undone: weight norm computes it anew

    def forward(self, x: Tensor) -> Tensor:
        x = self.up(F.leaky_relu(x, 0.1))
        total = self.blocks[0](x)
        total += self.blocks[1](x)
        return torch.tanh(total / 3)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*")
def test_the_blocks_of_hifi_gan_share_their_input_and_its_map() -> None:
    made = walked(HiFi())
    assert [(node.name, node.inputs) for node in made.network] == [
        ("leaky_relu", ("input",)),
        ("up", ("leaky_relu",)),
        ("blocks.0.leaky_relu", ("up",)),
        ("blocks.0.first", ("blocks.0.leaky_relu",)),
        ("blocks.0.leaky_relu:1", ("blocks.0.first",)),
        ("blocks.0.second", ("blocks.0.leaky_relu:1",)),
        ("blocks.0.add", ("blocks.0.second", "up")),
        ("blocks.1.first", ("blocks.0.leaky_relu",)),
        ("blocks.1.leaky_relu", ("blocks.1.first",)),
        ("blocks.1.second", ("blocks.1.leaky_relu",)),
        ("blocks.1.add", ("blocks.1.second", "up")),
        ("add", ("blocks.0.add", "blocks.1.add")),
        ("tanh", ("add",)),
        ("tanh:1", ("tanh",)),
    ]
    ops = {node.name: node.op for node in made.network}
    assert ops["up"] == Drawn("convt", 8, 6, 16, 8, padding=4)
    assert ops["blocks.1.second"] == drawn(6, 6, 5)
    assert ops["blocks.0.leaky_relu"] == Pointwise("leaky", (0.1,))
    assert ops["tanh"] == Fixed(np.array([1 / 3]))
    assert ops["tanh:1"] == Pointwise("tanh")
    assert made.remarks == ()


class LogSnake(nn.Module):
    """BigVGAN's: the parameter is a logarithm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        a = torch.exp(self.alpha[None, :, None])
        return x + (1.0 / (a + 1e-9)) * torch.pow(torch.sin(x * a), 2)


def dac_snake(x: Tensor, alpha: Tensor) -> Tensor:
    time = x.shape
    x = x.reshape(time[0], time[1], -1)
    return (x + (alpha + 1e-9).reciprocal() * torch.sin(alpha * x).pow(2)).reshape(time)


def trimmed(self: Any, x: Tensor) -> Tensor:
    """Add a residual to the middle of its input, as DAC's unit does."""
    y = self.inner(x)
    cut = (x.shape[-1] - y.shape[-1]) // 2
    return torch.as_tensor(x[..., cut:-cut] + y)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script")
def test_snakes_by_any_words_and_a_trimmed_skip() -> None:
    alpha, scripted_snake = nn.Parameter(torch.full((1, 8, 1), 0.7)), torch.jit.script(dac_snake)  # as DAC has it
    inner = nn.Sequential(LogSnake(8), weight_norm(nn.Conv1d(8, 8, 7, dilation=3)), Snake(2.0), conv(length=1))
    made = walked(
        nn.Sequential(
            conv(), Doing(lambda m, x: scripted_snake(x, m.alpha), alpha=alpha), conv(), Doing(trimmed, inner=inner)
        )
    )
    steps: list[Step] = [
        drawn(),
        Pointwise("snake", (0.7,)),
        drawn(),
        Sum(
            (
                (Fixed(np.ones(1), 1, 9, excess=-18),),
                (Pointwise("snake"), Drawn("conv", 8, 8, 7, dilation=3), Pointwise("snake", (2.0,)), drawn(length=1)),
            )
        ),
    ]
    assert shape(made.network) == shape(network(steps))
    assert "3.shift" in names(made)


def gated(self: Any, x: Tensor) -> Tensor:
    """WaveNet's layers: a gate, conditioned, whose output is both a residual and a skip."""
    x, total = self.start(x), torch.zeros_like(x[:, :1])
    for i in range(2):
        a = self.inner[i](x) + self.condition(x)[:, 8 * i : 8 * i + 8]
        both = self.outer[i](torch.tanh(a[:, :4]) * torch.sigmoid(a[:, 4:]))
        x, total = x + both[:, :4], total + both[:, 4:]
    return torch.as_tensor(total)


def test_gates_of_halves_and_outputs_of_which_parts_go_different_ways() -> None:
    layers = [nn.ModuleList(conv(4, C) for _ in range(2)) for C in (8, 5)]
    made = walked(Doing(gated, start=conv(1, 4), inner=layers[0], outer=layers[1], condition=conv(4, 16, 1)))
    gate = Gate(Pointwise("tanh"), Pointwise("sigmoid"))
    first: list[tuple[Any, tuple[int, ...]]] = [
        (drawn(1, 4), (-1,)),
        (drawn(4, 8), (0,)),  # the halves of a gate are drawn as one
        (drawn(4, 8, 1), (0,)),
        ("sum", (1, 2)),
        (gate, (3,)),
        (drawn(4, 1), (4,)),  # the skip, and
        (drawn(4, 4), (4,)),  # the residual, of one convolution
        ("sum", (0, 6)),
    ]
    second = [
        (drawn(4, 8), (7,)),
        (drawn(4, 8, 1), (7,)),  # other outputs than before: not the same kernel
        ("sum", (8, 9)),
        (gate, (10,)),
        (drawn(4, 1), (11,)),
        ("sum", (5, 12)),
    ]
    assert shape(made.network) == [*first, *second]


def test_two_convolutions_of_one_input_make_a_gate_and_silu_one_of_its_sides() -> None:
    both = Doing(lambda m, x: F.silu(m.a(x)) * m.b(x), a=conv(), b=conv())
    assert shape(walked(both).network) == [(drawn(8, 16), (-1,)), (Gate(Pointwise("silu"), "identity"), (0,))]
    glu = Doing(lambda m, x: torch.sigmoid(m.a(x)) * m.b(x), a=conv(), b=conv())
    assert shape(walked(glu).network) == [(drawn(8, 16), (-1,)), (Pointwise("glu"), (0,))]


def concatenating(self: Any, x: Tensor) -> Tensor:
    """Wave-U-Net: every second sample on the way down, skips side by side on the way up."""
    a = F.leaky_relu(self.down(x), 0.2)
    b = F.leaky_relu(self.inner(a[:, :, ::2]), 0.2)
    b = F.interpolate(b, scale_factor=2, mode="linear", align_corners=False)
    return torch.as_tensor(self.up(torch.cat([a, b], 1)))


def test_a_u_net_with_skips_side_by_side() -> None:
    made = walked(Doing(concatenating, down=conv(1, 4, 15), inner=conv(4, 6, 15), up=conv(10, 1, 5)))
    inner = (Fixed(np.ones(1), 1, 0, 2), drawn(4, 6, 15), LEAKY, fixed(Linear(2)))
    assert shape(made.network) == shape(network([drawn(1, 4, 15), LEAKY, Concat(((), inner)), drawn(10, 1, 5)]))


# -- layers by other words ------------------------------------------------------------------------------------------


def plane(self: Any, x: Tensor) -> Tensor:
    """A convolution along one axis of a picture."""
    return torch.as_tensor(self.layer(x[..., None])[..., 0])


def manual_shuffle(self: Any, x: Tensor) -> Tensor:
    """A map before a periodic shuffle, written out, does what it does behind."""
    y = F.relu(self.layer(x)).view(x.shape[0], 4, 2, -1)
    return y.permute(0, 1, 3, 2).reshape(x.shape[0], 4, -1)


def switched(self: Any, x: Tensor) -> Tensor:
    """Let a value of the signal decide."""
    return torch.as_tensor(self.layer(x) if x.abs().max() > 0 else x)


WORDS: dict[str, tuple[nn.Module, list[Step]]] = {
    "causal": (
        Doing(
            lambda m, x: m.up(m.low(F.pad(x, (4, 0))))[..., 2:-2],
            low=nn.Conv1d(8, 8, 5),
            up=nn.ConvTranspose1d(8, 4, 8, 4),
        ),
        [Fixed(np.ones(1), 1, -4, excess=4), Drawn("conv", 8, 8, 5), Drawn("convt", 8, 4, 8, 4, padding=2)],
    ),
    "paddings": (
        nn.Sequential(
            nn.ReflectionPad1d(3), nn.ConstantPad1d((1, 0), 2.0), nn.ReplicationPad1d(2), nn.Conv1d(8, 2, 11)
        ),
        [Fixed(np.ones(1), 1, -6, excess=11), Drawn("conv", 8, 2, 11)],
    ),
    "padding modes": (
        nn.Sequential(conv(length=5, padding_mode="circular"), conv(length=5, padding_mode="reflect")),
        [drawn(length=5, padding_mode="circular"), drawn(length=5, padding_mode="reflect")],
    ),
    "padding in words": (
        nn.Sequential(nn.Conv1d(8, 8, 4, padding="same", dilation=2), nn.Conv1d(8, 8, 2, padding="valid")),
        [Drawn("conv", 8, 8, 4, dilation=2, padding=3), Drawn("conv", 8, 8, 2)],
    ),
    "groups": (
        nn.Sequential(conv(groups=8), conv(length=1, groups=2), nn.ConvTranspose1d(8, 4, 4, 2, groups=4)),
        [drawn(groups=8), drawn(length=1, groups=2), Drawn("convt", 8, 4, 4, 2, groups=4)],
    ),
    "dropped": (nn.Sequential(conv(), nn.Identity(), nn.Dropout(), nn.Dropout1d()), [drawn()]),
    "linear": (
        Doing(lambda m, x: F.relu(m.layer(x.transpose(1, 2))).transpose(1, 2), layer=nn.Linear(8, 4)),
        [drawn(8, 4, 1), Pointwise("relu")],
    ),
    "plane": (Doing(plane, layer=nn.Conv2d(8, 4, (5, 1), padding=(2, 0))), [drawn(8, 4, 5)]),
    "repeated": (
        nn.Sequential(
            conv(),
            Doing(lambda m, x: x.repeat_interleave(2, -1)),
            Doing(lambda m, x: x[..., None].expand(*x.shape, 3).flatten(-2)),
        ),
        [drawn(), Fixed(np.ones(2), 2), Fixed(np.ones(3), 3)],
    ),
    "pooled": (nn.Sequential(conv(), nn.AvgPool1d(4, 2, 1)), [drawn(), average_pool(4, stride=2, padding=1)]),
    "shuffled": (
        nn.Sequential(conv(8, 16), PixelShuffle1d(2, order="dcr")),
        [Drawn("shuffle", 8, 8, 3, 2, padding=1)],
    ),
    "shuffled by hand": (
        Doing(manual_shuffle, layer=conv()),
        [Drawn("shuffle", 8, 4, 3, 2, padding=1), Pointwise("relu")],
    ),
    "glu": (Doing(lambda m, x: F.glu(m.layer(x), 1), layer=conv()), [drawn(), Pointwise("glu")]),
    "maps": (
        nn.Sequential(
            conv(), nn.ELU(0.5), conv(), nn.GELU(), conv(), nn.Softplus(), conv(), nn.PReLU(8), conv(), nn.Sigmoid()
        ),
        [
            drawn(),
            Pointwise("elu", (0.5,)),
            drawn(),
            Pointwise("gelu"),
            drawn(),
            Pointwise("softplus"),
            drawn(),
            Pointwise("leaky", (0.25,)),
            drawn(),
            Pointwise("sigmoid"),
        ],
    ),
    "selu": (
        nn.Sequential(conv(), nn.SELU()),
        [drawn(), Pointwise("elu", (1.673263242354377,)), Fixed(np.array([1.0507009873554805]))],
    ),
    "x + relu(x)": (
        Doing(lambda m, x: (y := m.layer(x)) + F.relu(y), layer=conv()),
        [drawn(), Pointwise("leaky", (0.5,)), Fixed(np.array([2.0]))],
    ),
    "difference": (
        Doing(lambda m, x: m.a(x) - m.b(x) / 4, a=conv(), b=conv(length=1)),
        [Sum(((drawn(),), (drawn(length=1), Fixed(np.array([-0.25])))))],
    ),
    "a residual of 0": (
        Doing(
            lambda m, x: (y := m.layer(x)) + m.gain * m.inner(y),
            layer=conv(),
            inner=conv(),
            gain=nn.Parameter(torch.zeros(1)),
        ),
        [drawn()],
    ),
    "scaled channels": (
        Doing(lambda m, x: m.gain[:, None] * m.layer(x), layer=conv(), gain=nn.Parameter(torch.full((8,), 0.25))),
        [drawn(), Fixed(np.array([0.25]))],
    ),
    "a dictionary": (Doing(lambda m, x: {"wave": m.layer(x), "rate": 8000}, layer=conv()), [drawn()]),
    "half precision": (nn.Sequential(conv(), nn.Tanh()).bfloat16(), [drawn(), Pointwise("tanh")]),
}


@pytest.mark.parametrize("case", WORDS)
def test_layers_are_known_by_other_words(case: str) -> None:
    module, steps = WORDS[case]
    made = walked(module, channels=8)
    assert shape(made.network) == shape(network(steps))
    assert made.remarks == ()


def test_a_module_that_asks_for_values_is_followed_for_one_draw_of_noise() -> None:
    made = walked(Doing(switched, layer=conv()))
    assert shape(made.network) == [(drawn(), (-1,))]
    assert made.remarks == ("the module asks for values of its signal: what it does to one draw of noise was followed",)


def both_ways(self: Any, x: Tensor) -> Tensor:
    """Samples and averages of neighbours in turn."""
    return torch.stack([x, (x + F.pad(x[..., 1:], (0, 1))) / 2], -1).flatten(-2)


def twice(self: Any, x: Tensor) -> Tensor:
    """A signal and itself, later, decimated."""
    return (3 * x[..., 2:] - x[..., :-2])[..., 1::2]


FILTERS: dict[str, nn.Module] = {
    "kaiser": KaiserUpsample1d(2),
    "taps": FilterInterp1d(3, torch.tensor([1.0, 5.0, 2.0, 7.0, 3.0]), offset=1),
    "learned": LearnedLinear1d(2),
    "zeros between": Doing(lambda m, x: torch.stack([torch.zeros_like(x), x], -1).flatten(-2)),
    "in turn": Doing(both_ways),
    "twice": Doing(twice),
    "nearest, trimmed": Doing(lambda m, x: F.interpolate(x, scale_factor=3)[..., 4:]),
    "anti-aliased": Doing(
        lambda m, x: F.conv1d(F.pad(m.up(x), (5, 6)), m.up.filter.expand(2, -1, -1), stride=2, groups=2),
        up=KaiserUpsample1d(2),
    ),
}
"""Networks of which nothing is drawn."""


@pytest.mark.parametrize("case", FILTERS)
def test_filters_that_are_not_drawn_do_what_their_modules_do_ends_included(case: str) -> None:
    made = walked(FILTERS[case], channels=2)
    x = np.random.default_rng(0).normal(size=(2, 40)).astype(np.float32)
    y = FILTERS[case](torch.from_numpy(x)[None])[0].detach().numpy()
    for node in made.network:
        assert isinstance(node.op, Fixed)
        x = _filtered(node.op, x)
    np.testing.assert_allclose(x, y, atol=1e-5)  # single precision
    assert np.abs(y).max() > 1


def _filtered(u: Fixed, x: Any) -> Any:
    """Return ``Σ_k h[k] x_L[ns + o − k]``, beyond whose ends the rule of the filter holds."""
    far: Any = {"zeros": "constant", "replicate": "edge", "reflect": "reflect", "circular": "wrap"}[u.edges]
    L, T, beside = u.factor, x.shape[-1], 30
    wide = np.zeros((len(x), (T + 2 * beside) * L))
    wide[:, ::L] = np.pad(x, ((0, 0), (beside, beside)), mode=far)
    n = np.arange(-(-(T * L + u.excess) // u.stride)) * u.stride + u.offset + beside * L
    return sum(h * wide[:, n - k] for k, h in enumerate(u.h))


# -- second moments, over all patterns of signs ---------------------------------------------------------------------


def crossing(self: Any, x: Tensor) -> Tensor:
    """Branches with their borders cut at different places."""
    y = self.low(F.pad(x, (1, 0)))
    return torch.as_tensor(self.up(y)[..., 1:-2] + F.interpolate(self.side(x), scale_factor=2)[..., 2:])


def turned(self: Any, x: Tensor) -> Tensor:
    """Partial overlap, dilated, cut, and decimated again."""
    y = self.up(self.low(x))[..., 1:]
    return torch.as_tensor(self.down(torch.cat([y, y[..., -1:]], -1)))


LINEAR: dict[str, tuple[nn.Module, int]] = {
    "shifts and a sum": (
        Doing(
            crossing,
            low=nn.Conv1d(1, 1, 2, bias=False),
            up=nn.ConvTranspose1d(1, 1, 3, 2, bias=False),
            side=nn.Conv1d(1, 1, 3, 1, 1, bias=False),
        ),
        2,
    ),
    "up and down": (
        Doing(
            turned,
            low=nn.Conv1d(1, 2, 1, bias=False),
            up=nn.ConvTranspose1d(2, 1, 3, 3, 1, 2, dilation=2, bias=False),
            down=nn.Conv1d(1, 1, 2, 2, bias=False),
        ),
        3,
    ),
    "shuffle and residual": (
        Doing(
            lambda m, x: (y := m.shuffle(m.low(x))[..., 1:]) + m.inner(y),
            low=nn.Conv1d(1, 2, 2, 1, 1, bias=False),
            shuffle=PixelShuffle1d(2),
            inner=nn.Conv1d(1, 1, 3, 1, 1, bias=False),
        ),
        2,
    ),
    "tone-free": (
        nn.Sequential(
            nn.Conv1d(1, 2, 2, bias=False), tone_free(nn.ConvTranspose1d(2, 1, 4, 2, 1, 1, bias=False, dilation=3))
        ),
        2,
    ),
    "tone-free of order 3": (tone_free(nn.ConvTranspose1d(1, 1, 9, 3, 2, bias=False), 3), 3),
    "tone-free in part": (tone_free(nn.ConvTranspose1d(2, 2, 3, 2, groups=2, bias=False)), 2),
    "sub-pixel, tone-free": (
        tone_free(SubpixelConv1d(1, 1, 4, 3, padding=5, dilation=2, padding_mode="reflect", bias=False)),
        3,
    ),
    "sub-pixel, tone-free of order 2": (tone_free(SubpixelConv1d(1, 2, 3, 2, padding=3, bias=False), 2), 2),
}


@pytest.mark.parametrize("case", LINEAR)
def test_second_moments_are_those_of_all_patterns_of_signs(case: str) -> None:
    """E y[n] y[m] over weights ±1/2, for a constant, at absolute places n and m."""
    module, P = LINEAR[case]
    C = own_channels(module, 1)
    made, source = walked(module, init=("normal", 0.5)), Source(C, constant=1.0)
    found = walk(started(Moments.of(source), source), made.network).moments
    sizes = {name: p.shape for name, p in module.named_parameters()}
    count = sum(shape.numel() for shape in sizes.values())
    signs = torch.tensor(list(itertools.product((-0.5, 0.5), repeat=count)), dtype=torch.float64)
    ends = np.cumsum([shape.numel() for shape in sizes.values()])[:-1].tolist()
    split = dict(zip(sizes, torch.tensor_split(signs, ends, dim=1), strict=True))
    weights = {name: w.reshape(-1, *sizes[name]) for name, w in split.items()}
    y = vmap(lambda w: functional_call(module, w, torch.ones(1, C, 24).double()))(weights)[:, 0, 0]
    second, start = (y.T @ y / len(y)).numpy(), 4 * P
    inner = np.arange(start, start + 3 * P)
    due = found.F[np.ix_(inner % found.period, inner % found.period)]
    np.testing.assert_allclose(second[np.ix_(inner, inner)], due, rtol=0, atol=1e-12)
    assert (np.ptp(due) > 1e-12) == ("tone-free" not in case)
    whole = dense_moments(made.network, source, time=24).K
    np.testing.assert_allclose(second, whole, rtol=0, atol=1e-12)  # borders included


# -- what is refused ------------------------------------------------------------------------------------------------

SHARED = conv()


def attending(self: Any, x: Tensor) -> Tensor:
    y = self.layer(x).transpose(1, 2)
    return torch.as_tensor(F.scaled_dot_product_attention(y, y, y).transpose(1, 2))


def attending_by_hand(self: Any, x: Tensor) -> Tensor:
    y = self.layer(x)
    return torch.as_tensor(y @ torch.softmax(y.transpose(1, 2) @ y, -1))


def headed(self: Any, x: Tensor) -> Tensor:
    y = x.transpose(1, 2)
    return torch.as_tensor(self.layer(y, y, y)[0].transpose(1, 2))


def recurrent(self: Any, x: Tensor) -> Tensor:
    return torch.as_tensor(self.layer(x.transpose(1, 2))[0].transpose(1, 2))


def behind(self: Any, x: Tensor) -> Tensor:
    """Do all sorts of things to what is not covered."""
    y = F.relu(recurrent(self, x).flip(1)).chunk(2, 1)
    z = torch.cat([torch.tanh(y[0].permute(2, 0, 1)), y[1].permute(2, 0, 1)]) * 2
    return torch.as_tensor(F.glu(z.reshape(1, -1, 2), 1).sum(-1, keepdim=True) + x[..., :1].mean())


def written(self: Any, x: Tensor) -> Tensor:
    y = torch.zeros(1, 8, 2 * x.shape[-1])
    y[..., ::2] = x
    return torch.as_tensor(self.layer(y))


def aliased(self: Any, x: Tensor) -> Tensor:
    y = self.layer(x)
    y[:, :4] *= 2
    return torch.as_tensor(self.layer(y))


def squeezed(self: Any, x: Tensor) -> Tensor:
    return x * torch.sigmoid(self.layer(x.mean(-1, keepdim=True)))


def dynamic(self: Any, x: Tensor) -> Tensor:
    return F.conv1d(x, self.layer(x)[:, :, :3].expand(8, -1, -1))


REFUSED: dict[str, tuple[nn.Module, str]] = {
    "LSTM": (Doing(recurrent, layer=nn.LSTM(8, 8, batch_first=True)), "LSTM"),
    "behind": (Doing(behind, layer=nn.LSTM(8, 8, batch_first=True)), "LSTM"),
    "GRU": (Doing(recurrent, layer=nn.GRU(8, 8, batch_first=True)), "GRU"),
    "GroupNorm": (nn.Sequential(conv(), nn.GroupNorm(2, 8), conv()), "GroupNorm"),
    "BatchNorm": (nn.Sequential(conv(), nn.BatchNorm1d(8), conv()), "BatchNorm"),
    "InstanceNorm": (nn.Sequential(conv(), nn.InstanceNorm1d(8), conv()), "InstanceNorm"),
    "attention": (Doing(attending, layer=conv()), "attention"),
    "attention by hand": (Doing(attending_by_hand, layer=conv()), "attention"),
    "heads": (Doing(headed, layer=nn.MultiheadAttention(8, 2, batch_first=True)), "attention"),
    "one kernel twice": (nn.Sequential(SHARED, nn.ReLU(), SHARED), "shared weights"),
    "tied": (Doing(lambda m, x: F.conv_transpose1d(m.layer(x), m.layer.weight), layer=conv()), "shared weights"),
    "x + tanh(x)": (Doing(lambda m, x: (y := m.layer(x)) + torch.tanh(y), layer=conv()), "a map of samples"),
    "Mish": (nn.Sequential(conv(), nn.Mish()), "a map of samples, Mish"),
    "approximate": (nn.Sequential(conv(), nn.GELU("tanh")), "a map of samples, GELU"),
    "offset": (Doing(lambda m, x: m.layer(x) + 1, layer=conv()), "a map of samples"),
    "product": (Doing(lambda m, x: m.a(x) * m.b(x), a=conv(), b=conv(length=5)), "a product of two signals"),
    "squeezed": (Doing(squeezed, layer=conv(length=1)), "an average"),
    "dynamic": (Doing(dynamic, layer=conv()), "a convolution whose kernel is not drawn"),
    "cubic": (
        nn.Sequential(
            conv(), Doing(lambda m, x: F.interpolate(x[:, :, None], scale_factor=(1, 2), mode="bicubic")[:, :, 0])
        ),
        "cubic interpolation",
    ),
    "corners": (
        nn.Sequential(conv(), nn.Upsample(scale_factor=2, mode="linear", align_corners=True)),
        "interpolation by no whole factor, or with aligned corners",
    ),
    "reversed": (nn.Sequential(conv(), Doing(lambda m, x: x.flip(-1))), "samples moved about"),
    "channels of the input": (Doing(lambda m, x: m.layer(x[:, :4]), layer=conv(4, 4)), "samples moved about"),
    "written into": (Doing(written, layer=conv()), "a tensor written into"),
    "written through a view": (Doing(aliased, layer=conv()), "a tensor written into"),
    "cancelled": (
        Doing(lambda m, x: (y := m.layer(x))[..., 1:] * 2 - y[..., 1:] * 2, layer=conv()),
        "a map of samples",
    ),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_modules_that_were_traced_or_scripted_are_followed_within() -> None:
    """They have no classes, and so no laws: weights are measured."""
    module = nn.Sequential(conv(), nn.ReLU(), nn.ConvTranspose1d(8, 4, 4, 2))
    for made in (torch.jit.trace(module, torch.zeros(1, 8, 16)), torch.jit.script(module)):  # type: ignore[no-untyped-call]
        found = walked(made, channels=8)
        first, relu, last = (node.op for node in found.network)
        assert (relu, {law.law for law in found.laws}) == (Pointwise("relu"), {"measured"})
        assert isinstance(first, Drawn)
        assert isinstance(last, Drawn)
        assert (first.op, first.padding, last.op, last.factor, last.outputs) == ("conv", 1, "convt", 2, 4)


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_covered_is_said_and_never_guessed(case: str) -> None:
    module, what = REFUSED[case]
    made = walked(module, channels=8)
    first = next(node for node in made.network if isinstance(node.op, Unknown))
    assert first.op == Unknown(what)
    with pytest.raises(NotAnalysable, match=what):
        expected_spectrum(made.network, Source(8, covariance=(1.0,)))


def test_parameters_of_maps_have_no_values_on_the_meta_device_but_for_prelu() -> None:
    with torch.device("meta"):
        made = walked(nn.Sequential(conv(), nn.PReLU(8), conv(), LogSnake(8)))
    ops = [node.op for node in made.network]
    assert ops == [
        drawn(),
        Pointwise("leaky", (0.25,)),
        drawn(),
        Unknown("a map whose parameters have no values, LogSnake"),
    ]


# -- laws -----------------------------------------------------------------------------------------------------------


def filled(fill: Callable[[Tensor], Any], *, bias: Callable[[Tensor], Any] = nn.init.zeros_) -> nn.Module:
    torch.manual_seed(0)
    layer = conv(16, 16, 5)
    fill(layer.weight)
    assert layer.bias is not None
    bias(layer.bias)
    return nn.Sequential(layer)


def test_other_initialisations_are_measured_and_said_so() -> None:
    n = 16 * 16 * 5
    made = walked(filled(lambda w: nn.init.normal_(w, 0, 0.02)))
    (law,) = made.laws
    assert (law.name, law.law, law.bias) == ("0", "measured", 0)
    assert law.weight == pytest.approx(0.0004, rel=6 * np.sqrt(2 / n))
    assert made.remarks == (f"0: weights measured from one draw, σ² = {law.weight:.4g}; not those of reset_parameters",)
    (node,) = made.network
    assert isinstance(node.op, Drawn)
    assert (node.op.weight, node.op.bias) == (law.weight, 0)


def test_a_law_that_is_asked_for_takes_the_place_of_what_weights_show() -> None:
    made = walked(nn.Sequential(conv(), nn.ReLU(), conv(bias=False)), init=("normal", 0.02), rescale=0.1)
    first, _, last = (node.op for node in made.network)
    due = Drawn("conv", 8, 8, 3, padding=1, weight=0.02**2, bias=1 / 72, kurtosis=3)
    assert first == rescaled(due, 0.1)
    assert isinstance(last, Drawn)
    assert last.bias == 0
    assert {law.law for law in made.laws} == {"normal, rescaled"}


def test_phases_that_begin_alike_and_weights_behind_spectral_norm() -> None:
    torch.manual_seed(0)
    low = conv(8, 16)
    icnr_(low.weight, 2)
    (node,) = walked(nn.Sequential(low, PixelShuffle1d(2))).network
    assert isinstance(node.op, Drawn)
    assert node.op.icnr
    normed: Any = spectral_norm(conv()).eval()
    (law,) = walked(normed, channels=8).laws
    assert law.weight == pytest.approx(float(normed.weight.detach().double().square().mean()), rel=1e-6)
    with torch.device("meta"):
        (node,) = walked(spectral_norm(conv())).network
    assert isinstance(node.op, Unknown)


BAD: dict[str, tuple[nn.Module, type[ValueError], str]] = {
    "constant": (filled(nn.init.ones_), ValueError, "weight of 0: got 1 throughout"),
    "zero": (filled(nn.init.zeros_), ValueError, "weight of 0: got zeros"),
    "NaN": (filled(lambda w: nn.init.constant_(w, torch.nan)), ValueError, "weight of 0: got NaN or infinite values"),
    "orthogonal": (filled(nn.init.orthogonal_), NotAnalysable, "weight of 0: got orthogonal rows"),
    "trained": (filled(lambda w: nn.init.normal_(w, 0.1, 0.1)), NotAnalysable, r"weight of 0: got mean 0.*trained"),
    "biases": (filled(nn.init.normal_, bias=nn.init.ones_), ValueError, "bias of 0: got 1 throughout"),
    "two outputs": (Doing(lambda m, x: (x + 1, x)), NotAnalysable, "module output: got 2 tensors"),
    "no module runs": (nn.Bilinear(3, 3, 3), NotAnalysable, r"input \(1, 1, time\): got TypeError"),
    "lazy": (nn.LazyConv1d(3, 3), NotAnalysable, "parameter weight: got not initialised"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_draw_or_no_module_of_one_signal_is_refused(case: str) -> None:
    module, error, words = BAD[case]
    with pytest.raises(error, match=words):
        walked(module)


def test_arguments_are_checked() -> None:
    made: Any = torch.relu
    with pytest.raises(TypeError, match="module: got builtin_function_or_method"):
        walked(made)
    with pytest.raises(ValueError, match="channels: got 0"):
        walked(conv(), channels=0)
    with pytest.raises(NotAnalysable, match="initialisation: got orthogonal"):
        walked(conv(), init="orthogonal")


def test_the_module_is_left_as_it_is() -> None:
    module = nn.Sequential(weight_norm(conv()), nn.BatchNorm1d(8), nn.Dropout())
    module[2].eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    flags = [part.training for part in module.modules()]
    walked(module)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert [part.training for part in module.modules()] == flags
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
    assert all(p.requires_grad for p in module.parameters())


def test_maps_of_complex_values_are_maps_of_samples() -> None:
    """And warn of nothing: the tests make errors of warnings."""

    class Phases(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.post = nn.Conv1d(4, 18, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            size, phase = self.post(x).chunk(2, 1)
            spectrum = torch.exp(size) * torch.exp(1j * torch.sin(phase))
            return torch.istft(spectrum, 16, 4, window=torch.hann_window(16))[:, None]

    found = forecast(walked(Phases()).network, Source(4, covariance=(1.0,)))
    assert found.expected is None
    assert [gap.what for gap in found.not_predicted][:2] == ["a map of samples"] * 2


@pytest.mark.parametrize("way", ["convolution", "matrix"])
def test_complex_kernels_are_refused(way: str) -> None:
    """Halves of a complex value have kernels in common: they are no independent channels."""

    class Complex(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = nn.ConvTranspose1d(4, 4, 4, 2, 1)
            self.w = nn.Parameter(torch.randn(4, 4, 3) / 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            z, w = torch.complex(self.up(x), self.up(-x)), self.w.to(torch.complex64)
            y = nn.functional.conv1d(z, w, padding=1) if way == "convolution" else w[..., 0] @ z
            return y.real + y.imag

    found = forecast(walked(Complex()).network, Source(4, covariance=(1.0,)))
    assert found.expected is None
    assert found.not_predicted
