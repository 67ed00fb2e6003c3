"""Checks of streams: right ones pass in every arithmetic, each classic mistake is caught, named, and placed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from torch import Tensor, nn
from torch.nn import functional as F

from dspref import Chain, Conv, FilterInterp, Linear, Nearest, NotAnalysable, Pointwise, Stream, SubpixelConv
from dspref import TransposedConv as Convt
from dspref.arrays import Array
from tests.strategies import QUIET, Case, cases
from torchparity import beside, build, check_stream, seams, takes
from torchparity import cases as inputs  # noqa: F401 -- the lines to paste name it
from torchparity.arithmetic import ARITHMETICS, DTYPES
from torchparity.cuts import CUTS
from torchparity.nn import StreamingConvTranspose1d
from torchparity.rig import streamed_bound
from torchparity.roundoff import bound

RNG = np.random.default_rng(0)


def f32(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype("float32")


def whole(*shape: int) -> Array:
    return RNG.integers(-4, 5, shape).astype("float32")


CONVT = Convt(f32(2, 3, 7), stride=3, bias=f32(3))
WHOLE = Convt(whole(2, 3, 16), stride=8, bias=np.array([1, -2, 3], "float32"))
PADDED = Convt(f32(2, 2, 16), stride=8, padding=4, bias=f32(2))


class Framed:
    """Any layer in chunks, by the reference, in the arithmetic of the tensors."""

    def __init__(self, layer: Any) -> None:
        self.layer, self.stream, self.in_channels = layer, Stream(layer), layer.in_channels

    def __call__(self, x: Tensor) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(self.stream(x.numpy()))).to(x.dtype)

    def flush(self) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(self.stream.flush())).float()


RIGHT: dict[str, Any] = {
    "convt": CONVT,
    "convt, whole numbers": WHOLE,
    "convt, padded": PADDED,
    "convt, gaps": Convt(f32(2, 1, 2), stride=5, bias=f32(1)),
    "convt, dilated, op >= stride": Convt(f32(2, 2, 3), stride=2, dilation=3, output_padding=2, bias=f32(2)),
    "conv": Conv(f32(4, 3, 5), padding=2, bias=f32(4)),
    "conv, reflect": Conv(f32(4, 3, 5), padding=2, padding_mode="reflect"),
    "conv, strided": Conv(f32(2, 1, 4), stride=2, padding=1),
    "shuffle": SubpixelConv(f32(8, 3, 3), 4, padding=1, bias=f32(8)),
    "nearest": Nearest(4),
    "linear": Linear(2),
    "filter": FilterInterp(3, f32(2, 2, 5), offset=2, excess=-1),
    "chain": Chain(
        [
            Nearest(2),
            Conv(f32(4, 3, 5), padding=2, bias=f32(4)),
            Pointwise("leaky", (0.1,)),
            Convt(f32(4, 2, 7), stride=3, bias=f32(2)),
        ]
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_streams_of_every_kind_pass(name: str) -> None:
    verdict = check_stream(lambda: Framed(RIGHT[name]), like=RIGHT[name])
    assert verdict.ok, str(verdict)
    assert (verdict.reason, verdict.looks_like, verdict.remarks) == ("", "", ())
    assert verdict.ratio <= 1
    assert set(CUTS) < set(dict(verdict.coverage.strata))
    assert verdict.coverage.tiers == ((0, 1, 2) if name in ("nearest", "convt, whole numbers") else (0, 2))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name in RIGHT if name.startswith("convt")])
def test_overlap_add_in_torch_passes_in_every_arithmetic(name: str, dtype: str) -> None:
    conv = build(RIGHT[name])
    stream = StreamingConvTranspose1d(conv)  # type: ignore[arg-type]
    verdict = check_stream(stream, like=conv, dtype=dtype, lengths=(1, 4, 9))  # longer than any of its sums
    assert verdict.ok, str(verdict)
    assert (verdict.dtype, verdict.arithmetic) == (dtype, ARITHMETICS[dtype].words)
    assert json.loads(verdict.to_json())["ok"] is True


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_no_false_alarm_on_drawn_layers(dtype: str) -> None:
    """Overlap-add of every corner, whole numbers and others."""
    rng = np.random.default_rng(5)

    @QUIET(max_examples=15)
    @given(cases("convt"))
    def each(case: Case) -> None:
        layer = case.filled(rng.standard_normal).layer if rng.random() < 0.5 else case.layer
        stream = StreamingConvTranspose1d(build(layer, dtype="float32"))  # type: ignore[arg-type]
        verdict = check_stream(stream, like=layer, dtype=dtype, lengths=(1, 9))
        assert verdict.ok, str(verdict)

    each()


class Overlap(nn.Module):
    """Overlap-add as it is often written, for a convolution without padding; the mistakes change one line each."""

    def __init__(self, conv: nn.ConvTranspose1d) -> None:
        super().__init__()
        self.conv = conv
        self.tail: Any = None

    def stamps(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        return F.conv_transpose1d(x, self.conv.weight, bias, self.conv.stride, groups=self.conv.groups)

    def biased(self, y: Tensor) -> Tensor:
        return y if self.conv.bias is None else y + self.conv.bias[:, None]

    def added(self, y: Tensor, tail: Tensor | None) -> Tensor:
        return y if tail is None else y + F.pad(tail, (0, y.shape[-1] - tail.shape[-1]))

    def forward(self, x: Tensor) -> Tensor:
        y, n = self.added(self.stamps(x), self.tail), x.shape[-1] * self.conv.stride[0]
        self.tail = y[..., n:]
        return self.biased(y[..., :n])

    def flush(self) -> Tensor:
        return self.biased(self.tail)

    def reset(self) -> None:
        self.tail = None


class Causal(Overlap):
    flush = None  # type: ignore[assignment]


class Carrying(Overlap):
    """The bias is in the tail, and taken away again."""

    def forward(self, x: Tensor) -> Tensor:
        y, n = self.stamps(x, self.conv.bias), x.shape[-1] * self.conv.stride[0]
        if self.tail is not None and self.conv.bias is not None:
            y = self.added(y, self.tail - self.conv.bias[:, None])
        self.tail = y[..., n:]
        return y[..., :n]

    def flush(self) -> Tensor:
        return self.tail  # type: ignore[no-any-return]


class Delayed(Causal):
    """Five samples late, zeros first."""

    def __init__(self, conv: nn.ConvTranspose1d) -> None:
        super().__init__(conv)
        self.late: Any = None

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        late = y.new_zeros(*y.shape[:2], 5) if self.late is None else self.late
        y = torch.cat([late, y], -1)
        self.late = y[..., -5:]
        return y[..., :-5]

    def reset(self) -> None:
        self.tail = self.late = None


@pytest.mark.parametrize("layer", [CONVT, WHOLE], ids=["real", "whole numbers"])
def test_other_ways_to_write_it_are_right_too(layer: Convt) -> None:
    conv = build(layer)
    for kind in (Overlap, Carrying):
        verdict = check_stream(kind(conv), like=layer)  # type: ignore[arg-type]
        assert verdict.ok, str(verdict)
        assert "empty chunk is refused" in verdict.remarks[0]  # Torch has no transposed convolution of nothing
        assert verdict.coverage.tiers == (0, 1, 2)


def test_a_causal_stream_is_compared_as_far_as_it_goes() -> None:
    verdict = check_stream(Causal(build(CONVT)), like=CONVT)  # type: ignore[arg-type]
    assert verdict.ok, str(verdict)
    assert "no flush()" in verdict.remarks[0]
    assert "later" not in verdict.description


def test_a_delay_is_found_and_said() -> None:
    conv = build(CONVT)
    verdict = check_stream(Delayed(conv), like=CONVT)  # type: ignore[arg-type]
    assert verdict.ok, str(verdict)
    assert "5 output samples later" in verdict.description
    assert check_stream(Delayed(conv), like=CONVT, latency=5).ok  # type: ignore[arg-type]
    assert check_stream(Delayed(conv), like=CONVT, latency=4).status == "wrong"  # type: ignore[arg-type]
    # Uncropped and causal, a stream lags behind a padded layer by the padding.
    bare = nn.ConvTranspose1d(2, 2, 16, stride=8)
    bare.load_state_dict(build(PADDED).state_dict())
    assert "4 output samples later" in check_stream(Causal(bare), like=PADDED).description


def without(kind: type, *names: str) -> type:
    return type(kind.__name__, (kind,), dict.fromkeys(names))


class Stateless(Overlap):
    def forward(self, x: Tensor) -> Tensor:
        self.tail = None
        return super().forward(x)


class WholeChunks(Causal):
    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)  # type: ignore[no-any-return]


class Overwriting(Overlap):
    def added(self, y: Tensor, tail: Tensor | None) -> Tensor:
        return y if tail is None else torch.cat([tail, y[..., tail.shape[-1] :]], -1)


class BiasTwice(Overlap):
    def stamps(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        return super().stamps(x, self.conv.bias)

    def biased(self, y: Tensor) -> Tensor:
        return y


class LastTail(Overlap):
    def forward(self, x: Tensor) -> Tensor:
        stamps, n = self.stamps(x), x.shape[-1] * self.conv.stride[0]
        y = self.added(stamps, self.tail)
        self.tail = stamps[..., n:]
        return self.biased(y[..., :n])


class Leaking(Overlap):
    kept: dict[str, Any] = {"tail": None}  # noqa: RUF012 -- the mistake

    def forward(self, x: Tensor) -> Tensor:
        self.tail = self.kept["tail"] if self.kept["tail"] is not None and len(self.kept["tail"]) == len(x) else None
        y = super().forward(x)
        self.kept["tail"] = self.tail
        return y

    def flush(self) -> Tensor:
        y, self.kept["tail"] = self.biased(self.tail), None
        return y

    reset = None  # type: ignore[assignment]


class Shared(Overlap):
    """The tail is the class's, and a stream begins with none."""

    kept: Any = None

    def forward(self, x: Tensor) -> Tensor:
        self.tail = Shared.kept
        y = super().forward(x)
        Shared.kept = self.tail
        return y

    def flush(self) -> Tensor:
        return self.biased(Shared.kept)

    def reset(self) -> None:
        Shared.kept = None


