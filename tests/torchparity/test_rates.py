"""What resamples in modules of all kinds: functional, made of views, hidden, branched, anti-aliased."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from dspref import Nearest, NotAnalysable, Outline
from tests.strategies import QUIET
from torchparity.grown import LARGEST
from torchparity.models.demucs import Demucs
from torchparity.models.unet import UNet
from torchparity.rates import Rates, gcd, plain, rates


class Made(nn.Module):
    """A module whose forward is a function of itself and the input."""

    def __init__(self, forward: Callable[[Any, Tensor], Any], **parts: Any) -> None:
        super().__init__()
        self.made = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Any:
        return self.made(self, x)


def found(module: nn.Module, channels: int = 1) -> Rates:
    module = module.eval()
    return rates(module, plain(module, channels))


def up(s: int = 2, K: int = 4) -> nn.ConvTranspose1d:
    return nn.ConvTranspose1d(1, 1, K, s, (K - s) // 2)


def shuffled(m: Any, x: Tensor) -> Any:
    return m.conv(x).view(1, 2, 4, -1).permute(0, 1, 3, 2).reshape(1, 2, -1)


def spectral(m: Any, x: Tensor) -> Any:
    size, phase = m.conv(x).chunk(2, 1)
    return torch.istft(torch.exp(size) * torch.exp(1j * phase), 16, 4, window=m.window)[:, None]


def stuffed(m: Any, x: Tensor) -> Any:
    y = x.new_zeros(1, 1, 3 * x.shape[-1])
    y[..., ::3] = x
    return m.conv(y)


def overlapped(m: Any, x: Tensor) -> Any:
    return F.fold(m.conv(x), (1, 4 * (x.shape[-1] - 1) + 16), (1, 16), stride=(1, 4))[:, :, 0]


def twice(m: Any, x: Tensor) -> Any:
    return torch.stack([x, m.conv(x)], -1).view(1, 1, -1)


def stacked(m: Any, x: Tensor) -> Any:
    return torch.stack([m.a(x), m.b(x)], -1).flatten(-2)


def expanded(m: Any, x: Tensor) -> Any:
    return x[..., None].expand(1, 1, x.shape[-1], 3).reshape(1, 1, -1)


def repeated(m: Any, x: Tensor) -> Any:
    return x.unsqueeze(-1).repeat(1, 1, 1, 3).flatten(-2)


def gathered(m: Any, x: Tensor) -> Any:
    return m.conv(x[..., torch.arange(3 * x.shape[-1]) // 3])


class Doubled(torch.autograd.Function):
    """Nearest ×2, which Torch's function modes do not see at work."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.repeat_interleave(2, -1)

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> Tensor:
        return g[0]


CONV = nn.Conv1d(1, 1, 3, padding=1)

ONE: dict[str, tuple[nn.Module, Any]] = {
    "weight norm": (parametrizations.weight_norm(up()), Outline("convt", 4, stride=2, padding=1)),
    "function": (
        Made(lambda m, x: F.conv_transpose1d(x, m.w, None, 4, 2, dilation=2), w=nn.Parameter(torch.ones(1, 1, 6))),
        Outline("convt", 6, stride=4, padding=2, dilation=2),
    ),
    "two axes": (
        Made(lambda m, x: m.up(x[:, :, None])[:, :, 0], up=nn.ConvTranspose2d(1, 1, (1, 8), (1, 4), (0, 2))),
        Outline("convt", 8, stride=4, padding=2),
    ),
    "views": (Made(shuffled, conv=nn.Conv1d(1, 8, 5, padding=2)), Outline("shuffle", 5, stride=4, padding=2)),
    "interleaved": (Made(twice, conv=CONV), Outline("unsqueeze", 2, stride=2)),
    "stacked": (Made(stacked, a=CONV, b=nn.Conv1d(1, 1, 5, padding=2)), Outline("shuffle", 5, stride=2, padding=2)),
    "linear": (
        Made(lambda m, x: m.lin(x.transpose(1, 2)).reshape(1, 1, -1), lin=nn.Linear(1, 4)),
        Outline("shuffle", 1, stride=4),
    ),
    "written": (Made(stuffed, conv=CONV), Outline("convt", 1, stride=3)),
    "padded": (Made(lambda m, x: F.pad(x[..., None], (0, 3)).reshape(1, 1, -1)), Outline("convt", 1, stride=4)),
    "istft": (
        Made(spectral, conv=nn.Conv1d(1, 18, 1), window=torch.ones(16)),
        Outline("istft", 16, stride=4, padding=8),
    ),
    "overlap-add": (Made(overlapped, conv=nn.Conv1d(1, 16, 1)), Outline("convt", 16, stride=4)),
    "trimmed": (
        Made(lambda m, x: m.up(x)[..., : 2 * x.shape[-1]], up=nn.ConvTranspose1d(1, 1, 4, 2)),
        Outline("convt", 4, stride=2),
    ),
}


