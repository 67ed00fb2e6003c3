"""Everything that can be checked: one way to run it, its weights, and what it says of itself."""

from __future__ import annotations

import copy
import functools
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from dspref.arrays import Array, NotAnalysable, complaint
from torchparity.build import build
from torchparity.calls import Run
from torchparity.describe import Description, evaluated
from torchparity.graphs import of_exported, of_scripted, of_traced
from torchparity.onnx_file import AXES, said


@dataclass(frozen=True)
class Subject:
    """Something to check.

    Attributes
    ----------
    run : function of a tensor (batch, channel, time)
        A module of Torch itself; of anything else a private copy, so that what was given is left as it is.
    words : str
        What it is: "compiled ConvTranspose1d", "function up", "ONNX file up.onnx".
    weights : dict of str to array
        Its parameters, buffers or initialisers by name (bfloat16 as float32).
    module : nn.Module or None
        A module that `torchparity.describe` may understand: the one that was compiled or scripted, or one
        made from `layer`. It is there to be described, not to be run.
    layer : Layer, Chain or None
        What its own graph says it is (exported, traced, ONNX).
    unknown : str
        Why there is neither.
    held : dict of str to int
        Sizes of the input that are held fast, of batch, channels and time: it was exported for them alone.
    trains : bool
        Whether gradients flow through it.
    remarks : tuple of str
        What else must be known.
    """

    run: Run
    words: str
    weights: Mapping[str, Array]
    _: KW_ONLY
    module: nn.Module | None = None
    layer: Description | None = None
    unknown: str = ""
    held: Mapping[str, int] = field(default_factory=dict)
    trains: bool = True
    remarks: tuple[str, ...] = ()


def subject(f: object, *, dtype: str | None = None) -> Subject:
    """Return how to run `f`, with its weights and what it says of itself.

    Parameters
    ----------
    f : nn.Module, function, functools.partial, object with ``__call__``, compiled module or function,
        torch.export.ExportedProgram, ScriptModule, path to an .onnx file, or onnx.ModelProto
    dtype : str, optional
        To which the private copy of a compiled, exported or scripted module is converted. A plain module is
        left to the caller, functions and ONNX files work in the dtype that they have.

    Returns
    -------
    Subject

    Raises
    ------
    TypeError
        If `f` can't be called.
    ValueError
        If an ONNX file can't be loaded (`torchparity.onnx_file.OnnxRefused`).

    Examples
    --------
    >>> up = torch.compile(nn.Upsample(scale_factor=2), backend="eager")
    >>> subject(up).words, subject(up).module
    ('compiled Upsample', Upsample(scale_factor=2.0, mode='nearest'))
    >>> subject(functools.partial(torch.mul, other=torch.ones(1))).weights
    {'other': array([1.], dtype=float32)}
    """
    if isinstance(f, (str, Path)) or _is(f, "onnx", "ModelProto") or _is(f, "torchparity.onnx_file", "OnnxFile"):
        return _onnx(f)
    for home, name, how in _KINDS:
        if _is(f, home, name):
            return how(f, dtype)
    if not callable(f):
        allowed = "a module, a function, or the path of an .onnx file"
        raise TypeError(complaint("what to check", type(f).__name__, allowed, "hand over what takes the signal"))
    return _function(f)


def _is(f: object, home: str, name: str) -> bool:
    """Return whether `f` is of a class; a class whose module nobody loaded has no objects."""
    kind = getattr(sys.modules.get(home), name, None)
    return kind is not None and isinstance(f, kind)


def _twin(module: nn.Module, dtype: str | None) -> nn.Module:
    """Return a private copy in evaluation mode, in a dtype."""
    with torch.no_grad(), warnings.catch_warnings():  # else copied weights of scripts are no leaves
        warnings.simplefilter("ignore", FutureWarning)  # Torch's own remarks on copying its own trees
        twin = copy.deepcopy(module)
    for part in twin.modules():
        part.training = False  # an exported module has no eval()
    return twin if dtype is None else twin.to(getattr(torch, dtype))


def _compiled(f: Any, dtype: str | None) -> Subject:
    inner = f._orig_mod
    return Subject(_twin(f, dtype).__call__, f"compiled {type(inner).__name__}", _weights(inner), module=inner)


def _exported(f: Any, dtype: str | None) -> Subject:
    module, held = f.module(), _held(f)
    told = _told(lambda: of_exported(f))
    run, weights = _twin(module, dtype).__call__, _weights(module)
    return Subject(run, "exported program", weights, held=held, remarks=said(held), **told)