class Unreset(Overlap):
    def reset(self) -> None:
        pass


class OneBatch(Overlap):
    def reset(self) -> None:
        self.tail = None if self.tail is None else torch.zeros_like(self.tail)


class HalfFlush(Overlap):
    def flush(self) -> Tensor:
        return super().flush()[..., :2]


class DroppedWhenEmpty(StreamingConvTranspose1d):
    def forward(self, x: Tensor) -> Tensor:
        if not x.shape[-1] and self._tail is not None:
            self._tail = torch.zeros_like(self._tail)
        return super().forward(x)


class ShortOnly(Overlap):
    """A tail is kept that is no longer than the chunk was."""

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        self.tail = torch.cat([self.tail[..., : y.shape[-1]], 0 * self.tail[..., y.shape[-1] :]], -1)
        return y


class Unrolled(Overlap):
    """Of more than 128 samples the last one is lost."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(torch.cat([x[..., :-1], 0 * x[..., -1:]], -1) if x.shape[-1] > 128 else x)


class ByPeak(Overlap):
    """Scaled by a power of two, which rounds nothing."""

    def stamps(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        peak = 2 ** x.abs().max().log2().ceil() if x.shape[-1] else 1.0
        return super().stamps(x / peak) * peak


class SilenceSkipped(Overlap):
    """Nothing comes of silence: no tail, and no bias."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * x.any()


