"""Calling what others wrote: on a copy, in a known dtype, and with words for whatever comes back."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from dspref.arrays import Array, NotAnalysable, complaint
from torchparity.arithmetic import Arithmetic, arithmetic, unit
from torchparity.devices import settings

Run: TypeAlias = Callable[[Any], Any]
"""An nn.Module, or any function from a tensor (batch, channel, time) to one."""

WIDE = ("float32", "float64")
"""The dtypes in which noise is measured, and black boxes are probed."""


class Refused(ValueError):
    """The function raised: the message is its error."""


class Misbehaved(ValueError):
    """The function returned, but not what a layer returns: the message says what."""


def private_copy(module: nn.Module, dtype: str | None = None, *, allowed: Sequence[str] = WIDE) -> nn.Module:
    """Return a copy to experiment with, in evaluation mode: the module itself is never touched.

    The copy lives on the CPU, wherever the module does. Torch's activations do not work in place in it, which
    changes no value. Weights computed by old-style weight norm are no leaves of the graph, which `copy.deepcopy`
    refuses: they are copied as plain tensors (the copy computes them anew when it is called).

    Parameters
    ----------
    module : nn.Module
    dtype : str, optional
        To which weights and buffers are converted.
    allowed : sequence of str
        The dtypes that weights may have.

    Raises
    ------
    NotAnalysable
        If the module cannot be copied, with the reason, or its weights are not there, or not real numbers
        of a dtype that is allowed.
    """
    check_weights(module, allowed)
    computed = {
        id(v): v.detach().clone()
        for part in module.modules()
        for v in vars(part).values()
        if isinstance(v, Tensor) and not v.is_leaf
    }
    try:
        twin = copy.deepcopy(module, computed)
    except (Exception, SystemExit) as error:
        hint = "hand over a function, e.g. lambda x: module(x)"
        raise NotAnalysable(
            complaint("module", f"no copy of it ({error})", "one that deepcopy copies", hint)
        ) from error
    for part in twin.modules():
        if any(kind.__module__ == nn.ReLU.__module__ for kind in type(part).__mro__) and hasattr(part, "inplace"):
            setattr(part, "inplace", False)  # noqa: B010 -- to a type checker, a module has only tensors
    twin = twin.eval().to("cpu")
    return twin if dtype is None else twin.to(getattr(torch, dtype))


def check_there(owner: str, tensor: Tensor) -> None:
    """Refuse weights that are not there: those of a lazy module not yet called, or of the meta device."""
    if is_lazy(tensor):
        raise NotAnalysable(complaint("weights", f"{owner}, not initialised", "weights", "call it on a signal first"))
    if tensor.is_meta:
        raise NotAnalysable(complaint("weights", f"{owner} on the meta device", "weights", "use .to_empty or load"))


def check_weights(module: nn.Module, allowed: Sequence[str] = WIDE) -> None:
    """Refuse weights of other dtypes: complex ones always, half precision where it must be wide."""
    for name, tensor in _weights(module):
        kind = str(tensor.dtype).removeprefix("torch.")
        if (tensor.is_floating_point() or tensor.is_complex()) and kind not in allowed:
            hint = "treat real and imaginary part one by one" if tensor.is_complex() else "convert it with .float()"
            raise NotAnalysable(complaint("dtype of the weights", f"{kind} ('{name}')", ", ".join(allowed), hint))


def _weights(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield the names and the tensors of a module's weights, which must be there."""
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        check_there(f"'{name}' of {type(module).__name__}", tensor)
        yield name, tensor


def own_dtype(f: Run, allowed: Sequence[str] = WIDE) -> str:
    """Return the dtype in which `f` works: that of its first weight, else Torch's default."""
    tensors: list[Tensor] = []
    if isinstance(f, nn.Module):
        check_weights(f, allowed)
        tensors = [tensor for _, tensor in _weights(f) if tensor.is_floating_point()]
    kinds = sorted({str(t.dtype).removeprefix("torch.") for t in tensors})
    if len(kinds) > 1 and {"bfloat16", "float16"} & set(kinds):
        hint = "say dtype=: weights are then converted"
        raise NotAnalysable(complaint("dtype of the weights", " and ".join(kinds), "one dtype", hint))
    name = str(tensors[0].dtype if tensors else torch.get_default_dtype()).removeprefix("torch.")
    if name not in allowed:
        hint = "say dtype='float32'"
        raise NotAnalysable(complaint("default dtype of Torch", name, ", ".join(allowed), hint))
    return name


def own_channels(f: Run, default: int) -> int:
    """Return the number of channels that the first part of `f` with ``in_channels`` takes, else `default`."""
    found = [getattr(part, "in_channels", None) for part in f.modules()] if isinstance(f, nn.Module) else []
    return next((channels for channels in found if isinstance(channels, int)), default)


def tensor(x: Array, dtype: str, device: str = "cpu") -> Tensor:
    """Return an array as a tensor of its own memory, of the dtype and on the device given."""
    return torch.from_numpy(np.array(x)).to(device=device, dtype=getattr(torch, dtype))


