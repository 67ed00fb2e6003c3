"""What plainer checks would have caught: a mutant beside Torch's own computation, compared as people do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from dspref.arrays import Array
from torchparity.mutants.correct import correct
from torchparity.mutants.registry import Mutant
from torchparity.mutants.samples import samples
from torchparity.mutants.streaming import streamed
from torchparity.roundoff import mapped

Close: TypeAlias = Callable[[Tensor, Tensor], bool]

TIME = 100
"""Samples of the one random input."""


def on_torch_samples(mutant: Mutant, seed: int) -> bool:
    """Return whether ``torch.testing.assert_close``, as it is, tells the mutant on Torch's own sample shapes.

    Outputs are compared; of backward mutants, as in Torch's tests, gradients too; of streams, what comes for the two
    halves of the signal.

    Examples
    --------
    >>> from torchparity.mutants import find
    >>> [on_torch_samples(find(f"convt: {title}"), 0) for title in ("kernel flipped", "taps beyond 16 dropped")]
    [True, False]
    """
    rng = np.random.default_rng(seed)
    with _seeded(seed):
        return any(differs(mutant, layer, _signal(shape, rng), _asserted_close) for layer, shape in _legal(mutant, rng))


def on_one_random_input(mutant: Mutant, seed: int) -> bool:
    """Return whether ``torch.allclose``, as it is, tells the mutant by one random input of `TIME` samples.

    Examples
    --------
    >>> from torchparity.mutants import find
    >>> [on_one_random_input(find(f"convt: {title}"), 0) for title in ("kernel flipped", "last sample off by 1e-6")]
    [True, False]
    """
    layer, rng = mapped(mutant.layer(seed), _single), np.random.default_rng(seed)
    with _seeded(seed):
        return differs(mutant, layer, _signal((1, layer.in_channels or 2, TIME), rng), _all_close)


BASELINES: Mapping[str, Callable[[Mutant, int], bool]] = {
    "assert_close on Torch's samples": on_torch_samples,
    "allclose on one random input": on_one_random_input,
}


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Draw what a mutant itself draws from a seed, and leave Torch's own numbers as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _single(numbers: Array) -> Array:
    """Return numbers in the precision of the signals, whatever the precision that a layer was drawn in."""
    return numbers.astype(np.float32)


def _signal(shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.standard_normal(shape).astype(np.float32))


def _legal(mutant: Mutant, rng: np.random.Generator) -> Iterator[tuple[Any, tuple[int, ...]]]:
    """Yield the samples that Torch itself takes, and of streams those whose length is a multiple of the input's."""
    for layer, shape in samples(mutant.operator, rng):
        if mutant.direction == "streaming" and layer.op == "interpolate":
            continue
        try:
            correct(_signal(shape, rng), Mutant("", "", correct, mutant.like, fault="").make(layer))
        except (RuntimeError, ValueError):
            continue
        yield layer, shape


def _asserted_close(y: Tensor, due: Tensor) -> bool:
    try:
        torch.testing.assert_close(y, due)
    except AssertionError:
        return False
    return True


def _all_close(y: Tensor, due: Tensor) -> bool:
    return y.shape == due.shape and torch.allclose(y, due)


def differs(mutant: Mutant, layer: Any, x: Tensor, close: Close) -> bool:
    """Return whether a mutant of a layer gives something else than Torch, or refuses, for one input."""
    right = Mutant(
        mutant.operator, "right", _RIGHT[mutant.direction], mutant.like, fault="", direction=mutant.direction
    )
    runs = _RUNS[mutant.direction]
    due = runs(right.make(layer), x.clone())
    try:
        got = runs(mutant.make(layer), x.clone())
    except (RuntimeError, ValueError, IndexError, TypeError):
        return True
    return any(not close(a, b) for a, b in zip(got, due, strict=True))


def _forward(module: Any, x: Tensor) -> list[Tensor]:
    with torch.no_grad():
        return [module(x)]


def _backward(module: Any, x: Tensor) -> list[Tensor]:
    x.requires_grad_()
    y = module(x)
    g = torch.linspace(-1, 1, y.numel()).sin().reshape(y.shape)
    found = torch.autograd.grad(y, [x, *module.parameters()], g, allow_unused=True)
    return [y.detach(), *(torch.zeros(()) if a is None else a for a in found)]


def _streaming(make: Callable[[], Any], x: Tensor) -> list[Tensor]:
    with torch.no_grad():
        stream = make()
        return [torch.cat([*(stream(chunk) for chunk in x.chunk(2, -1)), stream.flush()], -1)]


_RUNS: Mapping[str, Callable[[Any, Tensor], list[Tensor]]] = {
    "forward": _forward,
    "backward": _backward,
    "streaming": _streaming,
}
_RIGHT: Mapping[str, Callable[..., Tensor]] = {
    "forward": correct,
    "backward": correct,
    "streaming": partial(streamed, compute=correct),
}