def _held(program: Any) -> dict[str, int]:
    """Return the sizes of its input that an exported program holds fast."""
    names = set(program.graph_signature.user_inputs)
    inputs = [node for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
    shape = inputs[0].meta["val"].shape if len(inputs) == 1 else ()
    return {axis: size for axis, size in zip(AXES, shape, strict=False) if isinstance(size, int)}


def _scripted(f: Any, dtype: str | None) -> Subject:
    how = "traced" if _is(f, "torch.jit", "TracedModule") or _is(f, "torch.jit", "TopLevelTracedModule") else "scripted"
    words = f"{how} {f.original_name}"
    run, weights = _twin(f, dtype).__call__, _weights(f)
    try:
        return Subject(run, words, weights, module=of_scripted(f))
    except NotAnalysable as unnamed:
        told = _told(lambda: of_traced(f), f"{unnamed}; ")
        return Subject(run, words, weights, **told)


def _told(read: Callable[[], Description], before: str = "") -> dict[str, Any]:
    """Return the fields for what a graph says, or why it says nothing."""
    try:
        layer = read()
        return {"layer": layer, "module": build(layer)}
    except (NotAnalysable, NotImplementedError) as error:
        return {"unknown": f"{before}{error}"}


def _module(f: nn.Module, dtype: str | None) -> Subject:
    if f._compiled_call_impl is not None:
        remark = "compiled in place: run as it is, since its copy would not be compiled"
        words = f"compiled {type(f).__name__}"
        return Subject(lambda x: f(x), words, _weights(f), module=f, remarks=(remark,))
    return Subject(f, type(f).__name__, _weights(f), module=f)


def _onnx(f: Any) -> Subject:
    from torchparity.onnx_file import OnnxFile
    from torchparity.onnx_laws import described

    file = f if isinstance(f, OnnxFile) else OnnxFile(f)
    told = _told(lambda: described(file.model))
    return Subject(file, file.words, file.weights, held=file.sizes, trains=False, remarks=said(file.sizes), **told)


def _function(f: Callable[..., Any]) -> Subject:
    inner = getattr(f, "_torchdynamo_orig_callable", None)
    named = inner or (f.func if isinstance(f, functools.partial) else f)
    name = getattr(named, "__qualname__", type(named).__name__).rpartition(".")[2]
    words = f"{'compiled ' if inner else ''}function {name}"
    why = f"a {'compiled ' if inner else ''}function has no description"
    return Subject(f, words, dict(_captured(named, f)), unknown=why)


def _captured(*functions: Any) -> Iterator[tuple[str, Array]]:
    """Yield the tensors that a function carries: in its closure, bound arguments or attributes."""
    for f in functions:
        code = getattr(f, "__code__", None)
        names, around = getattr(code, "co_freevars", ()), getattr(f, "__globals__", {})
        cells = dict(zip(names, (_content(cell) for cell in getattr(f, "__closure__", None) or ()), strict=False))
        bound = {str(i): a for i, a in enumerate(getattr(f, "args", ()))} | dict(getattr(f, "keywords", {}))
        owner = getattr(f, "__self__", None)
        own = vars(owner) if hasattr(owner, "__dict__") else vars(f) if hasattr(f, "__dict__") else {}
        outside = {name: around[name] for name in getattr(code, "co_names", ()) if name in around}
        for name, thing in {**outside, **cells, **bound, **own, "self": owner}.items():
            if isinstance(thing, Tensor):
                yield name, _array(thing)
            elif isinstance(thing, nn.Module):
                yield from ((f"{name}.{key}", a) for key, a in _weights(thing).items())


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # a name that is not bound yet
        return None


def _weights(module: nn.Module) -> dict[str, Array]:
    """Return the parameters and buffers that are there, by name, and in place of parts of a weight what they make."""
    named = (*module.named_parameters(), *module.named_buffers())
    there = {n: _array(t) for n, t in named if not (t.is_meta or nn.parameter.is_lazy(t))}
    with torch.no_grad(), evaluated(module):
        for home, part in module.named_modules():
            for name, whole in _computed(part):
                key = f"{home}.{name}" if home else name
                where = f"{home}.parametrizations.{name}." if home else f"parametrizations.{name}."
                parts = {f"{key}{end}" for end in _PARTS}
                there = {n: a for n, a in there.items() if n not in parts and not n.startswith(where)}
                there[key] = _array(whole)
    return there


_PARTS = ("_g", "_v", "_orig", "_u", "_mask")
"""What the names of tensors end in from which Torch's hooks make a weight."""


def _computed(part: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield the weights that are computed from other tensors, by name: by parametrisations, or hooks of old."""
    for name in getattr(part, "parametrizations", {}):
        yield name, getattr(part, name)
    for hook in part._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm):
            yield hook.name, hook.compute_weight(part)
        elif isinstance(hook, SpectralNorm):
            yield hook.name, hook.compute_weight(part, do_power_iteration=False)
        elif isinstance(hook, BasePruningMethod):
            yield hook._tensor_name, hook.apply_mask(part)  # type: ignore[no-untyped-call]


def _array(tensor: Tensor) -> Array:
    plain = tensor.detach().cpu()
    return (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy().copy()


_KINDS: tuple[tuple[str, str, Callable[[Any, str | None], Subject]], ...] = (
    ("torch._dynamo.eval_frame", "OptimizedModule", _compiled),
    ("torch.export.exported_program", "ExportedProgram", _exported),
    ("torch.jit", "ScriptModule", _scripted),
    ("torch.nn", "Module", _module),
)
"""Where a class lives, its name, and who reads its objects; the first that fits."""
