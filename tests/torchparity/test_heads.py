"""Heads in Torch against their definitions: bit for bit on whole numbers, else under the rounding bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dspref import Chain, parse, preset, tone_lines
from dspref.arrays import Array
from dspref.heads import lifting
from dspref.heads.istft import ISTFT, hann
from dspref.heads.pqmf import PQMFSynthesis, kaiser_prototype
from dspref.heads.squeeze import Squeeze, Unsqueeze
from dspref.heads.wavelets import HaarSynthesis, LazySynthesis
from torchparity import build, check, describe, probe, roundoff
from torchparity.arithmetic import rounded
from torchparity.heads import ISTFTHead, PQMFSynthesis1d, Unsqueeze1d
from torchparity.models import random_network
from torchparity.nn import WaveletUpsample1d
from torchparity.roundoff import doubled

LiftingSynthesis: Any = lifting.LiftingSynthesis
RNG = np.random.default_rng(0)

LAYERS: dict[str, Any] = {
    "unsqueeze": Unsqueeze(2, 4),
    "unsqueeze, phase first": Unsqueeze(2, 3, order="dcr"),
    "lazy": LazySynthesis(2),
    "haar": HaarSynthesis(2),
    "lifting, 5/3": LiftingSynthesis(2, [0.5, 0.5], [0.25, 0.25]),
    "lifting": LiftingSynthesis(1, RNG.standard_normal(4), RNG.standard_normal(3), scales=[1.3, -0.7]),
    "istft": ISTFT(hann(16), 4),
    "istft, same": ISTFT(hann(15), 5, padding="same"),
    "istft, none": ISTFT(np.hamming(12), 3, padding="none"),
    "pqmf": PQMFSynthesis(kaiser_prototype(), 4),
    "pqmf, short": PQMFSynthesis(kaiser_prototype(taps=4, cutoff=0.2), 6),
}


def called(module: nn.Module, x: Array) -> Array:
    """Return what a module makes of an array, in its dtype."""
    with torch.no_grad():
        return np.asarray(module(torch.from_numpy(x)).numpy())


@pytest.mark.parametrize("name", LAYERS)
def test_what_is_built_is_described_alike(name: str) -> None:
    layer = LAYERS[name]
    for dtype in (None, "float32"):
        module = build(layer, dtype=dtype)
        described: Any = describe(module)
        assert build(described).state_dict().keys() == module.state_dict().keys()
        assert dtype or described == build_and_describe(layer)
        assert (described.op, described.factor, described.in_channels) == (layer.op, layer.factor, layer.in_channels)


def build_and_describe(layer: Any) -> Any:
    """Return the layer with its integers as the doubles that Torch keeps."""
    if layer.op == "lifting":
        return LiftingSynthesis(
            layer.channels, *(h.astype(float) for h in (layer.predict, layer.update)), scales=layer.scales.astype(float)
        )
    return layer


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_no_output_is_farther_off_than_rounding_explains(name: str, dtype: str) -> None:
    module = build(LAYERS[name], dtype=dtype)
    layer: Any = describe(module)
    for seed, time in enumerate((2, 3, 20)):
        x = rounded(np.random.default_rng(seed).standard_normal((2, layer.in_channels, time)), dtype)
        y, due = called(module, x), doubled(layer)(x.astype(float))
        E = roundoff(layer, x, dtype)
        assert y.dtype == dtype
        assert y.shape == due.shape
        assert (np.abs(y - due) <= E).all()
        assert layer.op not in ("unsqueeze", "lazy") or not E.any()


@pytest.mark.parametrize("name", ["unsqueeze", "lazy", "lifting", "istft", "pqmf"])
def test_the_bound_is_within_reach(name: str) -> None:
    """It is no more than a few hundred times what is seen, and a fault of 1e-4 of a tap breaks it."""
    module = build(LAYERS[name], dtype="float32")
    layer: Any = describe(module)
    x = rounded(np.random.default_rng(1).standard_normal((3, layer.in_channels, 30)), "float32")
    y, due, E = called(module, x), doubled(layer)(x.astype(float)), roundoff(layer, x, "float32")
    seen = np.abs(y - due)
    assert not E.any() or seen.max() > E.max() / 500
    assert (np.abs(1.0001 * due - due) > E).any()


WHOLE: dict[str, Any] = {
    "unsqueeze": Unsqueeze(2, 4),
    "lazy": LazySynthesis(3),
    "haar": HaarSynthesis(2, scale=1),
    "lifting": LiftingSynthesis(2, [1.0, -2.0, 3.0], [2.0, -1.0], scales=[1.0, -1.0]),
    "istft of four points": ISTFT(np.ones(4), 2),
}


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_whole_numbers_are_equal_bit_for_bit(name: str, dtype: str) -> None:
    layer = WHOLE[name]
    module = build(layer, dtype=dtype)
    for time in (2, 9):
        x = rounded(np.random.default_rng(time).integers(-8, 9, (3, layer.in_channels, time)), dtype)
        np.testing.assert_array_equal(called(module, x), layer(x.astype(float)))


@pytest.mark.parametrize("name", LAYERS)
def test_a_check_finds_nothing(name: str) -> None:
    verdict = check(build(LAYERS[name], dtype="float32"), lengths=[2, 3, 12])
    assert verdict.ok, str(verdict)
    assert verdict.status == ("exact" if LAYERS[name].op in ("unsqueeze", "lazy") else "within bound")


@pytest.mark.parametrize(
    ("layer", "like"),
    [
        ("unsqueeze", "unsqueeze x4"),
        ("haar", "haar"),
        ("lifting, 5/3", "lifting k8"),
        ("istft", "istft x4 k16 p8"),
        ("pqmf", "pqmf x4 k63"),
    ],
)
def test_words_promise_a_head(layer: str, like: str) -> None:
    module = build(LAYERS[layer], dtype="float32")
    assert check(module, like=like, lengths=[2, 9]).ok
    wrong = check(module, like="lazy", lengths=[2, 9])
    assert wrong.status == "wrong"
    assert "'lazy' promised" in wrong.reason


Box = Callable[[Tensor], Tensor]


@pytest.mark.parametrize(
    ("box", "channels", "like", "status"),
    [
        (lambda x: x.reshape(len(x), -1, 4, x.shape[-1]).transpose(-1, -2).flatten(-2), 8, "unsqueeze x4", "exact"),
        (lambda x: x.reshape(len(x), 4, -1, x.shape[-1]).movedim(1, -1).flatten(-2), 8, "unsqueeze x4", "wrong"),
        (lambda x: torch.stack([x[:, :2] + x[:, 2:], x[:, :2] - x[:, 2:]], -1).flatten(-2), 4, "haar", "within bound"),
    ],
)
def test_functions_are_probed(box: Box, channels: int, like: str, status: str) -> None:
    """Phase before channel is another layer than channel before phase, and seen."""
    assert check(box, like=like, channels=channels, lengths=[2, 9]).status == status


def test_a_head_with_another_factor_is_wrong() -> None:
    verdict = check(Unsqueeze1d(1, 4), like=Unsqueeze(2, 2))
    assert verdict.status == "wrong"


@pytest.mark.parametrize(("n", "hop"), [(16, 4), (16, 8), (12, 3), (64, 16)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_torch_s_own_inverse_stft_is_the_same(n: int, hop: int, dtype: torch.dtype) -> None:
    """Three routes: Torch's FFT, our FFT, and the head's transposed convolution.

    A transform of n points may be off by ``7 u log₂n`` of the norm of its spectrum (N. J. Higham, 2nd ed., ch. 24), the
    window, J frames, and the quotient by J + 4 roundings more.
    """
    torch.manual_seed(n + hop)
    window = torch.hann_window(n, dtype=torch.float64).to(dtype)
    complex_dtype = torch.complex128 if dtype == torch.float64 else torch.complex64
    X = torch.randn(2, n // 2 + 1, 20, dtype=complex_dtype)
    x = torch.cat([X.real, X.imag], dim=-2)
    due = torch.istft(X, n, hop, window=window)[:, None].numpy()
    layer = ISTFT(window.numpy(), hop)
    y, head = layer(x.numpy()), ISTFTHead(window, hop)(x).numpy()
    assert due.shape == y.shape == head.shape
    u, J = torch.finfo(dtype).eps / 2, -(-n // hop)
    norm = float(np.sqrt(2) * np.linalg.norm(X.numpy(), axis=-2).max()) / np.sqrt(n)
    envelope = float(layer.envelope_of(20).min())
    off = (7 * np.log2(n) + 2 * J + 8) * u * J * norm / envelope
    assert np.abs(due - y).max() <= 2 * off
    E = roundoff(layer, x.numpy(), "float64" if dtype == torch.float64 else "float32")
    assert (np.abs(head - y) <= E + off).all()


def test_a_window_shorter_than_the_transform_is_padded() -> None:
    X = torch.randn(1, 9, 12, dtype=torch.complex128)
    due = torch.istft(X, 16, 4, 10, torch.hann_window(10, dtype=torch.float64))[:, None].numpy()
    y = ISTFT(np.pad(hann(10), 3), 4)(torch.cat([X.real, X.imag], dim=-2).numpy())
    assert np.abs(y - due).max() <= 1000 * 2.0**-53 * float(X.abs().sum(dim=1).max())


def test_without_centring_torch_and_the_layer_cut_nothing() -> None:
    window = torch.from_numpy(np.hamming(16))
    X = torch.randn(1, 9, 7, dtype=torch.complex128)
    due = torch.istft(X, 16, 4, window=window, center=False)[:, None].numpy()
    y = ISTFT(window.numpy(), 4, padding="none")(torch.cat([X.real, X.imag], dim=-2).numpy())
    assert y.shape == due.shape
    assert np.abs(y - due).max() <= 1000 * 2.0**-53 * float(X.abs().sum(dim=1).max())
    with pytest.raises(RuntimeError, match="window overlap add min"):
        torch.istft(X, 16, 4, window=torch.hann_window(16, dtype=torch.float64), center=False)
    with pytest.raises(ValueError, match="window envelope"):
        ISTFTHead(torch.hann_window(16), 4, padding="none")(torch.ones(1, 18, 7))


def test_a_pqmf_is_what_its_source_does() -> None:
    """Stretch by a transposed convolution of ones, scale by the bands, pad, correlate."""
    bank = PQMFSynthesis(kaiser_prototype(), 4)
    x = torch.randn(2, 4, 30, dtype=torch.float64)
    f = torch.from_numpy(bank.filters)
    one = torch.zeros(4, 1, 4, dtype=torch.float64)
    one[:, 0, 0] = 4
    due = F.conv1d(F.pad(F.conv_transpose1d(x, one, stride=4, groups=4), (31, 31)), f[None]).numpy()
    E = roundoff(bank, x.numpy(), "float64")
    assert (np.abs(due - bank(x.numpy())) <= E).all()
    assert (np.abs(due - called(build(bank), x.numpy())) <= 2 * E).all()


@pytest.mark.parametrize("name", ["unsqueeze", "unsqueeze, phase first", "lazy", "haar", "istft", "pqmf"])
def test_gradients_are_the_transposed_matrix(name: str) -> None:
    """The gradient by the input is the normal form's matrix, transposed; of an inverse STFT, over the envelope."""
    layer, time = LAYERS[name], 6
    module, u = build(layer), layer.normal
    x = torch.randn(1, layer.in_channels, time, dtype=torch.float64, requires_grad=True)
    y = module(x)
    g = torch.randn_like(y)
    y.backward(g)
    assert x.grad is not None
    weight = g[0].numpy()
    if layer.op == "istft":
        m = np.arange(weight.shape[-1]) + u.offset
        weight = weight * layer.envelope[m % layer.hop] / layer.envelope_of(time)
    A = u.as_matrix(time)
    due, S = A.T @ weight.ravel(), np.abs(A).T @ np.abs(weight).ravel()
    assert (np.abs(x.grad.numpy().ravel() - due) <= 400 * 2.0**-53 * S).all()