MISTAKES: dict[str, tuple[Any, str, str]] = {
    "stateless": (Stateless, seams.STATELESS, "0 after its border"),
    "stateless, no flush": (without(Stateless, "flush"), seams.STATELESS, "0 after its border"),
    "whole outputs of chunks": (WholeChunks, seams.STATELESS, ""),
    "tail overwrites": (Overwriting, seams.OVERWRITTEN, "0 after its border"),
    "bias twice": (BiasTwice, seams.BIAS, "0 after its border"),
    "only the last tail": (LastTail, seams.OLDER, "after its border"),
    "short tails": (ShortOnly, seams.SHORT, "after its border"),
    "leak": (Leaking, seams.LEAK, "chunk 0"),
    "shared": (Shared, seams.LEAK, "chunk 1"),
    "unrolled": (Unrolled, "", "chunk 0"),
    "peak": (ByPeak, seams.SILENT, ""),
    "silence skipped": (SilenceSkipped, seams.SILENT, "0 after its border"),
    "reset does nothing": (Unreset, seams.UNRESET, "chunk 0 ("),
    "reset keeps the batch": (OneBatch, seams.BATCH, ""),
    "half a flush": (HalfFlush, seams.FLUSH, ""),
    "empty chunks": (DroppedWhenEmpty, seams.EMPTY, "0 after its border"),
    "no flush, padded": (without(StreamingConvTranspose1d, "flush"), seams.FLUSH, ""),
}


