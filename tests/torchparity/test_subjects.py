"""Everything that can be checked runs as what it was made from, says what it is, and is left as it was."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dspref import Chain, Conv, Linear, Nearest, NotAnalysable, Pointwise, TransposedConv
from torchparity import build, describe
from torchparity.graphs import of_exported, of_scripted, of_traced
from torchparity.roundoff import doubled, roundoff
from torchparity.subjects import subject

pytestmark = [
    pytest.mark.filterwarnings(r"ignore:`torch\.jit\.\w+` is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning"),
]

RNG = np.random.default_rng(0)
DYNAMIC = torch.export.Dim.DYNAMIC


def f32(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype("float32")


LAYERS: dict[str, Any] = {
    "convt": TransposedConv(f32(4, 3, 5), stride=3, padding=1, output_padding=2, groups=2, bias=f32(6)),
    "convt, dilated, no bias": TransposedConv(f32(2, 2, 3), stride=2, dilation=3, output_padding=2),
    "conv": Conv(f32(4, 1, 3), stride=2, padding=2, dilation=2, groups=2, bias=f32(4)),
    "conv, same": Conv(f32(3, 2, 4), padding="same"),
    "nearest": Nearest(3),
    "linear": Linear(3),
    "linear, corners": Linear(2, align_corners=True),
    "stack": Chain([Conv(f32(4, 2, 3), padding=1), Pointwise("leaky", (0.2,)), Nearest(2), Pointwise("relu")]),
}


def channels(layer: Any) -> int:
    first = layer.stages[0] if isinstance(layer, Chain) else layer
    return first.in_channels or 2


def signal(layer: Any, time: int = 11) -> Tensor:
    return torch.from_numpy(np.random.default_rng(1).standard_normal((2, channels(layer), time)).astype("float32"))


def traced(module: nn.Module, x: Tensor) -> Any:
    return torch.jit.trace(module, x)  # type: ignore[no-untyped-call]


def exported(layer: Any, **options: Any) -> Any:
    return torch.export.export(build(layer).eval(), (signal(layer),), **options)


MADE: dict[str, Callable[[Any], Any]] = {
    "module": build,
    "compiled": lambda layer: torch.compile(build(layer), backend="eager"),
    "exported": lambda layer: exported(layer, dynamic_shapes=({0: DYNAMIC, 2: DYNAMIC},)),
    "scripted": lambda layer: torch.jit.script(build(layer)),
    "traced": lambda layer: traced(build(layer), signal(layer)),
}


@pytest.mark.parametrize("how", MADE)
@pytest.mark.parametrize("name", LAYERS)
def test_what_was_made_from_a_layer_says_so_and_runs_as_it(name: str, how: str) -> None:
    """The description is the layer, weights included, and each output lies within its rounding bound."""
    layer = LAYERS[name]
    found = subject(MADE[how](layer))
    assert found.words.startswith("" if how == "module" else how)
    assert (found.unknown, found.remarks, found.trains) == ("", (), True)
    assert set(found.held) == ({"channels"} if how == "exported" else set())
    assert found.module is not None
    assert describe(found.module) == layer
    assert found.layer in (None, layer)
    assert (found.layer is not None) == (how in ("exported", "traced"))
    x = signal(layer, 9)
    with torch.no_grad():
        y = found.run(x).numpy()
    expected = doubled(layer)(x.numpy().astype(float))
    assert y.shape == expected.shape
    assert (np.abs(y - expected) <= roundoff(layer, x.numpy(), "float32")).all()


@pytest.mark.parametrize("how", MADE)
def test_weights_have_names_and_values(how: str) -> None:
    layer = LAYERS["convt"]
    weights = subject(MADE[how](layer)).weights
    assert {name: a.shape for name, a in weights.items()} == {"weight": (4, 3, 5), "bias": (6,)}
    assert np.array_equal(weights["weight"], layer.weight)
    assert np.array_equal(weights["bias"], layer.bias)


@pytest.mark.parametrize("how", ["compiled", "exported", "scripted", "traced"])
def test_a_copy_in_another_dtype_leaves_the_original_as_it_is(how: str) -> None:
    layer = LAYERS["convt"]
    given = MADE[how](layer)
    before = copy.deepcopy(given.state_dict)() if how != "exported" else copy.deepcopy(given.state_dict)
    found = subject(given, dtype="float64")
    with torch.no_grad():
        y = found.run(signal(layer).double()).numpy()
    expected = doubled(layer)(signal(layer).numpy().astype(float))
    assert (np.abs(y - expected) <= roundoff(layer, signal(layer).numpy(), "float64")).all()
    after = given.state_dict if how == "exported" else given.state_dict()
    assert all(torch.equal(after[k], v) and after[k].dtype == v.dtype for k, v in before.items())


class Doubler(nn.Module):
    """Repeats, and counts in a buffer how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(1))
        self.count: torch.Tensor

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        return x.repeat_interleave(2, -1)


