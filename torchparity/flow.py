"""Dynamic control flow: whether other layers run for a constant than for noise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from torch import nn

from torchparity.bench import Bench


def unlike(bench: Bench) -> tuple[str, ...]:
    """Return the names of the modules that run more often for one of constant and noise than for the other.

    Parameters
    ----------
    bench : Bench
    """
    constant, noise = (_ran(bench, name) for name in ("constant", "noise"))
    return tuple(sorted((constant - noise) + (noise - constant)))


def _ran(bench: Bench, name: str) -> Counter[str]:
    """Return how often each module without children ran."""
    ran: Counter[str] = Counter()
    hooks = [
        m.register_forward_hook(_counter(ran, place))
        for place, m in bench.module.named_modules()
        if not any(True for _ in m.children())
    ]
    try:
        bench.tried(name)
    finally:
        for hook in hooks:
            hook.remove()
    return ran


def _counter(ran: Counter[str], place: str) -> Callable[[nn.Module, Any, Any], None]:
    def count(module: nn.Module, args: Any, output: Any) -> None:
        ran[place] += 1

    return count
