"""Layers that are kept tone-free: constants stay constants, under any norm, in any format, wherever they are taken."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations as norms
from torch.nn.utils import prune, remove_weight_norm, weight_norm
from torch.nn.utils import spectral_norm as old_spectral_norm
from torch.nn.utils.parametrize import is_parametrized, register_parametrization, remove_parametrizations

from dspref.arrays import NotAnalysable
from torchparity.describe import describe
from torchparity.nn import PixelShuffle1d, SubpixelConv1d
from torchparity.nn.utils import ToneFreeTaps, remove_tone_free, tone_free
from torchparity.nn.utils.kernels import Kernel, chain, kernel_of, tensors
from torchparity.roundoff import doubled, roundoff

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")

UNIT = {torch.float64: 2.0**-53, torch.float32: 2.0**-24, torch.bfloat16: 2.0**-8, torch.float16: 2.0**-11}

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "full overlap": lambda: nn.ConvTranspose1d(4, 3, 8, 4, 2),
    "partial overlap": lambda: nn.ConvTranspose1d(4, 3, 7, 3, 1, 1),
    "no overlap": lambda: nn.ConvTranspose1d(4, 3, 5, 5),
    "groups, dilation": lambda: nn.ConvTranspose1d(4, 6, 6, 4, groups=2, dilation=3),
    "sub-pixel": lambda: SubpixelConv1d.from_two_layers(nn.Conv1d(4, 12, 5), 4),
    "sub-pixel, groups": lambda: SubpixelConv1d.from_two_layers(nn.Conv1d(4, 12, 3, groups=2, dilation=2), 3),
    "sub-pixel, dcr": lambda: SubpixelConv1d.from_two_layers(
        nn.Conv1d(4, 12, 3, dilation=2), PixelShuffle1d(3, order="dcr")
    ),
}


def made(name: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return LAYERS[name]()


def kernel(layer: nn.Module) -> Kernel:
    found = kernel_of(layer)
    assert found is not None
    return found


def weight(layer: nn.Module) -> Tensor:
    k = kernel(layer)
    return getattr(k.owner, k.weight).detach()  # type: ignore[no-any-return]


def sums(layer: nn.Module) -> Iterator[list[tuple[Fraction, Fraction]]]:
    """Yield, for each pair of channels, the exact gain of every phase, and the sum of absolute values."""
    k, w = kernel(layer), weight(layer).double()
    if k.channels:
        L, rest = k.factor, w.shape[1:]
        w = w.reshape(-1, L, *rest) if k.channels == "crd" else w.reshape(L, -1, *rest).transpose(0, 1)
        rows = w.transpose(1, 2).flatten(0, 1).tolist()
    else:
        rows = [[row[r :: k.factor] for r in range(k.factor)] for row in w.flatten(0, 1).tolist()]
    for row in rows:
        exact = [[Fraction(v) for v in phase] for phase in row]
        yield [(sum(phase, Fraction()), sum(map(abs, phase), Fraction())) for phase in exact]


def off(layer: nn.Module) -> float:
    """Return the largest difference of gains within a pair of channels, by the largest sum of absolute values there."""
    found = []
    for phases in sums(layer):
        g, A = zip(*phases, strict=True)
        found.append(float((max(g) - min(g)) / max(A)) if max(A) else 0.0)
    return max(found)


def due(layer: nn.Module, u: float) -> float:
    """Return how far gains may differ after the closed form, by the sums A of what was learned, in units of A.

    A gain is a sum of n taps, off by nuA; the gain G of all, a mean of s of them, by (n + s + 2)uA; the quotient
    (g − G)/n rounds twice what is at most 2A; it is taken from n taps, each of which rounds: 3uA. All twice, for two
    phases, and the sums A of the taps that are left are A/3 at least, of those whose gains are no larger than that.
    """
    k = kernel(layer)
    n = -(-k.total // k.factor)
    return 2 * (2 * n + k.factor + 12) * u


def learned_sums(layer: nn.Module) -> float:
    """Return by how much the sums of absolute values of what is learned exceed those of what is used, at most."""
    k, w = kernel(layer), weight(layer)
    return float(tensors(k)[-1].detach().abs().max() * k.taps / w.abs().sum(-1).min())


def flat(layer: nn.Module, x: Tensor) -> float:
    """Return the largest difference of output samples in the steady state, for a constant input."""
    k = kernel(layer)
    border = k.taps * k.dilation * k.factor
    y = layer(x).detach().double()[..., border:-border]
    assert y.shape[-1] >= 2 * k.factor
    return float((y - y[..., :1]).abs().max())


def constant(layer: nn.Module, dtype: torch.dtype = torch.float64) -> Tensor:
    x = torch.randn(4, generator=torch.Generator().manual_seed(9)).to(dtype)
    return x[None, :, None].expand(1, 4, 2 * kernel(layer).taps * kernel(layer).dilation + 6)


@pytest.mark.parametrize("name", LAYERS)
def test_a_constant_stays_a_constant(name: str) -> None:
    """To rounding of the layer, and of gains that differ by rounding; without, by far more."""
    layer = made(name).double()
    x = constant(layer)
    assert flat(layer, x) > 0.05
    assert tone_free(layer) is layer
    bound = 2 * roundoff(describe(layer), x.numpy(), "float64").max()
    gain = due(layer, UNIT[torch.float64]) * learned_sums(layer) * float(weight(layer).abs().sum() * x.abs().max())
    assert flat(layer, x) <= bound + gain
    assert off(layer) <= due(layer, UNIT[torch.float64]) * learned_sums(layer)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_in_half_precision_gains_are_equal_exactly(dtype: torch.dtype) -> None:
    for name in LAYERS:
        layer = tone_free(made(name)).to(dtype)
        assert weight(layer).dtype == dtype
        assert off(layer) <= (due(layer, UNIT[dtype]) * learned_sums(layer) if dtype == torch.float32 else 0)


def test_autocast_rounds_each_tap_once_more() -> None:
    """The weight is projected in single precision; gains then differ by what rounding to bfloat16 moves them."""
    layer = tone_free(made("partial overlap"), order=2)
    plain = weight(layer)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside, y = weight(layer), layer(torch.ones(1, 4, 40))
    assert torch.equal(inside, plain)
    assert y.dtype == torch.bfloat16
    u, single = UNIT[torch.bfloat16], due(layer, UNIT[torch.float32]) * learned_sums(layer)
    for phases in sums_of(inside.bfloat16(), 3):
        for (g, A), (g2, A2) in pairwise(phases):
            assert abs(g - g2) <= u * (A + A2) + single * max(A, A2) * 7  # order 2 rounds each of 7 taps by a sum of 7


def sums_of(w: Tensor, s: int) -> Iterator[list[tuple[Fraction, Fraction]]]:
    for row in w.double().flatten(0, 1).tolist():
        phases = [[Fraction(v) for v in row[r::s]] for r in range(s)]
        yield [(sum(p, Fraction()), sum(map(abs, p), Fraction())) for p in phases]


NORMS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "none": lambda m: m,
    "older weight norm": weight_norm,
    "weight norm": norms.weight_norm,
    "weight norm, last axis": lambda m: norms.weight_norm(m, dim=2),
    "weight norm, whole": lambda m: norms.weight_norm(m, dim=None),  # type: ignore[arg-type]
    "spectral norm": norms.spectral_norm,
}


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ["full overlap", "sub-pixel"])
def test_under_any_norm_and_baked_bit_by_bit(name: str, norm: str) -> None:
    layer = made(name).eval()
    NORMS[norm](kernel(layer).owner)
    before = {id(p) for p in layer.parameters()}
    tone_free(layer, order=2)
    assert {id(p) for p in layer.parameters()} == before  # an optimizer that was made before knows them all
    kept, scale = weight(layer), learned_sums(layer)
    assert off(layer) <= 16 * due(layer, UNIT[torch.float32]) * scale  # K = 8, and 20: sums over all taps, twice
    remove_tone_free(layer)
    assert torch.equal(weight(layer), kept)
    left = is_parametrized(kernel(layer).owner)
    assert left == norm.startswith(("weight", "older"))
    x = torch.randn(1, 4, 30)
    layer.train()
    assert layer(x).requires_grad
    with pytest.raises(ValueError, match="no layer that is kept tone-free"):
        remove_tone_free(layer)


@pytest.mark.parametrize("dim", [0, 1, 2, None])
def test_the_older_weight_norm_keeps_its_axis(dim: int | None) -> None:
    layer = weight_norm(made("full overlap"), dim=dim)  # type: ignore[arg-type]
    g = tensors(kernel(layer))[0]
    nn.init.uniform_(g, 0.5, 2)
    layer(torch.ones(1, 4, 3))
    before = weight(layer)
    tone_free(layer)
    assert torch.equal(weight(layer), ToneFreeTaps(8, 4)(before))
    assert tensors(kernel(layer))[0] is g


def test_two_norms_before_the_projection_go_when_it_is_baked() -> None:
    layer = norms.spectral_norm(norms.weight_norm(made("full overlap"))).eval()
    tone_free(layer)
    kept = weight(layer)
    remove_tone_free(layer)
    assert torch.equal(weight(layer), kept)
    assert not is_parametrized(layer)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_baked_in_the_format_that_runs_gains_are_equal_exactly(dtype: torch.dtype) -> None:
    """A cast of baked weights rounds each tap by itself."""
    first, last = (tone_free(norms.weight_norm(made("full overlap"))) for _ in range(2))
    remove_tone_free(first.to(dtype))
    assert off(first) == 0
    assert off(remove_tone_free(last).to(dtype)) > 0


def test_a_norm_that_stays_behind_the_bake_ends_as_the_newer_does() -> None:
    layer = remove_tone_free(tone_free(weight_norm(made("full overlap"))))
    kept = weight(layer)
    with pytest.raises(ValueError, match="weight_norm of 'weight' not found"):
        remove_weight_norm(layer)
    remove_parametrizations(layer, "weight")
    assert torch.equal(weight(layer), kept)
    assert not is_parametrized(layer)


def test_spectral_norm_behind_stays_when_the_projection_is_baked() -> None:
    layer = tone_free(made("full overlap"))
    norms.spectral_norm(layer)
    layer.eval()
    kept = weight(layer)
    assert off(layer) <= due(layer, UNIT[torch.float32]) * 8  # one more rounding per tap, of the weight as a whole
    remove_tone_free(layer)
    assert torch.equal(weight(layer), kept)
    assert [type(m).__name__ for m in layer.parametrizations.weight] == ["_SpectralNorm"]  # type: ignore[union-attr]


@pytest.mark.parametrize(("norm", "error"), [(weight_norm, KeyError), (norms.weight_norm, TypeError)])
def test_torch_has_no_weight_norm_behind_another_parametrization(norm: Any, error: type[Exception]) -> None:
    layer = tone_free(made("full overlap"))
    with pytest.raises(error):
        norm(layer)(torch.ones(1, 4, 9))


@pytest.mark.parametrize("norm", [weight_norm, norms.weight_norm])
def test_checkpoints_of_either_weight_norm_load(norm: Any) -> None:
    """What was saved of the layer as it was before is its g and v; the weight is the projection of what they make."""
    other = norm(made("full overlap", seed=1))
    layer = tone_free(norm(made("full overlap")))
    layer.load_state_dict(other.state_dict())
    assert torch.equal(weight(layer), weight(tone_free(other)))
    other(torch.ones(1, 4, 9)).sum().backward()
    assert all(p.grad is not None for p in other.parameters())


def test_what_is_learned_lands_where_it_should() -> None:
    """The gradient of what is learned is the projected gradient of the weight, by finite differences."""
    layer = tone_free(made("partial overlap").double(), order=2)
    x = torch.randn(1, 4, 6, dtype=torch.float64)
    (original,) = tensors(kernel(layer))
    (found,) = torch.autograd.grad(layer(x).square().sum(), original)
    step = torch.randn(original.shape, dtype=torch.float64)
    values = []
    with torch.no_grad():
        for sign in (1, -1):
            original.add_(step, alpha=sign)
            values.append(layer(x).square().sum())
            original.sub_(step, alpha=sign)
    central = float(values[0] - values[1]) / 2  # exact for what is quadratic
    products = original.numel() * x.numel()
    assert abs(central - float((found * step).sum())) <= products * UNIT[torch.float64] * float(max(values))


REFUSED: list[tuple[str, Callable[[], nn.Module], int, type[Exception], str]] = [
    (
        "another layer",
        lambda: nn.Conv1d(1, 1, 3),
        1,
        TypeError,
        "got Conv1d; allowed: ConvTranspose1d",
    ),
    (
        "stride 1",
        lambda: nn.ConvTranspose1d(1, 1, 3),
        1,
        ValueError,
        "a layer of stride 1 makes no tone: nothing to do",
    ),
    ("a short kernel", lambda: nn.ConvTranspose1d(1, 1, 3, 4), 1, NotAnalysable, "1 phases without a tap"),
    ("order", lambda: nn.ConvTranspose1d(1, 1, 16, 8), 3, ValueError, "got 3; allowed: at most 2"),
    (
        "sub-pixel, order",
        lambda: SubpixelConv1d.from_two_layers(nn.Conv1d(1, 4, 1), 4),
        2,
        ValueError,
        "got 2; allowed: at most 1",
    ),
    (
        "dilation",
        lambda: nn.ConvTranspose1d(1, 1, 9, 4, dilation=2),
        1,
        NotAnalysable,
        "common divisor 2 leaves phases",
    ),
    (
        "groups",
        lambda: SubpixelConv1d.from_two_layers(nn.Conv1d(2, 6, 3, groups=2), 2),
        1,
        NotAnalysable,
        "groups: got 2",
    ),
    (
        "groups, dcr",
        lambda: SubpixelConv1d.from_two_layers(nn.Conv1d(2, 8, 3, groups=2), PixelShuffle1d(2, order="dcr")),
        1,
        NotAnalysable,
        "phases of one channel would hear other inputs",
    ),
    ("lazy", lambda: nn.LazyConvTranspose1d(1, 4, 2), 1, ValueError, "not initialised yet"),
    ("again", lambda: tone_free(nn.ConvTranspose1d(1, 1, 4, 2)), 2, ValueError, "tone-free of order 1 already"),
    ("complex", lambda: nn.ConvTranspose1d(1, 1, 4, 2, dtype=torch.complex64), 1, TypeError, "got torch.complex64"),
    (
        "pruned",
        lambda: prune.identity(nn.ConvTranspose1d(1, 1, 4, 2), "weight"),  # type: ignore[no-untyped-call]
        1,
        ValueError,
        "by a hook",
    ),
    (
        "pruned biases",
        lambda: prune.identity(SubpixelConv1d(1, 1, 3, 2), "bias"),  # type: ignore[no-untyped-call]
        1,
        ValueError,
        "bias: got computed by a hook",
    ),
    (
        "biases of a parametrization",
        lambda: register_parametrization(SubpixelConv1d(1, 1, 3, 2), "bias", nn.Tanh()),
        1,
        ValueError,
        "bias: got parametrized by Tanh",
    ),
    ("older spectral norm", lambda: old_spectral_norm(nn.ConvTranspose1d(1, 1, 4, 2)), 1, ValueError, "by a hook"),
    (
        "another parametrization",
        lambda: register_parametrization(nn.ConvTranspose1d(1, 1, 4, 2), "weight", nn.Tanh()),
        1,
        ValueError,
        "parametrized by Tanh",
    ),
]


@pytest.mark.filterwarnings("ignore:Lazy modules:UserWarning")
@pytest.mark.parametrize(("make", "order", "error", "words"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_refusals_leave_the_layer_as_it_was(
    make: Callable[[], nn.Module], order: int, error: type[Exception], words: str
) -> None:
    layer = make()
    before = repr(layer), list(layer.state_dict())
    with pytest.raises(error, match=words):
        tone_free(layer, order)
    assert (repr(layer), list(layer.state_dict())) == before


def decoder() -> nn.Sequential:
    torch.manual_seed(0)
    up, shuffle = nn.ConvTranspose1d(4, 4, 11, 4, 2), SubpixelConv1d.from_two_layers(nn.Conv1d(4, 8, 5, padding=2), 2)
    return nn.Sequential(tone_free(up), nn.Tanh(), tone_free(shuffle, order=2)).eval()


X = torch.randn(1, 4, 20, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def net() -> nn.Sequential:
    return decoder()


def test_compiled_without_a_break(net: nn.Sequential) -> None:
    the_same_as_a_program(net, lambda net, x: torch.compile(net, fullgraph=True, backend="eager"))


def test_exported(net: nn.Sequential) -> None:
    the_same_as_a_program(net, lambda net, x: torch.export.export(net, (x,)).module())


def the_same_as_a_program(net: nn.Sequential, program: Callable[[nn.Module, Tensor], Any]) -> None:
    """Its taps are sums, whatever device the program is for; in double precision they are nothing else."""
    assert (program(net, X)(X) - net(X)).abs().max() <= allowed(net)
    wide, x = copy.deepcopy(net).double(), X.double()
    assert torch.equal(program(wide, x)(x), wide(x))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::torch.jit.TracerWarning")
def test_as_an_onnx_file(net: nn.Sequential, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    torch.onnx.export(net, (X,), str(tmp_path / "net.onnx"), dynamo=False)
    session = runtime.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {session.get_inputs()[0].name: X.numpy()})
    assert np.abs(y - net(X).detach().numpy()).max() <= allowed(net)


def allowed(net: nn.Sequential) -> float:
    """Return twice the bound of each layer's sums; tanh, of 2 ulp, and a factor of 1 between them."""
    plain = remove_tone_free(copy.deepcopy(net))
    first, last = describe(plain[0]), describe(plain[2])
    between = plain[:2](X).detach().numpy().astype(float)
    weights = 20 * UNIT[torch.float32]  # taps are computed by sums of 20 at most
    first_off = roundoff(first, X.numpy(), "float32").max() + weights * magnitude(first, X.numpy())
    off_y = roundoff(last, between, "float32").max() + (weights + 4 * UNIT[torch.float32]) * magnitude(last, between)
    gain = magnitude(last, np.ones_like(between))
    return float(2 * (off_y + gain * first_off))


