"""ONNX files: what torch.onnx.export writes and onnxruntime runs, against what the graph says by ONNX's own words."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from dspref import Chain, Conv, Linear, Nearest, NotAnalysable, Pointwise, SubpixelConv, TransposedConv
from dspref.interpolate import Interpolate
from torchparity import build, check
from torchparity.onnx_file import OnnxFile, OnnxRefused
from torchparity.onnx_laws import described
from torchparity.roundoff import doubled, roundoff
from torchparity.subjects import subject

pytestmark = [
    # Torch's exporters, and the copies that they make of their own trees.
    pytest.mark.filterwarnings("ignore:You are using the legacy TorchScript-based ONNX export:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The feature will be removed:DeprecationWarning"),
    pytest.mark.filterwarnings(r"ignore:`isinstance\(treespec, LeafSpec\)` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Constant folding - Only steps=1 can be constant folded:UserWarning"),
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning"),
]

RNG = np.random.default_rng(0)
DYNAMIC = torch.export.Dim.DYNAMIC


def f32(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype("float32")


def export(module: nn.Module, channels: int, *, dynamo: bool, fixed: bool = False) -> Any:
    """Return the ONNX model that one of Torch's two exporters makes."""
    x, file = torch.zeros(2, channels, 11), cast("Any", io.BytesIO())
    if dynamo:
        free = None if fixed else ({0: DYNAMIC, 2: DYNAMIC},)
        program = torch.onnx.export(module.eval(), (x,), dynamo=True, verbose=False, dynamic_shapes=free)
        assert program is not None
        return program.model_proto
    axes = {} if fixed else {"x": {0: "n", 2: "t"}, "y": {0: "n", 2: "u"}}
    torch.onnx.export(
        module.eval(),
        (x,),
        file,
        dynamo=False,
        dynamic_axes=axes,
        input_names=["x"],
        output_names=["y"],
    )
    return onnx.load_from_string(file.getvalue())


LAYERS: dict[str, Any] = {
    "convt k16 s8 p4": TransposedConv(f32(3, 2, 16), stride=8, padding=4, bias=f32(2)),
    "convt, output_padding": TransposedConv(f32(2, 2, 5), stride=3, padding=1, output_padding=2, bias=f32(2)),
    "convt, dilated": TransposedConv(f32(2, 2, 3), stride=2, dilation=3, output_padding=1),
    "convt, groups": TransposedConv(f32(4, 3, 4), stride=2, groups=2, bias=f32(6)),
    "conv": Conv(f32(4, 1, 3), stride=2, padding=2, dilation=2, groups=2, bias=f32(4)),
    "conv, same": Conv(f32(3, 2, 4), padding="same"),
    "conv, reflect": Conv(f32(3, 2, 4), padding=2, padding_mode="reflect", bias=f32(3)),
    "nearest": Nearest(3),
    "linear": Linear(3),
    "linear, corners": Linear(2, align_corners=True),
    "sub-pixel": SubpixelConv(f32(6, 2, 3), 3, padding=1, bias=f32(6)),
    "stack": Chain([Conv(f32(4, 2, 3), padding=1), Pointwise("leaky", (0.25,)), Nearest(2), Pointwise("relu")]),
}
UNREAD = {("linear", True), ("linear, corners", True)}
"""Exported as arithmetic on positions, which has no law."""


@pytest.mark.parametrize("dynamo", [True, False], ids=["dynamo", "legacy"])
@pytest.mark.parametrize("name", LAYERS)
def test_what_torch_exports_says_what_it_was_and_runs_as_it(
    name: str, dynamo: bool, show: Callable[[str], None]
) -> None:
    layer = LAYERS[name]
    channels = (layer.stages[0] if isinstance(layer, Chain) else layer).in_channels or 2
    found = subject(export(build(layer), channels, dynamo=dynamo))
    if (name, dynamo) in UNREAD:
        assert found.layer is None
        assert "say what it should be with like=" in found.unknown
    else:
        assert found.layer == layer
        assert found.module is not None
    verdict = check(found.run, layer, gradients=False)
    show(f"onnxruntime, {'dynamo' if dynamo else 'legacy'} export of {name}: {verdict.headline}")
    assert verdict.ok, str(verdict)
    for time in (8, 23, 100):
        x = np.random.default_rng(time).standard_normal((3, channels, time)).astype("float32")
        y, expected = found.run(torch.from_numpy(x)).numpy(), doubled(layer)(x.astype(float))
        assert (y.dtype, y.shape) == (np.float32, expected.shape)
        error, E = np.abs(y - expected), roundoff(layer, x, "float32")
        assert (error <= E).all()


