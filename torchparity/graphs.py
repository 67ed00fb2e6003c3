"""What a graph of Torch operators says of itself: exported programs, traced and scripted modules.

A program of one line, from one input to one output, is read operator by operator as layers of `dspref`. A
scripted module of ``torch.nn`` keeps its type's name and its attributes, and is made again from them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dspref.arrays import Array, NotAnalysable, complaint
from dspref.chain import Chain, Pointwise, Stage
from dspref.interpolators import Linear, Nearest
from dspref.layers import Conv, TransposedConv

_HINT = "say what it should be with like="


def _one(sizes: Any) -> Any:
    """Return the one number of a list of one, or a word as it is."""
    return sizes[0] if isinstance(sizes, (list, tuple)) and sizes else 0 if sizes == [] else sizes


def _array(tensor: Tensor | None) -> Array | None:
    return None if tensor is None else tensor.detach().cpu().numpy().copy()


def _conv(w: Tensor, b: Tensor | None = None, s: Any = 1, p: Any = 0, d: Any = 1, groups: int = 1) -> Conv:
    return Conv(_array(w), bias=_array(b), stride=_one(s), padding=_one(p), dilation=_one(d), groups=groups)  # type: ignore[arg-type]


def _convt(
    w: Tensor, b: Tensor | None = None, s: Any = 1, p: Any = 0, more: Any = 0, groups: int = 1, d: Any = 1
) -> TransposedConv:
    given = {"stride": s, "padding": p, "output_padding": more, "dilation": d}
    return TransposedConv(_array(w), bias=_array(b), groups=groups, **{k: _one(v) for k, v in given.items()})  # type: ignore[arg-type]


def _either(
    w: Tensor, b: Tensor | None, s: Any, p: Any, d: Any, transposed: bool, more: Any, groups: int, *_: Any
) -> Stage:
    return _convt(w, b, s, p, more, groups, d) if transposed else _conv(w, b, s, p, d, groups)


def _factor(size: Any, scale: Any) -> int:
    """Return the integer by which an interpolation is told to scale."""
    scale = _one(scale)
    if size is not None or scale is None or scale != int(scale):
        got = f"size {size}, scale_factor {scale}"
        raise NotAnalysable(complaint("interpolation", got, "an integer scale_factor alone", _HINT))
    return int(scale)


_LAWS: dict[str, Callable[..., Stage]] = {
    "conv1d": _conv,
    "_convolution_mode": _conv,
    "conv_transpose1d": _convt,
    "_convolution": _either,
    "upsample_nearest1d": lambda size, scale: Nearest(_factor(size, scale)),
    "upsample_linear1d": lambda size, corners, scale: Linear(_factor(size, scale), align_corners=corners),
    "relu": lambda: Pointwise("relu"),
    "leaky_relu": lambda slope=0.01: Pointwise("leaky", (slope,)),
    "tanh": lambda: Pointwise("tanh"),
    "sigmoid": lambda: Pointwise("sigmoid"),
    "silu": lambda: Pointwise("silu"),
}
"""What an operator of ATen is, from its arguments behind the signal."""


def _stage(name: str, arguments: Sequence[Any], options: Mapping[str, Any]) -> Stage:
    """Return the layer that an operator is."""
    short = re.sub(r"^aten(::|\.)|\..*", "", name.removesuffix("_"))
    if short not in _LAWS:
        raise NotAnalysable(complaint("operator", name, ", ".join(_LAWS), _HINT))
    try:
        return _LAWS[short](*arguments, **options)
    except (TypeError, ValueError, KeyError) as error:
        raise NotAnalysable(f"operator {name}: {error}") from error


def _told(stages: Sequence[Stage]) -> Stage | Chain:
    return stages[0] if len(stages) == 1 else Chain(stages)


def of_exported(program: Any) -> Stage | Chain:
    """Return the layers that an exported program is, read from its graph.

    Raises
    ------
    NotAnalysable
        If an operator is unknown, or the graph is not one line.

    Examples
    --------
    >>> of_exported(torch.export.export(nn.Upsample(scale_factor=2), (torch.zeros(1, 1, 4),)))
    Nearest(factor=2)
    """
    signature = program.graph_signature
    stored = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    stored |= getattr(signature, "inputs_to_lifted_tensor_constants", {})
    tensors = {**program.constants, **program.state_dict}
    signal, stages = None, []
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name not in stored:
            if signal is not None:
                raise NotAnalysable(complaint("inputs of the program", "several", "one"))
            signal = node
        elif node.op == "call_function":
            first, *rest = node.args
            if first is not signal:
                raise NotAnalysable(complaint("program", f"{node.target} beside the signal", "one line of operators"))
            known = [tensors[_name(a, stored)] if isinstance(a, torch.fx.Node) else a for a in rest]
            stages.append(_stage(str(node.target), known, node.kwargs))
            signal = node
        elif node.op == "output" and node.args[0] != (signal,):
            raise NotAnalysable(complaint("result of the program", node.args[0], "the signal alone"))
    return _told(stages)


def _name(node: torch.fx.Node, stored: Mapping[str, str]) -> str:
    """Return the name of the weight that a node of an exported program stands for."""
    if node.name not in stored:
        raise NotAnalysable(complaint("argument", f"{node.name}, made of the signal", "a constant or a weight", _HINT))
    return stored[node.name]


def of_traced(module: torch.jit.ScriptModule) -> Stage | Chain:
    """Return the layers that a traced module is, read from its graph.

    Raises
    ------
    NotAnalysable
        If an operator is unknown, or the graph is not one line.
    """
    graph: Any = module.inlined_graph
    owner, *signals = graph.inputs()
    if len(signals) != 1:
        raise NotAnalysable(complaint("inputs of the module", len(signals), "one"))
    signal, stages = signals[0], []

    def known(value: Any) -> Any:
        node = value.node()
        if value.debugName() == owner.debugName():
            return module
        if node.kind() == "prim::GetAttr":
            return getattr(known(node.input()), node.s("name"))
        if node.kind() == "prim::ListConstruct":
            return [known(part) for part in node.inputs()]
        if node.kind() == "prim::Constant":
            return value.toIValue()
        raise NotAnalysable(complaint("argument", node.kind(), "a constant or a weight", _HINT))

    for node in graph.nodes():
        if node.kind().startswith("prim::"):
            continue
        first, *rest = node.inputs()
        if first.debugName() != signal.debugName():
            raise NotAnalysable(complaint("graph", f"{node.kind()} beside the signal", "one line of operators", _HINT))
        stages.append(_stage(node.kind(), [known(value) for value in rest], {}))
        signal = node.output()
    if [value.debugName() for value in graph.outputs()] != [signal.debugName()]:
        raise NotAnalysable(complaint("result of the module", "another", "the signal alone"))
    return _told(stages)


def of_scripted(module: Any) -> nn.Module:
    """Return the module of ``torch.nn`` that was scripted, made again from its type's name and its attributes.

    It has the same weights, and is there to be described, not to be run.

    Raises
    ------
    NotAnalysable
        If the type is not of ``torch.nn``, or an attribute was not kept (tracing keeps none).
    """
    name = re.sub(r"\.___torch_mangle_\d+", "", module._c._type().qualified_name()).removeprefix("__torch__.")
    kind = getattr(nn, name.rpartition(".")[2], None)
    if kind is None or f"{kind.__module__}.{kind.__qualname__}" != name:
        raise NotAnalysable(complaint("scripted module", name, "a type of torch.nn", _HINT))
    lost = [key for key in getattr(kind, "__constants__", ()) if not hasattr(module, key)]
    if lost:
        raise NotAnalysable(complaint("scripted module", f"{name} without {lost[0]}", "its attributes", _HINT))
    made: nn.Module = kind.__new__(kind)
    nn.Module.__init__(made)
    for key in getattr(kind, "__constants__", ()):
        setattr(made, key, getattr(module, key))
    for key, parameter in module.named_parameters(recurse=False):
        made.register_parameter(key, nn.Parameter(parameter.detach(), requires_grad=False))
    for key in ("weight", "bias"):
        if getattr(module, key, made) is None:
            made.register_parameter(key, None)
    for key, child in module.named_children():
        made.add_module(key, of_scripted(child))
    return made.train(module.training)
