"""What Torch does with what is computed: autocast, programs, transformations, derivatives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

AUTOCAST = frozenset(kind for kind in ("cpu", "cuda", "mps", "xpu") if torch.amp.is_autocast_available(kind))
"""Devices with autocast: asked once, since compilers of some versions of Torch cannot."""


_OF_ANY_LENGTH = ContextVar("of any length", default=False)


@contextmanager
def of_any_length() -> Iterator[None]:
    """Make layers compute signals of all lengths in one way, as what follows a module from call to call wants them."""
    token = _OF_ANY_LENGTH.set(True)
    try:
        yield
    finally:
        _OF_ANY_LENGTH.reset(token)


def traced() -> bool:
    """Return whether a program is made of what is computed, for other signals, too."""
    return torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None or _OF_ANY_LENGTH.get()


def exported() -> bool:
    """Return whether that program is never made anew, as a compiler does for signals that are of another kind."""
    exporting: bool = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)()
    return exporting or torch._C._get_tracing_state() is not None


def exact(kind: str, op: str = "matmul") -> bool:
    """Return whether a device computes products in single precision, and in no less.

    By Torch's newer switches, which older ones set, too, and can't be read by once one was set itself.

    Parameters
    ----------
    kind : str
        Of the device; of others than a CPU and CUDA it is not known.
    op : {'matmul', 'conv'}

    Examples
    --------
    >>> exact("cpu"), exact("meta")
    (True, False)
    """
    if kind not in ("cpu", "cuda"):
        return False
    backends: Any = torch.backends
    held = backends.mkldnn if kind == "cpu" else backends.cudnn if op == "conv" else backends.cuda
    return getattr(held, op).fp32_precision in ("none", "ieee")


def as_given(kind: str) -> AbstractContextManager[Any]:
    """Return a context in which autocast, which would sum taps in half precision, casts nothing."""
    return torch.autocast(kind, enabled=False) if kind in AUTOCAST else nullcontext()


def cast_to(x: Tensor) -> torch.dtype | None:
    """Return the precision to which autocast would cast x before a convolution; None where it does not."""
    kind = x.device.type
    if kind in AUTOCAST and torch.is_autocast_enabled(kind) and x.is_floating_point() and x.dtype != torch.float64:
        return torch.get_autocast_dtype(kind)
    return None


def transformed() -> bool:
    """Return whether functions are transformed, by `torch.func` or in forward mode: they want Torch's operations."""
    mapped: bool = torch._C._are_functorch_transforms_active()
    return mapped or torch.autograd.forward_ad._current_level >= 0


def plain(x: Tensor) -> bool:
    """Return whether a tensor is numbers on one device and no more: neither shapes alone, nor spread over several."""
    return type(x) in (Tensor, torch.nn.Parameter) and not x.is_meta


def recorded(*operands: Tensor | None) -> bool:
    """Return whether a backward pass may follow."""
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in operands)


def to_be_derived(g: Tensor) -> bool:
    """Return whether a gradient is to be derived itself, or mapped over by one of Torch's two vmaps."""
    batched: bool = torch._C._functorch.is_legacy_batchedtensor(g) or torch._C._are_functorch_transforms_active()
    return torch.is_grad_enabled() or batched