def one(op: str, shape: Sequence[Any] = ("n", 2, "t"), dtype: int = TensorProto.FLOAT, **given: Any) -> Any:
    """Return a model of one operator; upper-case names are inputs, in their order, the others attributes."""
    inputs = {k: v for k, v in given.items() if k.isupper()}
    stored = [numpy_helper.from_array(a, k) for k, a in inputs.items() if a is not None]
    names = ["x", *(k if a is not None else "" for k, a in inputs.items())]
    node = helper.make_node(op, names, ["y"], **{k: v for k, v in given.items() if not k.isupper()})
    return model([node], stored, shape, dtype)


def model(nodes: Sequence[Any], stored: Sequence[Any], shape: Sequence[Any] = ("n", 2, "t"), dtype: int = 1) -> Any:
    x, y = helper.make_tensor_value_info("x", dtype, list(shape)), helper.make_tensor_value_info("y", dtype, None)
    graph = helper.make_graph(list(nodes), "g", [x], [y], list(stored))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def whole(*shape: int) -> Any:
    return RNG.integers(-8, 9, shape).astype("float32")


def scales(s: float) -> Any:
    return np.array([1, 1, s], "float32")


CONVT = {"W": whole(2, 1, 4)}


def resize(scale: float, grid: str = "half_pixel", rounding: str = "round_prefer_floor", **given: Any) -> Any:
    modes: dict[str, Any] = {"coordinate_transformation_mode": grid, "nearest_mode": rounding}
    return one("Resize", ROI=None, S=scales(scale), **modes, **given)


FLOOR: dict[str, Any] = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
SEMANTICS: dict[str, Any] = {
    "convt, more on the right": one("ConvTranspose", **CONVT, strides=[2], pads=[1, 2]),
    "convt, more on the left": one("ConvTranspose", **CONVT, B=whole(1), strides=[3], pads=[2, 0], output_padding=[1]),
    "convt, much more on the left": one("ConvTranspose", **CONVT, B=whole(1), strides=[2], pads=[3, 0]),
    "convt, much more on the right": one("ConvTranspose", **CONVT, strides=[2], pads=[0, 4], dilations=[3]),
    "convt, dilated, much more on the left": one("ConvTranspose", **CONVT, B=whole(1), dilations=[2], pads=[5, 0]),
    "convt, same upper": one("ConvTranspose", W=whole(2, 1, 5), auto_pad="SAME_UPPER", strides=[2]),
    "convt, same lower": one("ConvTranspose", W=whole(2, 1, 5), auto_pad="SAME_LOWER", strides=[2]),
    "convt, valid": one("ConvTranspose", **CONVT, auto_pad="VALID", strides=[3]),
    "convt, groups": one("ConvTranspose", W=whole(2, 2, 3), B=whole(4), group=2, dilations=[2], strides=[5]),
    "conv, more on the right": one("Conv", W=whole(3, 2, 3), pads=[0, 3], B=whole(3)),
    "conv, more on the left": one("Conv", W=whole(3, 2, 3), pads=[5, 0], strides=[2]),
    "conv, pads between taps": one("Conv", W=whole(3, 2, 3), pads=[2, 1], dilations=[2]),
    "conv, same lower": one("Conv", W=whole(3, 2, 4), auto_pad="SAME_LOWER"),
    "conv, same upper": one("Conv", W=whole(3, 2, 4), auto_pad="SAME_UPPER"),
    "nearest, floor": resize(4, "asymmetric", "floor"),
    "nearest, half pixel": resize(3),
    "nearest, half pixel, 3/2": resize(1.5, rounding="round_prefer_ceil"),
    "nearest, down": resize(0.5, "asymmetric", "floor"),
    "linear x4": resize(4, mode="linear"),
    "linear x4, as Torch": resize(4, "pytorch_half_pixel", mode="linear"),
    "to a size": one("Resize", ("n", 2, 8), ROI=None, S=None, Z=np.array([2, 2, 12]), **FLOOR),
}