def test_lifting_is_learned_and_stays_undone() -> None:
    torch.manual_seed(0)
    module = WaveletUpsample1d(1, "learnable", begin="lazy", dtype=torch.float64)
    target = torch.randn(1, 1, 40, dtype=torch.float64)
    x = torch.randn(1, 2, 20, dtype=torch.float64)
    optimiser = torch.optim.SGD(module.parameters(), lr=0.1)
    for _ in range(3):
        optimiser.zero_grad()
        (module(x) - target).square().mean().backward()
        optimiser.step()
    layer: Any = describe(module)
    assert layer.predict.any()
    assert layer.update.any()
    back = layer.analyse(called(module, x.numpy()))
    assert np.abs(back - x.numpy()).max() <= 200 * 2.0**-53 * float(x.abs().max())


@pytest.mark.parametrize("name", ["unsqueeze", "haar", "pqmf"])
def test_probing_finds_the_normal_form(name: str) -> None:
    """A third route: impulses."""
    layer = LAYERS[name]
    found = probe(build(layer), channels=layer.in_channels, dtype="float64").filter
    u = layer.normal
    assert (found.L, found.excess) == (u.L, u.excess)
    shift = u.offset - found.offset
    taps = np.pad(u.h.astype(float), [(0, 0), (0, 0), (0, 64)])[..., shift : shift + found.h.shape[-1]]
    assert np.abs(taps - found.h).max() <= 4 * 2.0**-53 * np.abs(u.h).max()