@pytest.mark.parametrize("layer", [CONVT, WHOLE, PADDED], ids=["real", "whole numbers", "padded"])
@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_caught_and_named(name: str, layer: Convt) -> None:
    kind, mistake, where = MISTAKES[name]
    if (layer is PADDED) is not (name == "no flush, padded") or (
        layer is WHOLE and name in ("only the last tail", "short tails")
    ):
        return  # written for layers without padding; two stamps overlap in WHOLE: no tail is older than the last
    Leaking.kept["tail"] = None
    make = kind(build(layer))
    verdict = check_stream(make, like=layer)
    assert verdict.status == "wrong", str(verdict)
    assert verdict.looks_like == mistake, str(verdict)
    assert mistake in verdict.reason
    assert where in verdict.where, str(verdict)
    assert "chunk" in verdict.reason
    Leaking.kept["tail"] = None
    if verdict.worst_index is not None:
        got, due = pasted(verdict.repro, make)
        assert got != due


def pasted(code: str, make: Any) -> tuple[float, float]:
    """Return what a line to paste prints."""
    head, _, printed = code.rpartition("; print(")
    names: dict[str, Any] = {"make": make}
    exec(head, names)
    found: tuple[float, float] = eval(f"({printed}", names)
    return found


class Behaving(Overlap):
    """Right, but for what `bad` makes of the second chunk."""

    def __init__(self, bad: Callable[[Tensor], Any]) -> None:
        super().__init__(build(CONVT))  # type: ignore[arg-type]
        self.bad, self.count = bad, 0

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        self.count += 1
        return self.bad(y) if self.count == 2 else y

    def reset(self) -> None:
        super().reset()
        self.count = 0


def raising(y: Tensor) -> Tensor:
    raise RuntimeError("no more\nmemory")


class Buffered(Overlap):
    """Every output is a view of one buffer."""

    def __init__(self) -> None:
        super().__init__(build(CONVT))  # type: ignore[arg-type]
        self.buffer = torch.zeros(4, 3, 1000)

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        self.buffer[: len(y), :, : y.shape[-1]] = y
        return self.buffer[: len(y), :, : y.shape[-1]]


def test_an_output_that_a_later_call_changes_is_said_in_words() -> None:
    verdict = check_stream(Buffered(), like=CONVT)
    assert verdict.status == "wrong"
    assert "output of chunk 0" in verdict.reason
    assert "changed by a later call" in verdict.reason