def numbers(y: Tensor) -> Array:
    """Return a tensor as an array of its own memory; bfloat16, which NumPy lacks, as float32."""
    y = y.detach().cpu()
    return np.array((y.float() if y.dtype == torch.bfloat16 else y).numpy())


@contextmanager
def setting(a: Arithmetic, device: str) -> Iterator[None]:
    """Compute as the model says: under autocast or not, with TF32 or not, and without Torch's remarks on speed."""
    half = a.name.removeprefix("autocast-") if a.name.startswith("autocast-") else None
    kind, tf32 = device.partition(":")[0], a.name == "tf32"
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # what a layer warns of is no error of its own
        if half:
            stack.enter_context(torch.autocast(kind, getattr(torch, half)))
        if kind == "cuda":
            cudnn = torch.backends.cudnn
            stack.enter_context(settings(tf32=tf32, deterministic=cudnn.deterministic, benchmark=cudnn.benchmark))
        yield


def in_setting(f: Run, model: object, device: str = "cpu") -> Run:
    """Return a function that computes as a model of arithmetic says, see `setting`."""

    def inside(x: Tensor) -> Any:
        with setting(arithmetic(model), device):
            return f(x)

    return inside


def call(f: Run, x: Array, *, model: object = None, device: str = "cpu", inner: bool = False) -> Array:
    """Return ``f(x)`` as an array, without gradients, for an array (batch, channel, time).

    `f` gets a copy of `x`, in the dtype and the setting of the model of arithmetic (that of the array, if none is
    given). An inner layer, whose input another layer made, may change it in place.

    Raises
    ------
    Refused
        If `f` raises, or ends the program.
    Misbehaved
        If `f` changes its input, or Torch's defaults, or returns anything but a tensor (batch, channel, time) of
        the same batch and dtype.
    """
    a = arithmetic(x.dtype if model is None else model)
    given = tensor(x, a.dtype, device)
    with setting(a, device), torch.no_grad():
        y = answer(f, given, a)
    if not inner and not np.array_equal(numbers(given), x):
        raise Misbehaved(complaint("input", "changed in place", "an input left as it was", "work on x.clone()"))
    return numbers(y)


_SAY: ContextVar[Callable[[str], None] | None] = ContextVar("say", default=None)


@contextmanager
def telling(say: Callable[[str], None]) -> Iterator[None]:
    """Tell, before a function is called, what it is called with: what hangs or dies cannot say it afterwards."""
    token = _SAY.set(say)
    try:
        yield
    finally:
        _SAY.reset(token)


def answer(f: Run, given: Tensor, a: Arithmetic) -> Tensor:
    """Return ``f(given)``, if it is what a layer returns; see `call`."""
    if (say := _SAY.get()) is not None:
        say(f"import torch; f(torch.zeros({tuple(given.shape)}, dtype={given.dtype}))")
    default, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    try:
        y = f(given)
    except (Exception, SystemExit) as error:
        raise Refused(f"{type(error).__name__}: {' '.join(str(error).split())}") from error
    finally:
        changed = torch.get_default_dtype() is not default or torch.is_grad_enabled() is not grad
        torch.set_default_dtype(default)
        torch.set_grad_enabled(grad)
    if changed:
        what = "Torch's default dtype or gradient mode"
        raise Misbehaved(complaint(what, "changed by the call", "settings left as they were"))
    if not isinstance(y, Tensor):
        raise Misbehaved(complaint("result", type(y).__name__, "a tensor", "return the signal alone"))
    allowed = dict.fromkeys((getattr(torch, a.result), given.dtype))
    if y.dtype not in allowed:
        lowered = y.dtype in (torch.bfloat16, torch.float16)
        hint = f"say autocast='{str(y.dtype).removeprefix('torch.')}' if it lowers its precision" if lowered else ""
        raise Misbehaved(complaint("dtype of the result", y.dtype, f"{' or '.join(map(str, allowed))}", hint))
    if y.ndim != 3 or len(y) != len(given):
        raise Misbehaved(complaint("result", f"shape {tuple(y.shape)}", f"({len(given)}, channel, time)"))
    if y.is_meta or y.layout != torch.strided:
        raise Misbehaved(complaint("result", f"a tensor on {y.device}, {y.layout}", "a dense tensor with values"))
    return y


def alike(y: Array, again: Array, model: object) -> bool:
    """Return whether two answers to one input agree in half of the digits of the arithmetic.

    Bit for bit is too much to ask of Torch 2.13 on a CPU: in one process of 25 a second call of nn.Tanh in
    float32, at the end of MelGAN, gave results up to 4.5e-5 of the largest away from the first, for equal
    inputs. The cause was not found. Half of the digits is a choice, not a bound: randomness smaller than that is
    not seen here, and is left to the rounding bound of each layer.
    """
    if y.shape != again.shape or not np.array_equal(np.isfinite(y), np.isfinite(again)):
        return False
    kept = np.isfinite(y)
    if not np.array_equal(y[~kept], again[~kept], equal_nan=True):
        return False
    first, second = y[kept].astype(float), again[kept].astype(float)
    half = np.sqrt(2 * unit(model))
    return bool(np.abs(first - second).max(initial=0) <= half * np.abs(first).max(initial=0))