def empty_or_refused(file: OnnxFile, x: Any) -> bool:
    try:
        return file(torch.from_numpy(x)).shape[-1] == 0
    except OnnxRefused as error:
        return "refused by onnxruntime" in str(error)


@pytest.mark.parametrize("name", SEMANTICS)
def test_onnxs_own_rules_are_those_of_onnxruntime(name: str) -> None:
    """Whole numbers, and weights of interpolation that are short binary fractions: equal bit for bit."""
    file = OnnxFile(SEMANTICS[name])
    layer = described(file.model)
    for time in (8,) if "time" in file.sizes else (1, 2, 3, 8, 13):
        x = np.random.default_rng(time).integers(-8, 9, (2, 2, time)).astype("float32")
        try:
            expected = layer(x)
        except ValueError:
            assert empty_or_refused(file, x)
            continue
        assert np.array_equal(file(torch.from_numpy(x)).numpy(), expected), (layer, time)


def test_resizing_modes_have_their_layers() -> None:
    assert described(SEMANTICS["nearest, floor"]) == Nearest(4)
    assert described(SEMANTICS["nearest, half pixel"]) == Nearest(3)
    assert described(SEMANTICS["nearest, half pixel, 3/2"]) == Interpolate("nearest-exact", scale_factor=Fraction(3, 2))
    assert described(SEMANTICS["to a size"]) == Interpolate("nearest", size=12)


def test_cubic_interpolation_in_one_dimension_is_refused_by_onnxruntime() -> None:
    with pytest.raises(OnnxRefused, match=r"refused by onnxruntime: .* in the Resize operator"):
        subject(resize(2, mode="cubic"))


def shuffle(perm: Sequence[int], middle: Sequence[int], channels: int = 6) -> Any:
    """Return Conv, then Reshape, Transpose, Reshape: to (batch, *middle), and back to two channels."""
    stored = {"W": whole(channels, 2, 3), "B": whole(channels), "M": np.array([0, *middle]), "E": np.array([0, 2, -1])}
    nodes = [
        helper.make_node("Conv", ["x", "W", "B"], ["a"], pads=[1, 1]),
        helper.make_node("Reshape", ["a", "M"], ["b"]),
        helper.make_node("Transpose", ["b"], ["c"], perm=list(perm)),
        helper.make_node("Reshape", ["c", "E"], ["y"]),
    ]
    return model(nodes, [numpy_helper.from_array(a, k) for k, a in stored.items()])


@pytest.mark.parametrize(
    ("perm", "middle"), [((0, 1, 3, 2), (2, 3, -1)), ((0, 2, 3, 1), (3, 2, -1))], ids=["CRD", "DCR"]
)
def test_shuffles_of_either_order_are_known(perm: Sequence[int], middle: Sequence[int]) -> None:
    file = OnnxFile(shuffle(perm, middle))
    layer = described(file.model)
    assert isinstance(layer, SubpixelConv)
    assert layer.factor == 3
    assert layer.order == ("crd" if middle[0] == 2 else "dcr")
    assert np.array_equal(layer.weight, file.weights["W"])
    x = whole(2, 2, 9)
    assert np.array_equal(file(torch.from_numpy(x)).numpy(), layer(x))


def test_the_other_order_is_not_what_was_promised() -> None:
    right, wrong = shuffle((0, 1, 3, 2), (2, 3, -1)), shuffle((0, 2, 3, 1), (3, 2, -1))
    like = "shuffle x3 k3 p1"
    assert check(right, like=like).ok
    verdict = check(wrong, like=like)
    assert verdict.status == "wrong"
    assert "DCR (phase first) found" in verdict.reason


@pytest.mark.parametrize("make", [lambda: shuffle((0, 1, 2, 3), (2, 3, -1)), lambda: shuffle((0, 3, 1, 2), (2, 3, -1))])
def test_reshapes_that_are_no_shuffle_are_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(NotAnalysable, match="shuffle: got Reshape Transpose Reshape; allowed: an interleaving"):
        described(make())


def padded(pads: Sequence[int], channels: int, **given: Any) -> Any:
    nodes = [helper.make_node("Pad", ["x", "P"], ["a"], **given), helper.make_node("Conv", ["a", "W"], ["y"])]
    return model(
        nodes, [numpy_helper.from_array(np.array(pads), "P"), numpy_helper.from_array(whole(2, channels, 3), "W")]
    )