class CausalConv(nn.Module):
    """A convolution that looks back only, at rate 1 or less."""

    def __init__(self, layer: Conv) -> None:
        super().__init__()
        self.conv, self.reach, self.step = build(layer), layer.length - 1, layer.stride
        self.past: Any = None

    def forward(self, x: Tensor) -> Tensor:
        past = x.new_zeros(*x.shape[:2], self.reach) if self.past is None else self.past
        y = torch.cat([past, x], -1)
        count = max(0, (y.shape[-1] - self.reach - 1) // self.step + 1)
        self.past = y[..., self.step * count :]
        conv: Any = self.conv
        return F.conv1d(y, conv.weight, conv.bias, self.step) if count else y.new_zeros(len(x), len(conv.weight), 0)


class StatelessConv(CausalConv):
    def forward(self, x: Tensor) -> Tensor:
        self.past = None
        return super().forward(x)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_causal_convolutions(stride: int) -> None:
    layer = Conv(f32(2, 3, 5), padding=4, stride=stride, bias=f32(2))
    verdict = check_stream(CausalConv(layer), like=layer)
    assert verdict.ok, str(verdict)
    if stride == 1:
        wrong = check_stream(StatelessConv(layer), like=layer)
        assert (wrong.status, wrong.looks_like) == ("wrong", seams.STATELESS)
        assert "0 after its border" in wrong.where


BAD: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "tuple": (lambda y: (y,), r"chunk 1 .*result: got tuple"),
    "nan": (lambda y: y * np.nan, r"nan at output .*chunk 1"),
    "half": (lambda y: y.half(), r"chunk 1 .*dtype of the result: got torch.float16"),
    "raising": (raising, r"chunk 1 .*RuntimeError: no more memory"),
    "no batch": (lambda y: y[0], r"chunk 1 .*result: got shape"),
    "one channel": (lambda y: y[:, :1], r"output channels: got \[1, 3\]"),
    "too many": (lambda y: torch.cat([y, y], -1), r"chunk"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_behaviour_is_said_in_words(name: str) -> None:
    bad, words = BAD[name]
    verdict = check_stream(Behaving(bad), like=CONVT)
    assert verdict.status == "wrong"
    assert re.search(words, verdict.reason), verdict.reason


def test_a_flush_that_gives_nothing_is_said_in_words() -> None:
    class Silent(Overlap):
        def flush(self) -> Tensor:
            return None  # type: ignore[return-value]

    verdict = check_stream(Silent(build(CONVT)), like=CONVT)  # type: ignore[arg-type]
    assert verdict.status == "wrong"
    assert "flush: result: got NoneType" in verdict.reason


def test_words_are_filled_with_the_weights_of_the_stream() -> None:
    stream = StreamingConvTranspose1d(build(CONVT))  # type: ignore[arg-type]
    verdict = check_stream(stream, like="convt k7 s3")
    assert verdict.ok, str(verdict)
    assert "the stream's own weights" in verdict.description
    assert check_stream(Stateless(build(CONVT)), like="convt k7 s3").looks_like == seams.STATELESS  # type: ignore[arg-type]


def test_with_nothing_said_chunks_are_compared_with_the_whole() -> None:
    verdict = check_stream(StreamingConvTranspose1d(build(PADDED)))  # type: ignore[arg-type]
    assert verdict.ok, str(verdict)
    assert "as probed" in verdict.description
    wrong = check_stream(Stateless(build(CONVT)))  # type: ignore[arg-type]
    assert (wrong.status, wrong.looks_like) == ("wrong", seams.STATELESS)


def test_the_structure_of_an_object_without_weights_is_probed_and_held_against_words() -> None:
    right = check_stream(lambda: Framed(CONVT), like="convt k7 s3")
    assert right.ok, str(right)
    assert "as probed" in right.description
    wrong = check_stream(lambda: Framed(CONVT), like="convt k7 s4")
    assert (wrong.status, wrong.reason[:6]) == ("wrong", "factor")


def test_lengths_and_chunks_may_be_given() -> None:
    make = StreamingConvTranspose1d(build(CONVT))  # type: ignore[arg-type]
    verdict = check_stream(make, like=CONVT, lengths=[10], chunks=[4, 7])
    counts = dict(verdict.coverage.strata)
    assert {"chunks of 4", "chunks of 7", "one chunk"} < set(counts)
    assert "pairs" not in counts


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"dtype": "int8"}, ValueError, "dtype"),
        ({"lengths": []}, ValueError, "at least one"),
        ({"lengths": [0]}, ValueError, "length"),
        ({"chunks": [0]}, ValueError, "chunk"),
        ({"latency": -1}, ValueError, "latency"),
        ({"seed": -1}, ValueError, "seed"),
        ({"like": 3}, TypeError, "like"),
        ({"like": Pointwise("tanh")}, NotAnalysable, "rounding is bounded"),
    ],
)
def test_options_that_are_none_are_refused(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        check_stream(StreamingConvTranspose1d(build(CONVT)), **{"like": CONVT, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [3, StreamingConvTranspose1d, lambda: 3])
def test_what_is_no_stream_is_refused(make: Any) -> None:
    with pytest.raises(TypeError, match="stream"):
        check_stream(make, like=CONVT)


def test_causal_streams_need_more_than_words() -> None:
    class Bare(Framed):
        flush = None  # type: ignore[assignment]

    with pytest.raises(NotAnalysable, match="without flush"):
        check_stream(lambda: Bare(CONVT), like="convt k7 s3")


def test_the_bound_of_a_stream_is_that_of_the_sum_where_nothing_is_more() -> None:
    x, bare = f32(1, 2, 9).astype(float), Convt(CONVT.weight, stride=3)
    chain = Chain([CONVT, Conv(f32(1, 3, 2))])

    def more(layer: Any, dtype: str) -> Array:
        plain = bound(layer, x, dtype)
        return np.asarray(streamed_bound(layer, x, ARITHMETICS[dtype], plain).E - plain.E)

    assert (more(bare, "float32") == 0).all()
    assert (more(CONVT, "float32") > 0).all()
    assert (more(bare, "bfloat16") > 0).any()
    assert (more(chain, "bfloat16") > 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_twin_in_torch_is_the_layer(dtype: torch.dtype) -> None:
    """Small whole numbers: exact in every format."""
    rng = np.random.default_rng(2)

    @QUIET(max_examples=60)
    @given(cases("convt"))
    def each(case: Case) -> None:
        small = case.changed(lambda a: np.sign(a) * (np.abs(a) > 2))
        lead = small.x.shape[:-2]
        if small.time == 0 or 0 in lead:
            return
        stream = StreamingConvTranspose1d(build(small.layer, dtype="float32").to(dtype))  # type: ignore[arg-type]
        x = torch.from_numpy(small.x.reshape(-1, *small.x.shape[-2:])).to(dtype)
        sizes = np.bincount(rng.integers(0, 4, small.time), minlength=4).tolist()
        due = torch.from_numpy(small.layer(small.x.reshape(x.shape))).to(dtype)
        for _ in range(2):  # flush begins anew
            y = torch.cat([*(stream(chunk) for chunk in torch.split(x, sizes, -1)), stream.flush()], -1)
            assert y.dtype == dtype
            assert torch.equal(y, due)

    each()


def test_a_stream_in_torch_has_gradients_and_refuses_what_the_layer_refuses() -> None:
    stream = StreamingConvTranspose1d(build(CONVT))  # type: ignore[arg-type]
    torch.cat([stream(torch.ones(1, 2, 3)), stream.flush()], -1).sum().backward()  # type: ignore[no-untyped-call]
    assert stream.conv.weight.grad is not None
    assert bool((stream.conv.weight.grad != 0).all())
    with pytest.raises(ValueError, match="output length"):
        stream.flush()


def test_a_stream_in_torch_refuses_a_chunk_of_another_batch_which_would_be_broadcast() -> None:
    stream = StreamingConvTranspose1d(nn.ConvTranspose1d(1, 1, 4, 2)).requires_grad_(False)
    stream(torch.zeros(1, 1, 3))
    with pytest.raises(ValueError, match=re.escape("got shape (3, 1, 3); allowed: (1,) before channel and time")):
        stream(torch.zeros(3, 1, 3))
    stream.reset()
    assert stream(torch.zeros(3, 1, 3)).shape == (3, 1, 6)


def test_sizes_are_said_in_words_and_in_python() -> None:
    sizes = [4, 1, 1, 3]
    assert takes.in_words(sizes) == "chunks of 4, 2 × 1, 3"
    assert eval(takes.in_code(sizes)) == sizes


class Forgetful(StreamingConvTranspose1d):
    """Begins anew after 256 chunks."""

    def __init__(self, up: nn.ConvTranspose1d) -> None:
        super().__init__(up)
        self.count = 0

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        y = super().forward(x)
        return y * 2 if self.count > 256 else y


def test_a_stream_that_errs_after_many_chunks_is_found() -> None:
    up = nn.ConvTranspose1d(1, 1, 4, stride=2)
    verdict = check_stream(Forgetful(up), like=up)
    assert verdict.status == "wrong", str(verdict)
    assert verdict.looks_like == seams.MANY
    assert verdict.where.startswith("chunk 256 (1 samples)")


class Viewing(CausalConv):
    """The past is a view of the chunk, where that is long enough."""

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        self.past = x[..., -self.reach :] if x.shape[-1] >= self.reach else self.past
        return y


def test_a_view_of_the_chunk_is_a_remark() -> None:
    layer = Conv(f32(2, 3, 5), padding=4, bias=f32(2))
    right, verdict = check_stream(CausalConv(layer), like=layer), check_stream(Viewing(layer), like=layer)
    assert right.ok, str(right)
    assert verdict.ok, str(verdict)
    assert beside.VIEW not in right.remarks
    assert beside.VIEW in verdict.remarks


def test_weights_that_are_no_whole_numbers_have_a_twin_of_such() -> None:
    up = nn.ConvTranspose1d(1, 2, 8, stride=4)
    for make in (StreamingConvTranspose1d(up), lambda: StreamingConvTranspose1d(up), Causal(up), Delayed(up)):
        verdict = check_stream(make, like=up)
        assert verdict.ok, str(verdict)
        assert verdict.coverage.tiers == (0, 1, 2)
        assert dict(verdict.coverage.strata)["integer"] > 20
    assert check_stream(StreamingConvTranspose1d(up), like="convt k8 s4", dtype="bfloat16").coverage.tiers == (0, 1, 2)


class Faint(Overlap):
    """The tail grows by less than rounding may take."""

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        self.tail = self.tail * (1 + 2.0**-23)
        return y


def test_what_rounding_hides_shows_in_whole_numbers() -> None:
    stream = Faint(build(CONVT))  # type: ignore[arg-type]
    verdict = check_stream(stream, like=CONVT)
    assert verdict.status == "wrong", str(verdict)
    assert "(integer input" in verdict.reason
    got, due = pasted(verdict.repro, stream)
    assert got != due == round(due)


class Prepared(Overlap):
    """What it computes with was computed when it was made."""

    def __init__(self, conv: nn.ConvTranspose1d, *names: str) -> None:
        super().__init__(conv)
        self.ready: dict[str, Tensor] = {name: getattr(conv, name).detach().clone() for name in names}

    def stamps(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        return F.conv_transpose1d(x, self.ready.get("weight", self.conv.weight), bias, self.conv.stride)

    def biased(self, y: Tensor) -> Tensor:
        bias = self.ready.get("bias", self.conv.bias)
        assert bias is not None
        return y + bias[:, None]


@pytest.mark.parametrize("names", [("weight",), ("bias",), ("weight", "bias")])
def test_weights_that_are_used_no_more_are_not_set(names: tuple[str, ...]) -> None:
    verdict = check_stream(lambda: Prepared(build(CONVT), *names), like=CONVT)  # type: ignore[arg-type]
    assert verdict.ok, str(verdict)
    assert verdict.coverage.tiers == (0, 2)


class ByFFT(Overlap):
    def stamps(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        (s,), w = self.conv.stride, self.conv.weight
        n = (x.shape[-1] - 1) * s + w.shape[-1]
        wide = x.new_zeros(*x.shape[:2], n)
        wide[..., ::s][..., : x.shape[-1]] = x
        product = torch.einsum("bif,iof->bof", torch.fft.rfft(wide, n), torch.fft.rfft(w, n))
        return torch.fft.irfft(product, n)  # type: ignore[no-any-return]


def test_fft_algorithms_round_whole_numbers_and_are_not_wrong() -> None:
    verdict = check_stream(ByFFT(build(CONVT)), like=CONVT)  # type: ignore[arg-type]
    assert (verdict.status, verdict.looks_like) == ("normwise only", ""), str(verdict)
    assert verdict.coverage.tiers == (0, 1, 2)
