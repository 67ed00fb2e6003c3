"""The line of operators in an ONNX graph, from its input to its output, and what each of them is given."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dspref.arrays import Array, NotAnalysable, complaint
from torchparity.onnx_file import OnnxFile, answers, session

HINT = "say what it should be with like="

_TIMES = (64, 77)
"""Input lengths, less the kernels' extents, at which what a graph computes from its input's shape is read."""


@dataclass(frozen=True)
class Node:
    """An operator on the signal's way: its name, attributes, and other inputs, read for each of some inputs."""

    op: str
    attributes: Mapping[str, Any]
    inputs: tuple[tuple[Array, ...] | None, ...]

    def array(self, place: int) -> Array | None:
        """Return another input that is the same for every signal; None if it is not there."""
        found = self.inputs[place] if place < len(self.inputs) else None
        if found is None or found[0].size == 0:
            return None
        if any(not np.array_equal(a, found[0]) for a in found):
            raise NotAnalysable(complaint(self.op, "an input that changes with the signal", "a constant", HINT))
        return found[0]

    def get(self, name: str, default: Any) -> Any:
        """Return an attribute; the one number of a list of one."""
        value = self.attributes.get(name, default)
        if isinstance(value, bytes):
            return value.decode()
        return value[0] if isinstance(value, list) and len(value) == 1 else value


def signals_for(model: Any) -> tuple[Array, ...]:
    """Return inputs of two shapes, or of one where the model holds it fast, that every kernel fits in."""
    file = OnnxFile(model)
    reach = sum(tensor.dims[-1] * 8 for tensor in model.graph.initializer if len(tensor.dims) == 3)
    channels = file.sizes.get("channels", 1)
    made = (((file.sizes.get("batch", 2)), channels, file.sizes.get("time", time + reach)) for time in _TIMES)
    return tuple(np.zeros(shape, file.dtype) for shape in dict.fromkeys(made))


def read_line(model: Any, signals: Sequence[Array]) -> Iterator[Node]:
    """Yield the operators from the input to the output, each of which takes the signal as its first input."""
    from onnx import helper

    graph = model.graph
    stored = {tensor.name for tensor in graph.initializer}
    (start,) = (value.name for value in graph.input if value.name not in stored)
    by_output = {name: node for node in graph.node for name in node.output}
    name, line = graph.output[0].name, []
    while name != start:
        if name not in by_output or not by_output[name].input:
            raise NotAnalysable(complaint("ONNX graph", f"{name}, made of no signal", "one line of operators", HINT))
        line.append(by_output[name])
        name = line[-1].input[0]
    wanted = list(dict.fromkeys(name for node in line for name in node.input[1:] if name))
    values = _values(model, wanted, signals)
    for node in reversed(line):
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        yield Node(node.op_type, attributes, (None, *(values[n] if n else None for n in node.input[1:])))


def _values(model: Any, names: Sequence[str], signals: Sequence[Array]) -> dict[str, tuple[Array, ...]]:
    """Return what tensors of a graph are for each signal: stored ones as they are, others as computed."""
    import onnx

    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    values = {name: (stored[name],) * len(signals) for name in names if name in stored}
    rest = [name for name in names if name not in stored]
    if rest:
        told = copy.deepcopy(model)
        del told.graph.output[:]
        told.graph.output.extend(onnx.ValueInfoProto(name=name) for name in rest)
        made = session(told)
        values |= dict(zip(rest, zip(*(answers(made, x) for x in signals), strict=True), strict=True))
    return values


def moved(y: Array, tail: Sequence[Node], place: int) -> Array:
    """Return what reshaping and transposing operators make of an array, for one of the signals."""
    for node in tail:
        other = node.inputs[1][place] if len(node.inputs) > 1 and node.inputs[1] is not None else None
        if node.op == "Reshape" and other is not None:
            zero = not node.get("allowzero", 0)
            y = y.reshape([y.shape[i] if n == 0 and zero else int(n) for i, n in enumerate(other)])
        elif node.op == "Transpose":
            y = y.transpose(node.attributes.get("perm"))
        else:
            axes = None if other is None else tuple(int(n) for n in other)
            y = np.squeeze(y, axes) if node.op == "Squeeze" else np.expand_dims(y, axes or ())
    return y