def as_long_as_its_input() -> Any:
    """Return Resize to a size that is computed from the input's shape."""
    nodes = [helper.make_node("Shape", ["x"], ["z"]), helper.make_node("Resize", ["x", "", "", "z"], ["y"])]
    return model(nodes, [])


UNKNOWN: dict[str, tuple[Any, str]] = {
    "operator": (one("Softmax"), "ONNX operator: got Softmax"),
    "output_shape": (one("ConvTranspose", **CONVT, strides=[2], output_shape=[9]), "got output_shape"),
    "same, pads below 0": (one("ConvTranspose", **CONVT, strides=[5], auto_pad="SAME_UPPER"), "pads below 0"),
    "same, strided": (one("Conv", W=whole(2, 2, 3), strides=[2], auto_pad="SAME_UPPER"), "SAME_UPPER with stride 2"),
    "linear, asymmetric": (resize(2, "asymmetric", mode="linear"), "got linear with asymmetric"),
    "nearest, rounded": (resize(2, "asymmetric"), "asymmetric and round_prefer_floor"),
    "nearest, halves down": (resize(1.5), "half_pixel and round_prefer_floor"),
    "antialias": (resize(0.5, mode="linear", antialias=1), "antialias"),
    "channels scaled": (
        one("Resize", ROI=None, S=np.array([1, 2, 2], "float32"), mode="linear"),
        "a constant scale along time",
    ),
    "a size that moves": (as_long_as_its_input(), "an input that changes with the signal"),
    "pads of channels": (padded([0, 1, 0, 0, 0, 0], 3), "along time"),
    "unequal reflections": (padded([0, 0, 1, 0, 0, 2], 2, mode="reflect"), "unequal pads of reflect"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_has_no_law_is_refused_in_words(name: str) -> None:
    given, words = UNKNOWN[name]
    with pytest.raises(NotAnalysable, match=words):
        described(given)
    found = subject(given)
    assert (found.layer, found.module) == (None, None)
    assert words in found.unknown


@pytest.mark.parametrize("op", ["ConvTranspose", "Conv", "Resize"])
@pytest.mark.parametrize("dtype", [TensorProto.DOUBLE, TensorProto.BFLOAT16], ids=["float64", "bfloat16"])
def test_what_onnxruntime_does_not_compute_is_refused_in_its_words(
    op: str, dtype: int, show: Callable[[str], None]
) -> None:
    w = {"W": numpy_helper.to_array(helper.make_tensor("W", dtype, (2, 2, 3), np.ones(12)))}
    given = one(op, dtype=dtype, **({"ROI": None, "S": scales(2)} if op == "Resize" else w))
    with pytest.raises(OnnxRefused, match=r"refused by onnxruntime: \[ONNXRuntimeError\]") as refusal:
        OnnxFile(given)
    show(f"onnxruntime, {op} in {TensorProto.DataType.Name(dtype).lower()}: {str(refusal.value)[:110]}")


def test_float16_runs_and_other_dtypes_of_input_are_refused() -> None:
    file = OnnxFile(one("Conv", dtype=TensorProto.FLOAT16, W=np.ones((1, 2, 3), "float16")))
    assert file(torch.ones(1, 2, 4, dtype=torch.float16)).dtype == torch.float16
    with pytest.raises(OnnxRefused, match="input of ONNX model: got float32; allowed: float16"):
        file(torch.ones(1, 2, 4))


@pytest.mark.parametrize("dynamo", [True, False], ids=["dynamo", "legacy"])
def test_axes_held_fast_are_said_and_others_refused(dynamo: bool) -> None:
    layer = LAYERS["convt, groups"]
    found = subject(export(build(layer), 4, dynamo=dynamo, fixed=True))
    assert found.remarks == ("exported for batch 2, time 11 alone: dynamic_shapes= lets it take others",)
    assert (found.layer, found.trains) == (layer, False)
    assert found.held == {"batch": 2, "channels": 4, "time": 11}
    assert found.run(torch.ones(2, 4, 11)).shape == (2, 6, 24)
    for shape, words in {
        (2, 4, 12): "time of ONNX model: got 12; allowed: 11 alone",
        (1, 4, 11): "batch of ONNX",
    }.items():
        with pytest.raises(OnnxRefused, match=words):
            found.run(torch.ones(shape))


LEGAL: dict[str, tuple[Any, Any, str]] = {
    "output_padding of the stride, below the dilation": (
        one("ConvTranspose", **CONVT, strides=[2], output_padding=[2], dilations=[3]),
        TransposedConv(CONVT["W"], stride=2, output_padding=2, dilation=3),
        r"output_padding \(2\) may be too large for stride \(2\)",
    ),
    "same, dilated": (
        one("Conv", W=np.ones((2, 2, 3), "float32"), auto_pad="SAME_UPPER", dilations=[3]),
        Conv(np.ones((2, 2, 3), "float32"), padding=3, dilation=3),
        "Dilation not supported for AutoPadType::SAME_UPPER",
    ),
}


@pytest.mark.parametrize("name", LEGAL)
def test_what_is_legal_and_refused_by_onnxruntime(name: str, show: Callable[[str], None]) -> None:
    given, layer, words = LEGAL[name]
    found = subject(given)
    assert found.layer == layer
    assert layer(np.ones((1, 2, 5))).shape[-1] > 0
    with pytest.raises(OnnxRefused, match=words) as refusal:
        found.run(torch.ones(1, 2, 5))
    show(f"onnxruntime, {name}: {refusal.value}"[:160])


def test_weights_are_the_initialisers() -> None:
    found = subject(SEMANTICS["conv, more on the right"])
    assert {name: a.shape for name, a in found.weights.items()} == {"W": (3, 2, 3), "B": (3,)}


def test_files_are_found_by_their_path(tmp_path: Path) -> None:
    path = tmp_path / "up.onnx"
    onnx.save(SEMANTICS["linear x4"], path)
    for given in (path, str(path)):
        found = subject(given)
        assert (found.words, found.layer) == ("ONNX file up.onnx", Linear(4))
        assert found.run(torch.ones(1, 2, 3)).shape == (1, 2, 12)
    path.with_name("bad.onnx").write_bytes(b"nonsense")
    words = {
        path.with_name("upp.onnx"): "allowed: a file that is there. Hint: did you mean 'up.onnx'",
        path.with_name("bad.onnx"): "ONNX file bad.onnx: got refused by onnxruntime: .*INVALID_PROTOBUF",
        path.with_suffix(".pt"): r"a path that ends in \.onnx",
    }
    for wrong, pattern in words.items():
        with pytest.raises(OnnxRefused, match=pattern):
            subject(wrong)


def test_a_dtype_other_than_that_of_the_file_is_refused_before_it_is_called(tmp_path: Path) -> None:
    path = tmp_path / "up.onnx"
    onnx.save(SEMANTICS["linear x4"], path)
    with pytest.raises(ValueError, match=r"dtype: got float16; allowed: float32, in which ONNX file up.onnx computes"):
        check(path, "linear x4", dtype="float16")
    assert check(path, "linear x4", dtype="float32").ok


def test_a_file_is_checked_against_what_it_says_and_against_what_is_promised(tmp_path: Path) -> None:
    path = str(tmp_path / "up.onnx")
    onnx.save(SEMANTICS["linear x4"], path)
    verdict = check(path, gradients=False)
    assert (verdict.status, verdict.description) == ("within bound", "linear x4, as described")
    wrong = check(path, like="nearest x4", gradients=False)
    assert wrong.status == "wrong", str(wrong)


def test_models_must_have_one_signal_in_and_one_out() -> None:
    two = model([helper.make_node("Add", ["x", "z"], ["y"])], [])
    two.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 2, "t"]))
    with pytest.raises(OnnxRefused, match="got 2 inputs and 1 outputs; allowed: one of each"):
        OnnxFile(two)
    with pytest.raises(OnnxRefused, match=r"allowed: \(batch, channel, time\)"):
        OnnxFile(one("Relu", ("n", 2)))


def test_errors_while_running_are_told() -> None:
    with pytest.raises(OnnxRefused, match=r"refused by onnxruntime: \[ONNXRuntimeError\]"):
        OnnxFile(one("Conv", ("n", "c", "t"), W=whole(2, 2, 3)))(torch.ones(1, 3, 8))
