"""The article's networks by one call each: their sizes by three routes, what they keep, and what modification does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
import torch
from torch import nn

from torchparity.known import EIGHT, NETWORKS, network_named
from torchparity.models import LENGTHS, demucs, demucs_like, modified, openunmix, parameters, wave_unet
from torchparity.models.article import openunmix_parameters
from torchparity.models.demucs import Demucs
from torchparity.models.fitted import Fitted
from torchparity.models.unet import UPSAMPLERS, UNet, upsampler

CHANNELS = (100, 200, 400, 800, 1600, 3200)


def counted(kind: str, K: int, *, context: int = 3, bias: bool = True) -> int:
    """Return a Demucs-like network's parameters by sums over its layers, as the article describes them."""
    b = int(bias)
    convolutions = 0
    for i, own in enumerate(CHANNELS):
        before, after = (CHANNELS[i - 1], CHANNELS[i - 1]) if i else (2, 8)
        shuffled = 4 if kind == "subpixel" else 1
        convolutions += own * (before * 8 + b) + 2 * own * (own * context + b)  # strided, then to GLU
        convolutions += 2 * own * (own * 3 + b) + shuffled * after * (own * K) + b * shuffled * after
    H = CHANNELS[-1]
    lstm = sum(2 * 4 * H * (width + H + 2 * b) for width in (H, 2 * H))
    return convolutions + lstm + H * (2 * H + b)


@pytest.mark.parametrize("kind", UPSAMPLERS)
def test_sizes_are_those_of_the_description(kind: str) -> None:
    assert parameters(lambda: demucs_like(kind)) == counted(kind, LENGTHS[kind])
    for length in (4, 10):
        assert parameters(partial(demucs_like, kind, length=length)) == counted(kind, length)


def test_the_original_and_its_like_are_the_same_sums() -> None:
    assert parameters(demucs) == counted("transposed", 8, context=1) == 648_548_208
    assert parameters(demucs_like) == parameters(lambda: Demucs(encoder_context=3)) == 703_148_208


@pytest.mark.parametrize("kind", ["transposed", "subpixel"])
def test_modified_networks_lack_biases_alone(kind: str) -> None:
    assert parameters(lambda: modified(kind)) == counted(kind, LENGTHS[kind], bias=False)


def test_why_lengths_are_what_they_are() -> None:
    """Of all lengths of one convolution: which have the article's millions, cut off or rounded."""
    printed = {"nearest": 716, "subpixel": 729}
    for kind, due in printed.items():
        sizes = {K: counted(kind, K) / 1e6 for K in range(1, 33)}
        assert list(sizes.values()) == sorted(sizes.values())
        cut = [K for K, size in sizes.items() if int(size) == due]
        rounded = [K for K, size in sizes.items() if round(size) == due]
        assert (cut, rounded) == (([10], []) if kind == "nearest" else ([], []))
        assert LENGTHS[kind] == min(sizes, key=lambda K: abs(sizes[K] - due))


@pytest.mark.parametrize("name", EIGHT)
def test_the_eight_networks_run_narrow(name: str) -> None:
    known = network_named(name)
    torch.manual_seed(0)
    tiny = {"width": 1, "channels": 2} if name == "melgan" else {"channels": 2}
    net = known.small_factory(**tiny).eval()
    x = torch.randn(1, 2, 8 if name == "melgan" else 1000)
    with torch.no_grad():
        y = net(x)
    assert y.shape == ((1, 1, 2048) if name == "melgan" else (1, 8, 1000))
    assert torch.isfinite(y).all()
    assert y.abs().max() > 0


def test_names_and_rates() -> None:
    assert len(EIGHT) == 8
    assert set(EIGHT) <= set(NETWORKS)
    assert {name: NETWORKS[name].sr for name in EIGHT if NETWORKS[name].sr != 44100} == {"melgan": 22050}
    assert {name for name in EIGHT if NETWORKS[name].small} == set(EIGHT) - {"melgan"}


def test_narrow_networks_have_the_layers_of_wide_ones() -> None:
    def layers(net: nn.Module) -> list[tuple[str, object, object]]:
        return [(type(m).__name__, getattr(m, "kernel_size", None), getattr(m, "stride", None)) for m in net.modules()]

    for kind in UPSAMPLERS:
        known = network_named(f"demucs-like-{kind}")
        with torch.device("meta"):
            small = known.small_factory()
            assert isinstance(small, Fitted)
            assert layers(known.factory()) == layers(small.net)


def test_a_modified_network_turns_silence_into_silence_and_the_others_do_not() -> None:
    silence = torch.zeros(1, 2, 64)
    with torch.no_grad():
        for kind in ("transposed", "subpixel"):
            assert not modified(kind, channels=2, depth=2)(silence).any()
            assert demucs_like(kind, channels=2, depth=2)(silence).any()
    relus = [
        sum(isinstance(m, nn.ReLU) for m in make(channels=2, depth=3).modules()) for make in (demucs_like, modified)
    ]
    assert relus == [5, 3]


