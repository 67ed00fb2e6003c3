"""Streams of upsampling layers: whatever the chunks, what is given in a row is the layer of the whole signal."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dspref import NotAnalysable, Stream
from torchparity import check_stream, describe
from torchparity.cuts import CUTS
from torchparity.nn import (
    FilterConv1d,
    LinearConv1d,
    NearestConv1d,
    StreamingConvTranspose1d,
    StreamingUpsample1d,
    SubpixelConv1d,
    WaveletUpsample1d,
)
from torchparity.nn.extents import extent_of

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")

TAPS = [1.0, -2.0, 3.0, 1.0, 2.0]

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "nearest": lambda: NearestConv1d(2, 3, 5, 4, 2),
    "nearest, polyphase": lambda: NearestConv1d(2, 2, 5, 3, (4, -1), 2, 2, form="polyphase"),
    "nearest, two layers": lambda: NearestConv1d(2, 3, 4, 2, "same", form="two layers"),
    "nearest, more padding than taps": lambda: NearestConv1d(2, 3, 2, 2, 7, bias=False),
    "nearest, reflect": lambda: NearestConv1d(2, 3, 5, 3, 4, padding_mode="reflect"),
    "nearest, replicate": lambda: NearestConv1d(2, 3, 5, 3, 4, padding_mode="replicate"),
    "nearest, cropped": lambda: NearestConv1d(2, 3, 3, 5, (-3, -4), form="polyphase"),
    "linear": lambda: LinearConv1d(2, 3, 5, 4, 2, form="polyphase"),
    "linear, two layers": lambda: LinearConv1d(2, 3, 3, 2, 1, form="two layers"),
    "linear, reflect": lambda: LinearConv1d(2, 3, 5, 2, 3, 2, padding_mode="reflect"),
    "filter": lambda: FilterConv1d(2, 3, 3, 2, TAPS, 2, 1, form="polyphase"),
    "filter, late and short": lambda: FilterConv1d(2, 3, 3, 3, TAPS, -2, 2, excess=-4),
    "filter, early and long": lambda: FilterConv1d(2, 3, 3, 2, TAPS, 4, (0, 2), excess=5, padding_mode="replicate"),
    "filter, beyond its sample and long": lambda: FilterConv1d(
        2, 3, 1, 3, [2.0], -2, (3, 6), excess=2, padding_mode="replicate"
    ),
    "filter, reflect, late and short": lambda: FilterConv1d(2, 3, 2, 2, TAPS, 4, 5, excess=-3, padding_mode="reflect"),
    "filter, reflect, far back": lambda: FilterConv1d(2, 3, 1, 2, TAPS, -6, 6, padding_mode="reflect"),
    "filter, padded and short": lambda: FilterConv1d(2, 3, 1, 2, TAPS[:3], 0, 5, excess=-4),
    "sub-pixel": lambda: SubpixelConv1d(2, 3, 5, 4, 2),
    "sub-pixel, dilated": lambda: SubpixelConv1d(2, 2, 4, 3, "same", 3, 2, order="dcr"),
    "sub-pixel, reflect": lambda: SubpixelConv1d(2, 2, 3, 3, 4, padding_mode="reflect"),
    "lazy": lambda: WaveletUpsample1d(1, "lazy"),
    "haar": lambda: WaveletUpsample1d(1, scale=1.0),
    "learnable": lambda: WaveletUpsample1d(1, "learnable", begin="lazy", taps=(4, 3)),
    "learnable, even": lambda: WaveletUpsample1d(1, "learnable", begin="lazy", taps=(2, 4)),
    "learnable, short": lambda: WaveletUpsample1d(1, "learnable", begin="lazy", taps=(1, 5)),
}
LINEAR = 8.0  # linear interpolation by 4 of multiples of 8 makes whole numbers


def whole(name: str) -> Any:
    """Return a layer whose weights are whole numbers."""
    layer = LAYERS[name]()
    torch.manual_seed(len(name))
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.randint(-3, 4, p.shape))
    return layer


def signal(time: int, batch: int = 2) -> Tensor:
    return LINEAR * torch.randint(-5, 6, (batch, 2, time)).float()


def streamed(stream: StreamingUpsample1d, x: Tensor, sizes: list[int]) -> Tensor:
    return torch.cat([*map(stream, torch.split(x, sizes, -1)), stream.flush()], -1)


@pytest.mark.parametrize("name", LAYERS)
def test_chunks_of_any_lengths_make_the_whole_bit_by_bit(name: str) -> None:
    """Seven ways to cut, of lengths about the reach; each stream is used again after flush, and after reset."""
    layer, rng = whole(name), np.random.default_rng(0)
    e = extent_of(layer)
    reach = (e.lead + max(0, e.late)) // e.L + 2
    stream = StreamingUpsample1d(layer).requires_grad_(False)
    for time in (max(e.least, 3), 2 * reach + 5):
        for cut in CUTS.values():
            x = signal(time, batch=1 + time % 3)
            due = layer(x)
            stream(signal(2))
            stream.reset()
            assert torch.equal(streamed(stream, x, cut(time, reach, rng)), due)


@pytest.mark.parametrize("name", LAYERS)
def test_as_much_is_given_as_the_reference_says_and_no_more_is_kept_than_reaches(name: str) -> None:
    """The reference streams the stages that the law of the layer names: another implementation, and its latency.

    Kernels that unequal padding widens by zeros look farther there.
    """
    layer: Any = whole(name)
    stream, x = StreamingUpsample1d(layer).requires_grad_(False), signal(40)
    e, other = stream.extent, Stream(describe(layer)) if "long" not in name else None  # which has no law
    parts = [stream(chunk) for chunk in torch.split(x, 1, -1)]
    given = torch.cat(parts, -1)
    assert given.shape[-1] == e.L * 40 - stream.latency
    assert stream._past is not None
    assert stream._past.shape[-1] <= max(e.least, -(-(e.lead + stream.latency) // e.L))
    if other is not None:
        due = np.concatenate([other(chunk.numpy()) for chunk in torch.split(x, 1, -1)], -1)
        assert np.array_equal(given[..., : due.shape[-1]].numpy(), due)
        widened = "geometry" in vars(layer) and len(set(layer.geometry.pads)) > 1
        assert stream.latency <= other.latency if widened else stream.latency == other.latency
    with pytest.raises(ValueError, match=r"output length for 0 input samples: got .*; allowed: at least 1"):
        StreamingUpsample1d(layer).flush()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["nearest, more padding than taps", "linear", "filter", "sub-pixel", "learnable"])
def test_no_number_is_farther_off_than_rounding_explains(name: str, dtype: str) -> None:
    torch.manual_seed(0)
    layer = LAYERS[name]()
    verdict = check_stream(StreamingUpsample1d(layer), like=layer, dtype=dtype, lengths=[7], chunks=[3])
    assert verdict.ok, str(verdict)
    assert verdict.ratio <= 1
    assert 2 in verdict.coverage.tiers
    assert not verdict.remarks


@pytest.mark.parametrize("name", ["nearest", "linear", "filter", "sub-pixel", "learnable"])
def test_gradients_go_through_a_stream(name: str) -> None:
    layer, x = whole(name), signal(13).requires_grad_()
    g = torch.randint(-3, 4, layer(x).shape).float()
    asked = [x, *layer.parameters()]
    due = torch.autograd.grad(layer(x), asked, g)
    got = torch.autograd.grad(streamed(StreamingUpsample1d(layer), x, [1, 4, 0, 8]), asked, g)
    assert all(torch.equal(a, b) for a, b in zip(got, due, strict=True))


def test_a_chunk_that_its_caller_overwrites_is_not_read_again() -> None:
    layer, x = whole("sub-pixel"), signal(12)
    stream, due = StreamingUpsample1d(layer).requires_grad_(False), layer(x)
    parts = []
    for chunk in torch.split(x.clone(), 4, -1):
        parts.append(stream(chunk))
        chunk.fill_(torch.nan)
    assert torch.equal(torch.cat([*parts, stream.flush()], -1), due)


def test_states_are_those_of_the_layer_and_hold_no_signal() -> None:
    stream = StreamingUpsample1d(LAYERS["sub-pixel"]())
    stream(signal(5))
    assert stream.state_dict().keys() == {"layer.weight", "layer.bias"}
    assert stream.in_channels == 2


@pytest.mark.parametrize(
    ("taps", "stride", "padding", "more"), [(2, 3, 0, 1), (1, 4, 0, 3), (2, 5, 1, 4), (1, 3, 0, 0)]
)
def test_transposed_convolutions_shorter_than_their_stride(taps: int, stride: int, padding: int, more: int) -> None:
    """Between stamps lies nothing but bias: it is given as soon as it is known to be there."""
    layer, x = nn.ConvTranspose1d(2, 3, taps, stride, padding, more), signal(7)
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.randint(1, 4, p.shape))
    stream = StreamingConvTranspose1d(layer).requires_grad_(False)
    parts = [stream(chunk) for chunk in torch.split(x, [1, 0, 4, 2], -1)]
    late = max(padding, stride + 2 * padding - taps - more)
    times = np.cumsum([1, 0, 4, 2])
    assert np.cumsum([part.shape[-1] for part in parts]).tolist() == [max(0, t * stride - late) for t in times]
    assert torch.equal(torch.cat([*parts, stream.flush()], -1), layer(x))


class Cropped(nn.ConvTranspose1d):
    """Crops by itself."""

    def forward(self, x: Tensor, output_size: Any = None) -> Tensor:
        return super().forward(x, output_size)[..., :-1]


def hooked() -> nn.ConvTranspose1d:
    layer = nn.ConvTranspose1d(1, 1, 4, 2)
    layer.register_forward_hook(lambda m, args, y: 2 * y)
    return layer


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "transposed": (
        lambda: StreamingUpsample1d(nn.ConvTranspose1d(1, 1, 4, 2)),
        TypeError,
        "got ConvTranspose1d; allowed: an upsampling layer of torchparity.nn. Hint: for nn.ConvTranspose1d see Stream",
    ),
    "other": (lambda: StreamingUpsample1d(nn.Identity()), TypeError, "got Identity"),
    "convolution": (
        lambda: StreamingConvTranspose1d(nn.Conv1d(1, 1, 3)),  # type: ignore[arg-type]
        TypeError,
        "got Conv1d; allowed: a ConvTranspose1d with the forward of its class",
    ),
    "nearest": (
        lambda: StreamingConvTranspose1d(NearestConv1d(1, 1, 3, 2)),  # type: ignore[arg-type]
        TypeError,
        "got NearestConv1d; allowed: an nn.ConvTranspose1d. Hint: StreamingUpsample1d takes it",
    ),
    "own forward": (lambda: StreamingConvTranspose1d(Cropped(1, 1, 4, 2)), TypeError, "got Cropped; allowed: a ConvT"),
    "hook": (lambda: StreamingConvTranspose1d(hooked()), ValueError, "allowed: no hooks"),
    "circular": (
        lambda: StreamingUpsample1d(SubpixelConv1d(1, 1, 3, 2, 1, padding_mode="circular")),
        NotAnalysable,
        "the signal's end makes its beginning",
    ),
    "batch": (
        lambda: [each(torch.zeros(n, 2, 4)) for each in [StreamingUpsample1d(LAYERS["lazy"]())] for n in (1, 2)],
        ValueError,
        "chunk: got shape (2, 2, 4); allowed: (1, 2) before time",
    ),
    "too short": (
        lambda: streamed(StreamingUpsample1d(NearestConv1d(1, 1, 9, 2)), torch.zeros(1, 1, 2), [2]),
        ValueError,
        "output length for 2 input samples: got -4; allowed: at least 1",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_in_words(name: str) -> None:
    make, error, words = REFUSED[name]
    with pytest.raises(error, match=re.escape(words)):
        make()