def magnitude(layer: Any, x: Any) -> float:
    """Return the largest sum of absolute values of a layer's products."""
    return float(np.abs(doubled(layer, np.abs)(np.abs(x))).max())


def test_what_is_done_to_a_copy_leaves_the_original_alone() -> None:
    """Torch keeps the properties of parametrized weights in a class that copies share."""
    layer = made("sub-pixel")
    norms.weight_norm(kernel(layer).owner)
    twin = tone_free(copy.deepcopy(layer))
    baked = remove_tone_free(copy.deepcopy(twin))
    assert off(twin) <= due(twin, UNIT[torch.float32]) * learned_sums(twin) < off(layer)
    assert torch.equal(baked(X), twin(X))
    assert not torch.equal(layer(X), twin(X))


def test_copies_and_pickled_states(net: nn.Sequential) -> None:
    twin = copy.deepcopy(net)
    assert torch.equal(twin(X), net(X))
    buffer = io.BytesIO()
    torch.save(net.state_dict(), buffer)
    buffer.seek(0)
    state = torch.load(buffer, weights_only=True)
    assert not [key for key in state if key.endswith("Q")]
    other = decoder()
    for p in other.parameters():
        nn.init.zeros_(p)
    other.load_state_dict(state)
    assert torch.equal(other(X), net(X))


