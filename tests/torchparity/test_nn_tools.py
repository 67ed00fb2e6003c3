"""The five upsampling layers in the tools of others, and in ours: each gives what its law says, to rounding."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from dspref import Chain, Conv, FilterInterp, Linear, Nearest, NotAnalysable, SubpixelConv, adjoint
from dspref.arrays import Array
from dspref.heads.lifting import LiftingSynthesis
from dspref.heads.wavelets import HaarSynthesis
from tests.strata import STRATA
from tests.strategies import QUIET, Case, cases
from torchparity import check, describe, roundoff, walked
from torchparity.audit import audit
from torchparity.nn import (
    FilterConv1d,
    FilterInterp1d,
    Interpolate1d,
    LinearConv1d,
    NearestConv1d,
    PixelShuffle1d,
    StreamingConvTranspose1d,
    StreamingUpsample1d,
    SubpixelConv1d,
    WaveletUpsample1d,
)
from torchparity.roundoff import doubled

pytestmark = [
    pytest.mark.filterwarnings("ignore:You are using the legacy TorchScript-based ONNX export:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The feature will be removed:DeprecationWarning"),
    pytest.mark.filterwarnings(r"ignore:`isinstance\(treespec, LeafSpec\)` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
    pytest.mark.filterwarnings("ignore:Constant folding - Only steps=1 can be constant folded:UserWarning"),
]

TAPS = [0.25, 0.5, 0.75, 1.0, 0.75, 0.5, 0.25]

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "nearest": lambda: NearestConv1d(4, 3, 5, 4, 2),
    "linear": lambda: LinearConv1d(4, 3, 5, 4, 2),
    "filter": lambda: FilterConv1d(4, 3, 5, 4, TAPS, 3, 2),
    "sub-pixel": lambda: SubpixelConv1d(4, 3, 5, 4, 2, padding_mode="reflect"),
    "haar": lambda: WaveletUpsample1d(2),
    "learnable": lambda: WaveletUpsample1d(2, "learnable", begin="spline", taps=(4, 3)),
}


class All(nn.Module):
    """All layers beside each other, so that a tool is asked once."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({name: make() for name, make in LAYERS.items()})

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(layer(x) for layer in self.layers.values())


OTHERS: dict[str, Callable[[], nn.Module]] = {
    "shuffle": lambda: PixelShuffle1d(2),
    "interpolation": lambda: Interpolate1d("linear", scale_factor=2),
    "taps": lambda: FilterInterp1d(2, torch.ones(2)),
    "stream": lambda: StreamingUpsample1d(NearestConv1d(4, 3, 5, 4)),
    "transposed stream": lambda: StreamingConvTranspose1d(nn.ConvTranspose1d(4, 3, 5, 4)),
}


@pytest.mark.parametrize("name", [*LAYERS, *OTHERS])
def test_what_is_no_tensor_is_refused_in_words(name: str) -> None:
    layer: Any = {**LAYERS, **OTHERS}[name]()
    for x in ("x", None, [1.0], np.zeros((1, 4, 9), np.float32)):
        with pytest.raises(TypeError, match=rf"input: got {type(x).__name__}; allowed: a torch.Tensor\.$"):
            layer(x)


def test_what_stands_for_a_tensor_is_taken() -> None:
    x = torch.ones(1, 4, 9)
    layer = Interpolate1d("nearest", scale_factor=2)
    assert torch.equal(torch.fx.symbolic_trace(layer)(x), layer(x))


@pytest.fixture
def every() -> All:
    torch.manual_seed(0)
    return All().eval().requires_grad_(False)


X = torch.randn(2, 4, 23, generator=torch.Generator().manual_seed(1))


def within(module: All, outputs: Any, x: Tensor = X, words: str = "", show: Callable[[str], None] = print) -> None:
    """Hold every output against the law of its layer, in doubles, under the bound on rounding in float32."""
    for (name, layer), y in zip(module.layers.items(), outputs, strict=True):
        law: Any = describe(layer)
        off, E = (
            np.abs(np.asarray(y, float) - doubled(law)(x.numpy().astype(float))),
            roundoff(law, x.numpy(), "float32"),
        )
        assert (off <= E).all(), name
        assert y.shape == E.shape
        if words:
            show(f"{words}, {name}: off by {(off / E).max():.2g} of the bound")