@pytest.mark.parametrize(("module", "layer"), ONE.values(), ids=ONE)
def test_one_layer_of_any_make_is_described(module: nn.Module, layer: Outline) -> None:
    r = found(module)
    assert r.chain.stages == (layer,)
    assert r.rate == 1 / r.grid == layer.stride
    assert not r.not_understood
    assert [x.layer for x in r.net] == [x.layer for x in r.resamplers] == [layer]


@pytest.mark.parametrize(("mode", "kind"), [("nearest", "nearest"), ("linear", "linear")])
def test_interpolation_by_a_function(mode: str, kind: str) -> None:
    r = found(Made(lambda m, x: F.interpolate(x, scale_factor=3, mode=mode)))
    assert [(getattr(s, "op", ""), s.factor) for s in r.chain.stages] == [(kind, 3)]


@pytest.mark.parametrize("forward", [expanded, repeated])
def test_copies_of_each_sample_are_nearest(forward: Callable[[Any, Tensor], Any]) -> None:
    assert found(Made(forward)).chain.stages == (Nearest(3),)


def antialiased(m: Any, x: Tensor) -> Any:
    wide = F.conv_transpose1d(x, m.h.expand(3, -1, -1), stride=2, padding=5, groups=3)
    return m.up(F.conv1d(wide + torch.sin(wide) ** 2, m.h.expand(3, -1, -1), stride=2, padding=5, groups=3))


def test_pairs_around_an_activation_are_no_net_upsamplers() -> None:
    r = found(Made(antialiased, h=torch.ones(1, 1, 12), up=nn.ConvTranspose1d(3, 1, 8, 4, 2)), 3)
    assert [(x.factor, x.net) for x in r.resamplers] == [(2, False), (Fraction(1, 2), False), (4, True)]
    assert r.chain.stages == (Outline("convt", 8, stride=4, padding=2),)
    assert r.rate == r.chain.factor == 4


@pytest.mark.parametrize("module", [UNet(channels=2, depth=3, audio=1, out=2), Demucs(channels=2, depth=3, audio=1)])
def test_unets_have_the_lines_of_their_decoders(module: nn.Module) -> None:
    r = found(module)
    assert r.rate == 1
    assert r.grid == Fraction(1, 64)
    assert [x.factor for x in r.resamplers] == [Fraction(1, 4)] * 3 + [4] * 3
    assert [x.spacing for x in r.net] == [Fraction(1, 64), Fraction(1, 16), Fraction(1, 4)]
    assert r.chain.factor == 64


def resampled(m: Any, x: Tensor) -> Any:
    return m.net(twice(m, x))[..., ::2]


def test_resampling_inside_halves_the_last_factor() -> None:
    """×2, a U-Net, every other sample: lines of the last ×4 are at half the output's rate."""
    r = found(Made(resampled, conv=CONV, net=UNet(channels=2, depth=2, audio=1, out=1)))
    assert [(x.factor, x.net) for x in r.resamplers] == [
        (2, False),
        (Fraction(1, 4), False),
        (Fraction(1, 4), False),
        (4, True),
        (4, True),
        (Fraction(1, 2), False),
    ]
    assert r.rate == 1
    assert r.grid == Fraction(1, 8)
    assert [stage.factor for stage in r.chain.stages] == [4, 2]


def test_other_ways_are_listed() -> None:
    r = found(Made(lambda m, x: m.a(x) + m.c(m.b(x)), a=up(4, 8), b=up(), c=up()))
    assert [x.name for x in r.net] == ["a", "b", "c"]
    assert [x.name for x in r.branches] == ["a"]
    assert [stage.factor for stage in r.chain.stages] == [2, 2]