def replicated(module: nn.Module) -> nn.Module:
    """Return a copy as `torch.nn.parallel.replicate` makes them: parameters are plain tensors of a graph."""
    replica = module._replicate_for_data_parallel()  # type: ignore[no-untyped-call]
    for name, child in module.named_children():
        setattr(replica, name, replicated(child))
    for name, p in module._parameters.items():
        if p is not None:
            setattr(replica, name, p * 1)
    return replica  # type: ignore[no-any-return]


def test_replicas_of_data_parallel(net: nn.Sequential) -> None:
    replica = replicated(net)
    y = replica(X)
    assert torch.equal(y, net(X))
    y.sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad()


def test_from_the_meta_device(net: nn.Sequential) -> None:
    """Nothing but parameters is garbage after to_empty, and these are loaded."""
    with torch.device("meta"):
        ghost = decoder()
    assert ghost(X.to("meta")).shape == net(X).shape
    ghost.to_empty(device="cpu")
    for (name, found), (_, right) in zip(ghost.named_buffers(), net.named_buffers(), strict=True):
        assert torch.equal(found, right), name
    ghost.load_state_dict(net.state_dict())
    assert torch.equal(ghost(X), net(X))


def test_the_basis_stays_in_double_precision() -> None:
    """What the projection keeps is computed anew, not rounded: it is what it was."""
    layer = tone_free(made("full overlap").double(), order=2)
    (projection,) = chain(kernel(layer))
    Q = projection.get_buffer("Q").clone()
    layer.half()
    assert projection.get_buffer("Q").dtype == torch.float64
    assert torch.equal(projection.get_buffer("Q"), Q)
