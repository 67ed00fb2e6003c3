"""Which law a kernel begins with: never guessed, and draws of the class hardly ever taken for something else."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from dspref.arrays import NotAnalysable
from dspref.chain import Pointwise
from dspref.expected import Drawn, Fixed, Gate, Unknown
from torchparity.evidence import RARE, centred, one_variance, orthogonal, uniform
from torchparity.initial_laws import COMPUTED as UNKNOWN
from torchparity.walked import Walked, walked

U = 2.0**-24


class Doing(nn.Module):
    """Does what a function of its modules says."""

    def __init__(self, does: Callable[[Any, Tensor], Any], **parts: Any) -> None:
        super().__init__()
        self.does = does
        for name, part in parts.items():
            if isinstance(part, Tensor) and not isinstance(part, nn.Parameter):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)

    def forward(self, x: Tensor) -> Any:
        return self.does(self, x)


def conv(inputs: int = 8, outputs: int = 8, length: int = 3, **given: Any) -> nn.Conv1d:
    return nn.Conv1d(inputs, outputs, length, padding=length // 2, **given)


def filled(layer: Any, fill: Callable[[Tensor], Any]) -> Any:
    fill(layer.weight.data)
    return layer


def unknowns(made: Walked) -> list[str]:
    return [node.op.what for node in made.network if isinstance(node.op, Unknown)]


# -- tests of draws --------------------------------------------------------------------------------------------------


def numbers(*given: float) -> Tensor:
    return torch.tensor(given, dtype=torch.float64)


@pytest.mark.parametrize("n", [1, 2, 5, 19, 30])
def test_the_largest_of_uniform_numbers_is_below_tb_in_t_to_the_n(n: int) -> None:
    """Of n equal numbers t; the bound of their mean square does not come before."""
    t = RARE ** (1 / n)
    assert uniform(torch.full((n,), t * 1.001, dtype=torch.float64), 1 / 3, U)
    spread = torch.cat([numbers(t * 0.999), torch.zeros(n - 1, dtype=torch.float64)])
    assert not uniform(spread, 1 / 3, U)
    assert uniform(numbers(1 + U), 1 / 3, U)
    assert not uniform(numbers(1 + 9 * U), 1 / 3, U)
    assert uniform(numbers(1 + 2.0**-9), 1 / 3, 2.0**-9)  # as far as half precision rounds


@pytest.mark.parametrize("n", [40, 200, 5000])
def test_a_mean_square_of_uniform_numbers_is_bounded_at_both_sides(n: int) -> None:
    """Against a quantile of the normal law, to which it tends: 6.1 deviations of it leave 10⁻⁹."""
    grid = torch.linspace(0, 1, n, dtype=torch.float64)
    factor = math.sqrt(0.8 / n)

    def off(sigmas: float) -> Tensor:
        """Numbers of the whole range, of a mean square that is so many deviations off."""
        square = (1 + sigmas * factor) / 3
        return grid ** ((1 / square - 1) / 2)  # of mean square 1/(2a + 1)

    exact = float(off(0).square().mean() * 3 - 1) / factor
    assert abs(exact) < 1
    for side in (-1, 1):
        assert uniform(off(side * 3.5 - exact), 1 / 3, U)
        assert not uniform(off(side * 9.5 - exact), 1 / 3, U) or 1 + side * 9.5 * factor <= 0


def test_chernoffs_bound_is_above_what_is_counted() -> None:
    """P(Σa ≤ s) = V_n s^{n/2}/2ⁿ below 1: the cube's corner holds all of the ball."""
    for n in (2, 5, 10):
        r2 = RARE ** (2 / n) * 4 / math.pi * math.exp(2 / n * math.lgamma(n / 2 + 1))  # the radius of that many
        assert not uniform(torch.full((n,), math.sqrt(r2 / n) / math.e, dtype=torch.float64), 1 / 3, U)