@pytest.mark.parametrize("wrap", [torch.jit.script, lambda m: torch.compile(m, backend="eager")])
def test_running_a_copy_counts_nothing_in_the_original(wrap: Callable[[nn.Module], Any]) -> None:
    given = wrap(Doubler())
    found = subject(given)
    assert found.run(torch.ones(1, 1, 3)).shape == (1, 1, 6)
    assert given.count.item() == 0


def test_an_unknown_scripted_module_says_why_it_has_no_description() -> None:
    found = subject(torch.jit.script(Doubler()))
    assert (found.module, found.layer, list(found.weights)) == (None, None, ["count"])
    assert "Doubler; allowed: a type of torch.nn" in found.unknown
    assert found.words == "scripted Doubler"


def test_scripted_modules_are_known_from_a_file_too(tmp_path: Path) -> None:
    layer = LAYERS["stack"]
    torch.jit.save(torch.jit.script(build(layer)), tmp_path / "up.pt")
    found = subject(torch.jit.load(tmp_path / "up.pt"))  # type: ignore[no-untyped-call]
    assert found.module is not None
    assert describe(found.module) == layer
    assert found.words == "scripted Sequential"


class Conv1d(nn.Conv1d):
    """A namesake of Torch's with all of its attributes, which does something else."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flip(-1)


@pytest.mark.parametrize("how", ["scripted", "traced"])
def test_a_namesake_is_not_taken_for_the_real_one(how: str) -> None:
    made: Any = torch.jit.script(Conv1d(1, 1, 1)) if how == "scripted" else traced(Conv1d(1, 1, 1), torch.ones(1, 1, 4))
    found = subject(made)
    assert found.module is None
    with pytest.raises(NotAnalysable, match=r"tests\.torchparity\.test_subjects\.Conv1d"):
        of_scripted(made)


class Skip(nn.Module):
    """No line of operators: the signal goes two ways."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x) + x


class Swapped(nn.Module):
    """Convolves its weight with the signal for a kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, 1, 9))

    def forward(self, x: Tensor) -> Tensor:
        return torch.conv1d(self.weight, x)


class Squared(nn.Module):
    """Convolves the signal with itself."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.conv1d(x, x)