def test_ways_of_other_factors_are_listed_too() -> None:
    parts = {name: nn.Upsample(scale_factor=s) for name, s in (("a", 2), ("b", 3), ("c", 3), ("d", 2))}
    r = found(Made(lambda m, x: m.b(m.a(x)) + m.d(m.c(x)), **parts))
    assert {stage.factor for stage in r.chain.stages} == {2, 3}
    assert (len(r.branches), r.grid) == (2, Fraction(1, 6))


def test_what_is_made_but_not_used_does_not_count() -> None:
    r = found(Made(lambda m, x: (m.up(x), m.conv(x))[1], up=up(), conv=CONV))
    assert not r.resamplers
    assert not r.chain.stages
    assert r.rate == r.grid == 1


def test_what_is_not_understood_is_listed() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Torch, whose scripted modules are still about
        hidden = torch.jit.script(up())
    scripted = found(nn.Sequential(hidden, up()))
    assert scripted.rate == 4
    assert scripted.grid == Fraction(1, 4)
    assert len(scripted.not_understood) == 1
    assert scripted.not_understood[0].startswith("0 (RecursiveScriptModule, ×2): runs out of sight")
    picked = found(Made(gathered, conv=CONV))
    assert picked.rate == 3
    assert picked.grid == Fraction(1, 3)
    assert len(picked.not_understood) == 1


def test_functions_with_a_backward_of_their_own_lose_nothing() -> None:
    doubled: Callable[[Tensor], Tensor] = Doubled.apply
    r = found(Made(lambda m, x: m.conv(doubled(m.conv(x))), conv=CONV))
    assert r.rate == 2
    assert r.grid == Fraction(1, 2)


def dynamic(m: Any, x: Tensor) -> Any:
    return m.conv(x) if x.shape[-1] * 7 % 4096 < 2048 else m.conv(m.conv(x))


def recursive(m: Any, x: Tensor) -> Any:
    y = [m.up(x)[..., 0]]
    for n in range(1, 2 * x.shape[-1]):
        y.append(0.9 * y[-1] + m.taps[n % 4])
    m.lengths.append(x.shape[-1])
    return torch.stack(y, -1)


def test_a_loop_over_samples_is_told_at_the_first_length() -> None:
    module = Made(recursive, up=up(), taps=torch.ones(4), lengths=[])
    with pytest.raises(
        NotAnalysable, match=r"calls.* for inputs 1, 2, 3, 5 times as long.* sample by sample in a loop"
    ):
        found(module)
    assert module.lengths == [32, 64, 96, 160]


def test_a_decimation_that_does_not_divide_folds_lines() -> None:
    """×3, then every other sample: lines at 1 fold to 1/2, which a constant shows as a period of three samples."""
    module = nn.Sequential(nn.ConvTranspose1d(1, 1, 3, 3), nn.Conv1d(1, 1, 1, 2))
    r = found(module)
    assert [x.spacing for x in r.net] == [Fraction(1, 2)]
    assert r.rate == Fraction(3, 2)
    assert r.grid == Fraction(1, 3)
    y = module(torch.ones(1, 1, 24))[0, 0].detach()
    assert bool((y[3:] == y[:-3]).all())
    assert not bool((y[1:] == y[:-1]).all())


def added(m: Any, x: Tensor) -> Any:
    y = x.new_zeros(1, 1, 3 * x.shape[-1])
    y[..., ::3] += x
    return m.conv(y)


def elsewhere(m: Any, x: Tensor) -> Any:
    return m.b(torch.from_numpy(m.a(x).numpy()))


def listed(m: Any, x: Tensor) -> Any:
    return m.b(torch.tensor(m.a(x).tolist()))


WRITTEN = [(Made(added, conv=CONV), 3), (Made(elsewhere, a=up(), b=up()), 4), (Made(listed, a=up(), b=up()), 4)]


@pytest.mark.parametrize(("module", "factor"), WRITTEN)
def test_nothing_is_lost_in_writes_and_in_other_libraries(module: nn.Module, factor: int) -> None:
    r = found(module)
    assert r.rate == r.chain.factor == 1 / r.grid == factor
    assert r.not_understood