def test_the_lstm_stands_between_encoder_and_decoder_and_is_passed_by() -> None:
    net = demucs_like(channels=2, depth=2, rescale=0)
    assert isinstance(net, UNet)
    assert net.recurrent is not None
    x = torch.randn(1, 2, 64)
    with torch.no_grad():
        inner = net.encoder[1](net.encoder[0](x))
        due = net.recurrent.linear(net.recurrent.lstm(inner.permute(2, 0, 1))[0]).permute(1, 2, 0) + inner
        due = net.decoder[1](net.decoder[0](due) + net.encoder[0](x))
        torch.testing.assert_close(net(x), due, rtol=0, atol=0)


def test_weights_are_rescaled_as_demucs_s_are() -> None:
    made = []
    for rescale in (0.0, 0.1):
        torch.manual_seed(0)
        made.append((demucs_like(channels=4, depth=2, rescale=rescale), demucs(channels=4, depth=2, rescale=rescale)))
    for plain, scaled in zip(*made, strict=True):
        for (name, a), (_, b) in zip(plain.named_modules(), scaled.named_modules(), strict=True):
            if isinstance(a, (nn.Conv1d, nn.ConvTranspose1d)) and isinstance(b, (nn.Conv1d, nn.ConvTranspose1d)):
                torch.testing.assert_close(b.weight.std(), (a.weight.std() * 0.1).sqrt(), msg=name)
        for a, b in zip(plain.modules(), scaled.modules(), strict=True):
            if isinstance(a, nn.LSTM) and isinstance(b, nn.LSTM):
                torch.testing.assert_close(a.weight_hh_l0, b.weight_hh_l0, rtol=0, atol=0)


@pytest.mark.parametrize("make", [demucs, demucs_like, modified, wave_unet])
def test_networks_fit_any_length_and_are_themselves_where_one_is_valid(make: Callable[..., nn.Module]) -> None:
    torch.manual_seed(0)
    fitted = make(channels=2, depth=2, fitted=True)
    assert isinstance(fitted, Fitted)
    due = fitted.net.valid_length(100)
    x = torch.randn(1, 2, due)
    with torch.no_grad():
        own = fitted.net(x)
        torch.testing.assert_close(fitted(x), own.reshape(1, 8, due), rtol=0, atol=0)
        x[..., 99:] = 0
        torch.testing.assert_close(fitted(x[..., :99]), fitted(x)[..., :99], rtol=0, atol=0)


@pytest.mark.parametrize("length", [3, 4, 9, 10])
@pytest.mark.parametrize("kind", ["nearest", "linear", "subpixel"])
def test_even_lengths_have_one_zero_more_behind(kind: str, length: int) -> None:
    """All weights 1: what an impulse lights is K long, and one sample further to the front where K is even."""
    layer = upsampler(kind, 1, 1, length=length, bias=False)
    with torch.no_grad():
        for p in layer.parameters():
            p.fill_(1.0)
        x = torch.zeros(1, 1, 21)
        x[..., 10] = 1
        y = layer(x)[0, 0]
    lit = torch.nonzero(y)[:, 0]
    per = 4 if kind == "subpixel" else 1
    early, late = length // 2 * per, (length - 1) // 2 * per
    reach = {"nearest": (0, 3), "subpixel": (0, 3), "linear": (-2, 5)}[kind]
    assert (int(lit[0]), int(lit[-1])) == (40 + reach[0] - early, 40 + reach[1] + late)


def test_bad_requests_are_refused() -> None:
    with pytest.raises(ValueError, match=r"upsampler: got 'nearest'; allowed: transposed, subpixel"):
        modified("nearest")
    with pytest.raises(ValueError, match=r"length: got 9; allowed: an even length"):
        demucs_like(channels=2, depth=1, length=9)
    with pytest.raises(ValueError, match=r"encoder_context: got 2; allowed: an odd length"):
        UNet(channels=2, depth=1, encoder_context=2)


def test_openunmix_is_the_package_s_or_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openunmix", None)
    monkeypatch.setitem(sys.modules, "openunmix.model", None)
    with pytest.raises(ValueError, match="openunmix: got no module openunmix"):
        openunmix()


def test_openunmix_counts_as_its_layers_in_torch_do() -> None:
    """Its layers, made here of their shapes; buffers apart."""

    def layers() -> nn.Module:
        lstm = nn.LSTM(512, 256, num_layers=3, bidirectional=True)
        maps = [nn.Linear(a, b, bias=False) for a, b in pairwise((2 * 1487, 512))]
        maps += [nn.Linear(1024, 512, bias=False), nn.Linear(512, 2 * 2049, bias=False)]
        return nn.ModuleList([*maps, lstm, nn.BatchNorm1d(512), nn.BatchNorm1d(512), nn.BatchNorm1d(2 * 2049)])

    assert openunmix_parameters() == parameters(layers) + 2 * 1487 + 2 * 2049  # and means and scales of bins