def test_means_by_their_signs_by_hoeffding_and_by_the_cone_about_the_diagonal() -> None:
    rng = torch.Generator().manual_seed(0)
    assert not centred(torch.rand(31, generator=rng, dtype=torch.float64), U)  # one sign: 2⁻³⁰
    assert centred(torch.rand(30, generator=rng, dtype=torch.float64), U)
    assert not centred(torch.randn(4000, generator=rng, dtype=torch.float64) + 0.15, U)
    assert centred(torch.randn(4000, generator=rng, dtype=torch.float64), U)
    for n in (6, 12, 24):
        assert not centred(0.5 + 0.003 * torch.randn(n, generator=rng, dtype=torch.float64), U)
    # of two numbers, |t| is beyond T in 1/T of all cases: t = (x + y)/|x − y|, exactly
    assert centred(numbers(1, 1 - 2.02 * RARE), 0)
    assert not centred(numbers(1, 1 - 1.98 * RARE), 0)


def test_the_cone_is_above_what_is_counted() -> None:
    """At a level that can be counted: |t| beyond 20 of three uniform numbers, in at most (2π/√3)·…: 1.4 ‰."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (200000, 3))
    t = np.abs(x.mean(1)) / (x.std(1, ddof=1) / math.sqrt(3))
    due = 2 * math.pi * (2 / 20**2) * math.sqrt(3) / 8
    error = math.sqrt(due / len(x))
    assert (t > 20).mean() < due + 4 * error
    assert (t > 20).mean() > due / 2


def test_one_variance_is_told_from_two() -> None:
    rng = torch.Generator().manual_seed(0)
    w = torch.randn(4, 100, generator=rng, dtype=torch.float64)
    assert one_variance(w.square().mean(1), 100, U)
    w[1] *= 3
    assert not one_variance(w.square().mean(1), 100, U)
    assert one_variance(numbers(1, 0), 1, U)  # one number each says nothing
    assert not one_variance(numbers(1, 0), 2, U)


def test_orthogonal_rows_are_told_in_half_precision_and_wide_draws_are_not_taken_for_them() -> None:
    torch.manual_seed(0)
    q = nn.init.orthogonal_(torch.empty(32, 96))
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        u = torch.finfo(dtype).eps / 2
        assert orthogonal(q.to(dtype).double(), u)
        assert not orthogonal(torch.randn(8, 40000).to(dtype).double(), u)
    assert not orthogonal(torch.randn(2, 4000).double(), 2.0**-8)


# -- laws ------------------------------------------------------------------------------------------------------------

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "8": conv,
    "one": lambda: conv(1, 1, 1),
    "two": lambda: nn.Conv1d(1, 1, 2),
    "square": lambda: conv(2, 2, 1),
    "narrow": lambda: conv(8, 1, 7),
    "depthwise": lambda: conv(16, 16, 9, groups=16),
    "transposed": lambda: nn.ConvTranspose1d(8, 4, 8, 4),
    "drawn in bfloat16": lambda: conv(dtype=torch.bfloat16),
    "float16": lambda: conv(16, 16, 5).half(),
    "norm": lambda: weight_norm(conv(16, 16)),
    "norm in bfloat16": lambda: weight_norm(conv(16, 16)).bfloat16(),
}


@pytest.mark.parametrize("case", LAYERS)
def test_draws_of_the_class_are_known_as_such(case: str) -> None:
    for seed in range(12):
        torch.manual_seed(seed)
        layer = LAYERS[case]()
        made = walked(layer, length=64)
        assert [law.law for law in made.laws] == ["default"]
        few = sum(p.numel() for name, p in layer.named_parameters() if name == "weight") in range(1, 19)
        assert len(made.remarks) == few
    if few:
        assert "too few to tell" in made.remarks[0]


@pytest.mark.parametrize("seed", range(5))
def test_small_layers_of_other_laws_are_measured(seed: int) -> None:
    torch.manual_seed(seed)
    for layer in (conv(1, 8, bias=False), conv(8, 1, bias=False)):
        (law,) = walked(filled(layer, lambda w: nn.init.normal_(w, 0, 0.02))).laws
        assert law.law == "measured"
    wide = filled(conv(14, 16, 1, bias=False), lambda w: w.mul_(0.7))  # −3 dB, of 224 weights
    assert walked(wide).laws[0].law == "measured"
    beyond = conv(32, 32, bias=False)
    beyond.weight.data[3, 3, 0] = 1.01 / math.sqrt(96)  # of the right power, but one beyond the bound
    assert walked(beyond).laws[0].law == "measured"


def test_biases_are_tested_likewise() -> None:
    torch.manual_seed(0)
    layer = conv(8, 16)
    assert layer.bias is not None
    nn.init.normal_(layer.bias, 0, 0.01)
    (law,) = walked(layer).laws
    assert law.law == "default, biases measured"
    assert law.bias == pytest.approx(float(layer.bias.detach().double().square().mean()))


def test_biases_that_repeat_are_refused_unless_their_precision_makes_them_repeat() -> None:
    torch.manual_seed(0)
    layer = nn.Conv1d(8, 16, 3)
    assert layer.bias is not None
    layer.bias.data[:] = torch.tensor([0.0, 2.0]).repeat_interleave(8)  # open gates
    with pytest.raises(NotAnalysable, match="bias of 0: got biases that repeat"):
        walked(nn.Sequential(layer))
    assert walked(nn.Conv1d(4, 300, 5, dtype=torch.bfloat16)).laws[0].law == "default"


def gate(a: nn.Module, b: nn.Module) -> Walked:
    return walked(Doing(lambda m, x: torch.tanh(m.a(x)) * torch.sigmoid(m.b(x)), a=a, b=b), channels=8)


def test_a_gate_is_merged_only_from_halves_of_one_law() -> None:
    torch.manual_seed(0)

    def normal(size: float) -> nn.Module:
        layer = filled(conv(), lambda w: nn.init.normal_(w, 0, size))
        nn.init.zeros_(layer.bias)
        return layer  # type: ignore[no-any-return]

    (law,) = gate(normal(0.02), normal(0.02)).laws
    assert law.law == "measured"
    assert law.weight == pytest.approx(0.0004, rel=6 * math.sqrt(2 / 384))
    two, half = "a gate whose halves are drawn from two laws", "a gate of which one half has a bias"
    assert unknowns(gate(normal(0.02), normal(0.05))) == [two]
    assert unknowns(gate(conv(), normal(0.02))) == unknowns(gate(normal(1), conv())) == [two]
    assert unknowns(gate(conv(), conv(bias=False))) == unknowns(gate(conv(bias=False), conv())) == [half]
    same_power = filled(conv(), lambda w: nn.init.normal_(w, 0, 1 / math.sqrt(72)))
    assert unknowns(gate(conv(), same_power)) == [two]
    silent = conv()
    assert silent.bias is not None
    nn.init.zeros_(silent.bias)
    assert unknowns(gate(conv(), silent)) == [two]
    assert gate(silent, silent).network.nodes[0].op != gate(conv(), conv()).network.nodes[0].op
    copied = conv()
    assert unknowns(gate(copied, copy.deepcopy(copied))) == ["shared weights"]


def test_halves_of_a_gate_lie_side_by_side_and_its_gain_stays() -> None:
    made = walked(
        Doing(lambda m, x: 0.5 * torch.tanh((y := m.a(x))[:, :8]) * (3 * torch.sigmoid(y[:, 8:])), a=conv(8, 16))
    )
    tanh_sigmoid = Gate(Pointwise("tanh"), Pointwise("sigmoid"))
    gain = Fixed(np.array([1.5]))
    assert [node.op for node in made.network] == [Drawn("conv", 8, 16, 3, padding=1), tanh_sigmoid, gain]
    apart = Doing(lambda m, x: torch.tanh((y := m.a(x))[:, :8]) * torch.sigmoid(y[:, 16:]), a=conv(8, 24))
    assert unknowns(walked(apart)) == ["a product of two signals"]


def test_the_second_kernel_of_a_gate_is_not_used_again() -> None:
    layers = {"a": conv(), "b": conv()}
    again = Doing(lambda m, x: m.b(torch.tanh(m.a(x)) * torch.sigmoid(m.b(x))), **layers)
    assert unknowns(walked(again)) == ["shared weights"]


# -- what is no independent draw -------------------------------------------------------------------------------------


def tied() -> nn.Module:
    a, b = conv(bias=False), conv(bias=False)
    b.weight = nn.Parameter(a.weight.data)
    return Doing(lambda m, x: m.b(torch.relu(m.a(x))), a=a, b=b)


def copied() -> nn.Module:
    layer = conv()
    return nn.Sequential(layer, nn.ReLU(), copy.deepcopy(layer))


def one_bias() -> nn.Module:
    return Doing(
        lambda m, x: F.conv1d(x, m.a.weight, m.b) + F.conv1d(x, m.c.weight, m.b),
        a=conv(8, 8, 1),
        c=conv(8, 8, 1),
        b=nn.Parameter(torch.randn(8)),
    )


@pytest.mark.parametrize("make", [tied, copied, one_bias])
def test_copies_are_not_independent(make: Callable[[], nn.Module]) -> None:
    assert unknowns(walked(make(), channels=8)) == ["shared weights"]
    if make is not copied:  # numbers are equal, memory is not
        with torch.device("meta"):
            module = make()
        assert unknowns(walked(module, channels=8))[-1] == "shared weights"


def test_parts_of_one_bias_are_independent() -> None:
    parts = Doing(
        lambda m, x: F.conv1d(x, m.a.weight, m.b[:8]) + F.conv1d(x, m.c.weight, m.b[8:]),
        a=conv(8, 8, 1),
        c=conv(8, 8, 1),
        b=nn.Parameter(torch.randn(16)),
    )
    assert unknowns(walked(parts, channels=8)) == []


def standardised(w: Tensor) -> Tensor:
    w = w - w.mean((1, 2), keepdim=True)
    return w / w.std((1, 2), keepdim=True)


COMPUTED: dict[str, Callable[[Tensor], Tensor]] = {
    "standardised": standardised,
    "masked": lambda w: w * torch.tensor([1.0, 0, 1.0]),
    "windowed": lambda w: w * torch.hann_window(5)[1:4],
    "softmax": lambda w: w.softmax(-1),
    "absolute": lambda w: w.abs(),
    "repeated": lambda w: w.repeat_interleave(2, -1),
    "expanded": lambda w: w[..., :1].expand(-1, -1, 3),
    "tanh": lambda w: w.tanh(),
}


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("case", COMPUTED)
def test_kernels_that_are_computed_are_refused(case: str, device: str) -> None:
    does = COMPUTED[case]
    module = Doing(lambda m, x: F.conv1d(x, does(m.layer.weight), m.layer.bias), layer=conv().to(device))
    assert unknowns(walked(module, channels=8)) == [UNKNOWN]


@pytest.mark.filterwarnings("ignore:.*weight_norm.*")
def test_views_norms_and_multiples_of_parameters_are_not() -> None:
    torch.manual_seed(0)
    times = Doing(lambda m, x: F.conv1d(x, m.layer.weight * -10, m.layer.bias), layer=conv(16, 16))
    (law,) = walked(times, channels=16).laws
    assert law.law == "measured"
    assert law.weight == pytest.approx(100 / 144, rel=6 * math.sqrt(0.8 / 768))
    (law,) = walked(Doing(lambda m, x: m.layer.weight[..., 0] @ x, layer=conv(16, 16, 1, bias=False)), channels=16).laws
    assert law.law == "measured"
    normed: list[nn.Module] = [
        weight_norm(conv()),
        torch.nn.utils.weight_norm(conv(), dim=1),
        weight_norm(conv(), dim=2),
    ]
    assert [unknowns(walked(each, channels=8)) for each in normed] == [[], [], []]
    assert walked(spectral_norm(conv()).eval(), channels=8).laws[0].law == "measured"
    with torch.device("meta"):
        times = Doing(lambda m, x: F.conv1d(x, m.layer.weight * 10, m.layer.bias), layer=conv())
        masked = Doing(lambda m, x: F.conv1d(x, m.layer.weight * 2, m.layer.bias), layer=weight_norm(conv()))
        plain = weight_norm(conv())
    for module in (times, masked):
        assert unknowns(walked(module, channels=8)) == [UNKNOWN]
    assert walked(plain, channels=8).laws[0].law == "default"


def bilinear(w: Tensor) -> None:
    w[:] = torch.tensor([0.25, 0.75, -0.75, -0.25])


def twin(w: Tensor) -> None:
    """ICNR of a transposed convolution: the phases of a kernel are one."""
    w[:] = torch.randn(*w.shape[:2], 2).repeat_interleave(4, -1)


def noisy_dirac(w: Tensor) -> None:
    nn.init.dirac_(w)
    w += 1e-3 * torch.randn_like(w)


def leaning(w: Tensor) -> None:
    """A part of the identity: all else is as in a draw."""
    w.normal_(0, 0.1)
    w[:, :, 0] += 0.25 * torch.eye(len(w))


DEPENDENT: dict[str, tuple[nn.Module, Callable[[Tensor], Any], str]] = {
    "rows": (nn.ConvTranspose1d(8, 8, 4, 2, groups=8, bias=False), bilinear, "that repeat"),
    "twin": (nn.ConvTranspose1d(16, 16, 8, 4), twin, "taps that repeat|mirror"),
    "one row": (conv(16, 16), lambda w: w.copy_(w[:1].expand_as(w).clone()), "rows that repeat|mean"),
    "dirac": (conv(16, 16), nn.init.dirac_, "weights of 768 that are 0"),
    "dirac and noise": (conv(16, 16), noisy_dirac, "different powers|far above|diagonal"),
    "a part of the identity": (conv(64, 64, 1), leaning, "its diagonal"),
    "mirrored": (conv(1, 4, 9), lambda w: w.copy_(w + w.flip(-1)), "repeat|mirror"),
    "taps of 0": (nn.ConvTranspose1d(16, 16, 8, 2), lambda w: w[..., ::2].zero_(), "that are 0"),
    "decaying": (conv(16, 16, 9), lambda w: w.mul_(torch.exp(-torch.arange(9.0))), "taps of different powers"),
    "orthogonal": (conv(16, 16, 1), nn.init.orthogonal_, "orthogonal rows"),
    "trained": (conv(1, 12, 1, bias=False), lambda w: w.normal_(0.5, 0.003), "mean"),
}


@pytest.mark.parametrize("case", DEPENDENT)
def test_weights_that_depend_on_each_other_are_refused(case: str) -> None:
    torch.manual_seed(0)
    layer, fill, words = DEPENDENT[case]
    with pytest.raises(NotAnalysable, match=f"got .*({words})"):
        walked(filled(layer, fill))


# -- constants of this draw ------------------------------------------------------------------------------------------


def test_numbers_of_this_draw_that_become_constants_are_remarked() -> None:
    torch.manual_seed(0)
    gain, taps, alpha = (
        nn.Parameter(torch.tensor([0.1371234])),
        torch.randn(1, 1, 5),
        nn.Parameter(torch.tensor([0.7654321])),
    )

    def does(m: Any, x: Tensor) -> Tensor:
        y = F.conv1d(m.layer(x) * m.gain, m.taps.expand(8, 1, -1), groups=8)
        y = m.last(y)
        return torch.as_tensor(y + torch.sin(m.alpha * y) ** 2 / m.alpha)

    made = walked(Doing(does, layer=conv(), gain=gain, taps=taps, alpha=alpha, last=conv()))
    assert sorted(made.remarks) == [
        "alpha: 0.765 of this draw, taken as constants of the network",
        "gain: 0.137 of this draw, taken as constants of the network",
        f"taps: {float(taps[0, 0, 0]):.3g} and 4 more of this draw, taken as constants of the network",
    ]


def test_numbers_that_somebody_wrote_are_not() -> None:
    for value in itertools.chain((0.25, 0.7, 1e-5), (1.0, 0.0)):
        module = Doing(
            lambda m, x: m.layer(x) * m.gain + m.layer(x), layer=conv(), gain=nn.Parameter(torch.tensor(value))
        )
        assert walked(module, channels=8).remarks == ()