class Pair(nn.Module):
    """Hands on more than the signal."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.relu(x), x


@pytest.mark.parametrize("module", [Skip(), Swapped(), Squared(), Pair()])
def test_graphs_that_are_no_line_are_refused(module: nn.Module) -> None:
    x = torch.ones(1, 1, 4)
    with pytest.raises(NotAnalysable, match="got"):
        of_traced(traced(module, x))
    with pytest.raises(NotAnalysable, match="got"):
        of_exported(torch.export.export(module, (x,)))


def test_an_operator_beside_the_line_is_refused() -> None:
    program = torch.export.export(nn.ReLU(), (torch.ones(1, 1, 4),))
    assert of_exported(program) == Pointwise("relu")
    signal, *_, last = program.graph.nodes
    with program.graph.inserting_before(last):
        program.graph.call_function(torch.ops.aten.tanh.default, (signal,))
    with pytest.raises(NotAnalysable, match=r"aten\.tanh\.default beside the signal; allowed: one line of operators"):
        of_exported(program)


def test_interpolation_to_a_size_has_no_factor() -> None:
    with pytest.raises(NotAnalysable, match="allowed: an integer scale_factor alone"):
        of_exported(torch.export.export(nn.Upsample(size=7), (torch.ones(1, 1, 4),)))
    with pytest.raises(NotAnalysable, match=r"scale_factor 1\.5"):
        of_exported(torch.export.export(nn.Upsample(scale_factor=1.5), (torch.ones(1, 1, 4),)))


def test_an_exported_program_says_which_lengths_it_takes() -> None:
    layer = LAYERS["convt"]
    found = subject(exported(layer))
    assert found.remarks == ("exported for batch 2, time 11 alone: dynamic_shapes= lets it take others",)
    assert found.held == {"batch": 2, "channels": 4, "time": 11}
    assert describe(found.module) == layer  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="Guard failed"):
        found.run(signal(layer, 10))


def test_compiled_for_the_machine() -> None:
    layer = LAYERS["convt"]
    found = subject(torch.compile(build(layer)))
    x = signal(layer)
    with torch.no_grad():
        y = found.run(x).numpy()
    assert (np.abs(y - doubled(layer)(x.numpy().astype(float))) <= roundoff(layer, x.numpy(), "float32")).all()


def test_a_module_compiled_in_place_runs_compiled() -> None:
    seen = []

    def backend(graph: Any, examples: Any) -> Any:
        seen.append(graph)
        return graph.forward

    module = Doubler()
    module.compile(backend=backend)
    found = subject(module)
    assert found.run(torch.ones(1, 1, 3)).shape == (1, 1, 6)
    assert len(seen) == 1
    assert "its copy would not be compiled" in found.remarks[0]


def test_functions_of_every_kind() -> None:
    layer, taps = LAYERS["convt"], torch.ones(2, 1, 3)
    module = build(layer)

    class Up:
        """An object that is called."""

        def __init__(self) -> None:
            self.taps, self.name = taps, "up"

        def __call__(self, x: Tensor) -> Tensor:
            return x

    later: Any

    def unbound(x: Tensor) -> Tensor:
        return x if later is None else taps

    expected = {
        "partial": (functools.partial(torch.conv1d, weight=taps), "function conv1d", {"weight"}),
        "closure": (lambda x: module(x), "function <lambda>", {"module.weight", "module.bias"}),
        "method": (module.forward, "function forward", {"self.weight", "self.bias"}),
        "object": (Up(), "function Up", {"taps"}),
        "compiled": (torch.compile(lambda x: x * taps, backend="eager"), "compiled function <lambda>", {"taps"}),
        "a name not bound yet": (unbound, "function unbound", {"taps"}),
    }
    for name, (f, words, weights) in expected.items():
        found = subject(f)
        assert (found.words, set(found.weights), found.module) == (words, weights, None), name
        assert "function has no description" in found.unknown
        assert found.run is f
    later = None


def test_weights_that_numpy_has_no_dtype_for_and_those_not_there() -> None:
    half = nn.Conv1d(1, 1, 2).bfloat16()
    assert subject(half).weights["weight"].dtype == np.float32
    assert subject(nn.Conv1d(1, 1, 2, device="meta")).weights == {}
    assert subject(nn.LazyConv1d(1, 2)).weights == {}


@pytest.mark.parametrize("thing", [None, 3, b"up.onnx", np.ones(3)])
def test_what_cannot_be_called_is_refused(thing: object) -> None:
    with pytest.raises(TypeError, match=r"what to check: got .*; allowed: a module, a function"):
        subject(thing)