def test_strides_that_lengths_do_not_divide() -> None:
    """Of 1, 2, 3 and 5 times 7680 samples a stride of 7 leaves lengths that grow alike by chance."""
    r = found(nn.Sequential(nn.Conv1d(1, 1, 7, 7, 3), nn.ConvTranspose1d(1, 1, 7, 7)))
    assert [x.factor for x in r.resamplers] == [Fraction(1, 7), 7]
    assert r.rate == 1
    assert r.grid == Fraction(1, 7)


def skewed(m: Any, x: Tensor) -> Any:
    q = x.transpose(1, 2)
    scores = F.pad(q @ x, (1, 0)).reshape(1, -1)[:, x.shape[-1] :].reshape(1, x.shape[-1], -1)
    return m.up((scores @ q).transpose(1, 2))


def test_what_grows_with_the_square_of_the_length_is_given_up_in_time() -> None:
    """No tensor on the way is larger than what `LARGEST` allows."""
    largest = 0

    def watched(m: Any, x: Tensor) -> Any:
        nonlocal largest
        largest = max(largest, x.shape[-1] ** 2)
        return skewed(m, x)

    with pytest.raises(NotAnalysable, match="tensor on the way"):
        found(Made(watched, up=up()))
    assert largest < LARGEST


class Alternating(nn.Module):
    """Takes another way at each call."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.calls = nn.Conv1d(1, 1, 3, padding=1), 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return torch.as_tensor(self.conv(x) if self.calls % 2 else torch.relu(self.conv(x)))


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (Made(lambda m, x: torch.randn(1, 1, 9)), "module output: got a tensor that nothing was seen to make"),
        (Made(lambda m, x: (x, x)), "module output: got tuple"),
        (nn.AdaptiveAvgPool1d(4), "rate of the module"),
        (nn.Conv1d(2, 1, 1), "input of shape \\(1, 1, "),
        (Alternating(), "module: got other calls from"),
        (Made(lambda m, x: m.up(x)[..., : x.shape[-1]], up=up()), "length: got 1/2 times as many samples behind"),
        (nn.Conv1d(1, 1, 11, 11, 5), "sizes that grow in proportion"),
        (Made(lambda m, x: torch.cat([x, x], -1)), "length: got 2 times as many samples behind"),
        (Made(lambda m, x: x[..., : math.isqrt(x.shape[-1])]), "tensor on the way"),
    ],
)
def test_what_has_no_rates_is_refused(module: nn.Module, words: str) -> None:
    with pytest.raises(NotAnalysable, match=words):
        found(module)


def test_hooks_are_gone_after_a_refusal() -> None:
    hooks = torch.nn.modules.module
    before = len(hooks._global_forward_hooks), len(hooks._global_forward_pre_hooks)
    with pytest.raises(NotAnalysable):
        found(nn.Conv1d(2, 1, 1))
    assert (len(hooks._global_forward_hooks), len(hooks._global_forward_pre_hooks)) == before


@QUIET(max_examples=50)
@given(*(st.fractions(Fraction(1, 64), 64, max_denominator=64) for _ in range(2)))
def test_gcd_is_the_largest_common_measure(a: Fraction, b: Fraction) -> None:
    """Both are whole multiples, and the multiples have no common factor."""
    g = gcd(a, b)
    assert (a / g).denominator == (b / g).denominator == 1
    assert math.gcd(int(a / g), int(b / g)) == 1


@QUIET(max_examples=15)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from((2, 4))), min_size=1, max_size=4))
def test_lines_of_plain_chains_are_where_a_constant_puts_them(steps: list[tuple[bool, int]]) -> None:
    """Zero stuffing and decimation of a constant, in exact numbers: all lines there are, are on the grid."""
    layers: list[nn.Module] = []
    y, rate = torch.ones(1, 1, 1728), Fraction(1)
    for rising, s in steps:
        rate = rate * s if rising else rate / s
        layer = nn.ConvTranspose1d(1, 1, 1, s, output_padding=s - 1) if rising else nn.Conv1d(1, 1, 1, s)
        layers.append(layer)
        with torch.no_grad():
            layer.weight.fill_(1)
            torch.nn.init.zeros_(layer.bias if layer.bias is not None else torch.zeros(1))
            y = layer(y)
    r = found(nn.Sequential(*layers))
    assert r.rate == rate
    period = int(1 / r.grid)
    values = y[0, 0, : y.shape[-1] // period * period].reshape(-1, period)
    assert bool((values == values[0]).all())