@pytest.mark.parametrize("name", ["unsqueeze", "lazy", "haar", "lifting", "istft", "pqmf"])
def test_lines_measured_on_torch_are_those_predicted(name: str) -> None:
    """A constant in each channel, the steady output of the module, one period by FFT."""
    layer = LAYERS[name]
    mean = np.random.default_rng(2).standard_normal(layer.in_channels)
    time, S = 64, layer.factor
    y = called(build(layer), np.repeat(mean[None, :, None], time, axis=-1))[0]
    steady = layer.normal.steady(time)
    start = -(-steady.start // S) * S
    period = y[:, start : start + S]
    measured = np.fft.fft(period, axis=-1) / S
    bound = 2000 * 2.0**-53 * (np.abs(layer.normal.h).sum(axis=-1) @ np.abs(mean)).max()
    for k, line in enumerate(tone_lines(Chain([layer]), offset=mean)):
        assert line.amplitude is not None
        assert np.abs(line.amplitude - measured[:, k]).max() <= bound


def test_biases_before_an_unsqueeze_are_lines() -> None:
    """Silence in, and still a comb: the bias of channel r is phase r of the output."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv1d(1, 8, 1), Unsqueeze1d(1, 8)).double()
    assert check(network, lengths=[3, 9]).ok
    chain: Any = describe(network)
    bias = network.get_parameter("0.bias").detach().numpy()
    lines = tone_lines(chain, offset=0)
    measured = np.fft.fft(called(network, np.zeros((1, 1, 4)))[0, 0, 8:16]) / 8
    for k, line in enumerate(lines):
        assert line.amplitude is not None
        assert line.owner in (1, None)
        assert abs(line.amplitude[0] - (np.fft.fft(bias) / 8)[k]) <= 20 * 2.0**-53 * np.abs(bias).sum()
        assert abs(line.amplitude[0] - measured[k]) <= 20 * 2.0**-53 * np.abs(bias).sum()


def test_a_squeeze_is_undone_by_the_module() -> None:
    x = np.random.default_rng(0).integers(-9, 10, (2, 3, 40)).astype(float)
    assert (called(Unsqueeze1d(3, 8), Squeeze(3, 8)(x)) == x).all()


@pytest.mark.parametrize("order", ["crd", "dcr"])
def test_squeezing_in_torch_is_the_reference_and_is_undone(order: str) -> None:
    layer, x = Squeeze(3, 4, order=order), np.arange(2 * 3 * 20).reshape(2, 3, 20)
    module = build(layer)
    assert describe(module) == layer
    y = module(torch.from_numpy(x))
    assert (y.numpy() == layer(x)).all()
    assert torch.equal(Unsqueeze1d(3, 4, order=order)(y), torch.from_numpy(x))
    with pytest.raises(ValueError, match="time: got 19; allowed: a multiple of 4"):
        module(torch.zeros(1, 3, 19))


@pytest.mark.parametrize("name", ["waveglow", "blow", "istftnet", "vocos-24k", "mb-melgan"])
def test_networks_that_end_in_a_head_can_be_made(name: str) -> None:
    torch.manual_seed(0)
    chain = preset(name).chain
    network = random_network(chain)
    short, long = (network(torch.randn(1, 1, t)).shape for t in (4, 6))
    assert short[:2] == long[:2] == (1, 1)
    assert long[-1] - short[-1] == 2 * chain.factor


@pytest.mark.parametrize("words", ["unsqueeze x2", "conv k1 | pqmf x4 k63 | unsqueeze x2", "conv k1 | istft x4 k16 p3"])
def test_networks_that_cannot_be_are_refused(words: str) -> None:
    with pytest.raises(ValueError, match=r"allowed|got"):
        random_network(parse(words))


@pytest.mark.parametrize(
    "words",
    [
        "conv k1 | unsqueeze x2 | unsqueeze x2",
        "conv k1 | lifting k8",
        "conv k1 | tanh | lazy | haar",
        "conv k1 | istft x4 k16",
        "conv k1 | glu | haar",
    ],
)
def test_networks_of_all_heads_can_be_made(words: str) -> None:
    chain = parse(words)
    assert random_network(chain)(torch.randn(1, 1, 5)).shape[:2] == (1, 1)


@pytest.mark.parametrize(
    "module",
    [
        Unsqueeze1d(2, 4),
        *(WaveletUpsample1d(2, kind) for kind in ("lazy", "haar", "learnable")),
        ISTFTHead(torch.hann_window(16), 4),
        PQMFSynthesis1d(torch.from_numpy(kaiser_prototype()), 4),
    ],
    ids=lambda module: type(module).__name__,
)
def test_other_channels_are_refused(module: nn.Module) -> None:
    with pytest.raises(ValueError, match="input channels: got 3; allowed"):
        module(torch.ones(1, 3, 8))