COUNTED = [1.0, -2.0, 3.0, 2.0]
FUSED: dict[str, Callable[..., Any]] = {
    "nearest": lambda C, out, K, L, **options: NearestConv1d(C, out, K, L, **options),
    "linear": lambda C, out, K, L, **options: LinearConv1d(C, out, K, 2 * (L // 2) or 1, **options),
    "filter": lambda C, out, K, L, **options: FilterConv1d(C, out, K, L, COUNTED, 1, excess=-1, **options),
}
UNSTRIDED = [name for name in STRATA["conv"] if "stride" not in name]


def fused(kind: str, conv: Conv, L: int, form: str) -> Any:
    """Return a fused layer with the kernel of a convolution of the reference."""
    out, inner, K = conv.weight.shape
    names = ("padding", "dilation", "groups", "padding_mode")
    options = {name: getattr(conv, name) for name in names} | {"bias": conv.bias is not None, "form": form}
    made = FUSED[kind](inner * conv.groups, out, K, L, dtype=torch.float64, **options)
    with torch.no_grad():
        made.weight.copy_(torch.from_numpy(conv.weight.astype(float)))
        if conv.bias is not None:
            made.bias.copy_(torch.from_numpy(conv.bias.astype(float)))
    return made


@pytest.mark.parametrize("kind", FUSED)
@pytest.mark.parametrize("stratum", UNSTRIDED)
def test_a_fused_layer_is_its_law_in_every_stratum_forward_and_backward(kind: str, stratum: str) -> None:
    """Whole numbers, bit by bit: the reference's interpolation, then its convolution, and their adjoints."""

    @QUIET(max_examples=3)
    @given(cases("conv", name=stratum), st.integers(1, 4), st.sampled_from(["polyphase", "two layers"]))
    def each(case: Case, L: int, form: str) -> None:
        if case.layer.stride > 1 or case.x.ndim > 3 or 0 in case.x.shape:
            return
        layer, x = fused(kind, case.layer, L, form), 8.0 * case.x
        if layer.geometry.padding_mode != "zeros" and len(set(layer.geometry.pads)) > 1:
            with pytest.raises(NotAnalysable, match="zeros, or both alike"):
                describe(layer)
            return
        law: Any = describe(layer)
        first, conv = law.stages
        try:
            u = first(x)
            due = conv(u)
        except ValueError:
            with pytest.raises(ValueError, match="allowed"):
                layer(torch.from_numpy(x))
            return
        given_x = torch.from_numpy(x).requires_grad_()
        y = layer(given_x)
        assert np.array_equal(y.detach().numpy(), due)
        g = np.arange(due.size).reshape(due.shape) % 5 - 2.0
        by = adjoint(conv, u, g)
        y.backward(torch.from_numpy(g))
        assert given_x.grad is not None
        assert by.input is not None
        assert np.array_equal(given_x.grad.numpy(), np.asarray(adjoint(first, x, by.input, wrt=("input",)).input))
        if conv.weight.shape == layer.weight.shape:
            assert by.weight is not None
            assert np.array_equal(layer.weight.grad.numpy(), by.weight)
        assert conv.bias is None or np.array_equal(layer.bias.grad.numpy(), np.asarray(by.bias))

    each()


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(
    "options",
    [{}, {"dtype": "bfloat16"}, {"autocast": "float16"}],
    ids=str,
)
def test_no_number_is_farther_off_than_rounding_explains(name: str, options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    verdict = check(LAYERS[name](), lengths=[9], **options)
    assert verdict.ok, str(verdict)
    assert verdict.ratio <= 1


LAWS: dict[str, tuple[type, ...]] = {
    "nearest": (Nearest, Conv),
    "linear": (Linear, Conv),
    "filter": (FilterInterp, Conv),
    "sub-pixel": (SubpixelConv,),
    "haar": (HaarSynthesis,),
    "learnable": (LiftingSynthesis,),
}


@pytest.mark.parametrize("name", LAWS)
def test_laws_have_the_stages_that_layers_equal(name: str) -> None:
    law = describe(nn.Sequential(LAYERS[name]()))
    assert isinstance(law, Chain)
    assert tuple(type(stage) for stage in law.stages) == LAWS[name]
    assert law.factor == (2 if name in ("haar", "learnable") else 4)


@pytest.mark.parametrize(
    ("padding", "mode"), [((3, -2), "zeros"), ((0, 4), "zeros"), ((-1, -3), "reflect"), ((-2, -2), "circular")]
)
def test_unequal_and_negative_padding_has_a_law_where_nothing_but_zeros_is_added(padding: Any, mode: str) -> None:
    layer = NearestConv1d(2, 3, 4, 3, padding, 2, padding_mode=mode, dtype=torch.float64)
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.randint(-4, 5, p.shape))
    x = torch.randint(-5, 6, (2, 2, 9)).double()
    law: Any = describe(layer)
    assert np.array_equal(layer(x).detach().numpy(), law(x.numpy()))
    with pytest.raises(NotAnalysable, match=r"padding: got \(1, 2\) by reflect; allowed: zeros, or both alike"):
        describe(NearestConv1d(2, 3, 4, 3, (1, 2), padding_mode="reflect"))


@pytest.mark.parametrize("name", ["nearest", "linear"])
def test_what_is_expected_of_a_fused_layer_is_what_is_expected_of_two(name: str) -> None:
    torch.manual_seed(0)
    layer: Any = LAYERS[name]()
    one, two = (walked(nn.Sequential(nn.Conv1d(1, 4, 3), each)) for each in (layer, layer.two_layers()))
    assert [node.op for node in one.network.nodes] == [node.op for node in two.network.nodes]
    assert [(law.law, law.weight, law.bias) for law in one.laws] == [
        (law.law, law.weight, law.bias) for law in two.laws
    ]
    assert one.laws[-1].law == "default"


@pytest.mark.parametrize("form", ["polyphase", "two layers"])
def test_an_audit_names_the_interpolation_in_a_fused_layer(form: str) -> None:
    torch.manual_seed(0)
    up: Any = LAYERS["filter"]()
    up.form = form
    found = audit(nn.Sequential(nn.Conv1d(1, 4, 3, padding=1), up, nn.Tanh()), signals=("constant",))
    (layer,) = found.spine.layers
    assert isinstance(layer.stage, FilterInterp)
    assert layer.factor == 4
    assert not found.findings


def saved(module: All) -> All:
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    other = All().eval()
    other.load_state_dict(torch.load(file))
    return other.requires_grad_(False)


def from_meta(module: All) -> All:
    """Return a copy that was made without memory, got some, and then its state."""
    with torch.device("meta"):
        other = All().eval()
    assert [tuple(y.shape[1:]) for y in other(X.to("meta"))] == [tuple(y.shape[1:]) for y in module(X)]
    other.to_empty(device="cpu").load_state_dict(module.state_dict())
    return other.requires_grad_(False)


def replicas(module: All) -> Callable[[Tensor], list[Tensor]]:
    """Return what `nn.DataParallel` runs: replicas without parameters of their own, tensors in their place."""

    def replica(layer: nn.Module) -> nn.Module:
        made: nn.Module = layer._replicate_for_data_parallel()  # type: ignore[no-untyped-call]
        for name, p in layer.named_parameters():
            setattr(made, name, p.detach().clone())
        return made

    return lambda x: [replica(layer)(x) for layer in module.layers.values()]


TOOLS: dict[str, Callable[[All], Callable[[Tensor], Any]]] = {
    "deepcopy": copy.deepcopy,
    "state_dict, saved and loaded": saved,
    "meta device, then to_empty": from_meta,
    "replicas of DataParallel": replicas,
    "functional_call": lambda module: (
        lambda x: torch.func.functional_call(module, dict(module.named_parameters()), (x,))
    ),
    "vmap": lambda module: lambda x: [y[:, 0] for y in torch.func.vmap(module)(x[:, None])],
    "torch.compile, fullgraph, backend eager": lambda module: torch.compile(module, fullgraph=True, backend="eager"),
}


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_changes_nothing_but_rounding(name: str, every: All, show: Callable[[str], None]) -> None:
    within(every, TOOLS[name](every)(X), words=name, show=show)


def test_torch_export_gives_the_same(every: All, show: Callable[[str], None]) -> None:
    within(every, torch.export.export(every, (X,)).module()(X), words="torch.export", show=show)


def test_onnxruntime_gives_the_same(every: All, show: Callable[[str], None]) -> None:
    file: Any = io.BytesIO()
    torch.onnx.export(every, (X,), file, dynamo=False, input_names=["x"])
    outputs: list[Array] = onnxruntime.InferenceSession(file.getvalue()).run(None, {"x": X.numpy()})
    within(every, outputs, words=f"onnxruntime {onnxruntime.__version__}", show=show)


LONGER = torch.randn(3, 4, 31, generator=torch.Generator().manual_seed(2))
"""Another batch, and another length, than those of a program that was made of `X`."""


@pytest.fixture
def by_phases(every: All) -> All:
    """Return all layers, the fused ones by their polyphase form, and one more by the other order of channels."""
    for name in ("nearest", "linear", "filter"):
        every.layers[name].form = "polyphase"  # type: ignore[assignment]
    every.layers["sub-pixel, dcr"] = SubpixelConv1d(4, 3, 5, 4, 2, order="dcr").requires_grad_(False)
    return every


def test_one_exported_program_takes_any_batch_and_length(by_phases: All) -> None:
    for name in ("filter", "haar", "learnable", "sub-pixel", "sub-pixel, dcr"):  # which take long
        del by_phases.layers[name]
    free = torch.export.Dim.AUTO
    program = torch.export.export(by_phases, (X,), dynamic_shapes=({0: free, 2: free},)).module()
    for x in (X, LONGER, X[:1]):
        within(by_phases, program(x), x)


BORDERED: dict[str, Callable[[], Any]] = {
    "linear": lambda: LinearConv1d(4, 3, 9, 4, 4),
    "filter": lambda: FilterConv1d(4, 3, 9, 4, TAPS, 3, 4),
    "nearest, circular": lambda: NearestConv1d(4, 3, 9, 4, 4, padding_mode="circular"),
    "nearest, reflect": lambda: NearestConv1d(4, 3, 9, 4, 4, padding_mode="reflect"),
    "nearest": lambda: NearestConv1d(4, 3, 9, 4, 4),
}


@pytest.mark.filterwarnings("ignore:`torch.jit.trace.*` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("way", ["export", "trace"])
@pytest.mark.parametrize("name", BORDERED)
def test_exported_programs_take_signals_shorter_than_their_borders(name: str, way: str) -> None:
    """By whole numbers, bit by bit."""
    layer, x = BORDERED[name]().requires_grad_(False), torch.randint(-4, 5, (1, 4, 20)).float()
    layer.weight.copy_(torch.randint(-2, 3, layer.weight.shape))
    layer.bias.zero_()
    if way == "trace":
        program: Any = torch.jit.trace(layer, (8 * x,), check_trace=False)  # type: ignore[no-untyped-call]
    else:
        free = torch.export.Dim("time", min=2, max=4096)
        program = torch.export.export(layer, (8 * x,), dynamic_shapes=({2: free},)).module()
    for time in (2, 3, 4, 5, 9, 20):
        assert torch.equal(program(8 * x[..., :time]), layer.two_layers()(8 * x[..., :time]))


def test_one_onnx_file_takes_any_batch_and_length(by_phases: All) -> None:
    file: Any = io.BytesIO()
    axes = {"x": {0: "batch", 2: "time"}}
    torch.onnx.export(by_phases, (X,), file, dynamo=False, input_names=["x"], dynamic_axes=axes)
    session = onnxruntime.InferenceSession(file.getvalue())
    for x in (X, LONGER, X[:1]):
        within(by_phases, session.run(None, {"x": x.numpy()}), x)
