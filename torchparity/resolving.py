"""From a target on the command line to what makes the module: a network by name, a preset, or a place in code.

Networks of the article that are too large to be run are made narrow: see `torchparity.known`.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING

from dspref.arrays import complaint, did_you_mean
from dspref.presets import PRESETS, preset
from torchparity.known import NETWORKS, network_named

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction

    from torch import nn


def require_torch() -> None:
    """Refuse, in words, to go on without Torch."""
    if find_spec("torch") is None:
        raise ValueError(complaint("torch", "not installed", "torch >= 2.6", "pip install 'dspref[torch]'"))


def resolve(target: str) -> tuple[str, Callable[[], nn.Module], int | Fraction | None]:
    """Return a name, what makes the module, and its rate where known.

    Raises
    ------
    ValueError
        If the target is neither a network, nor a preset, nor ``place:name``, or gives no module.
    """
    require_torch()
    from torchparity.models import random_network
    from torchparity.target import load

    if ":" in target:
        return re.sub(r"\W+", "-", target.rpartition("/")[2]).strip("-"), load(target), None
    if target in NETWORKS:
        known = network_named(target)
        return target, known.small_factory if known.small else known.factory, known.sr
    if target not in PRESETS:
        allowed = "a network, a preset (see 'dspref presets'), pkg.mod:factory or path/file.py:factory"
        near = did_you_mean(target, {**NETWORKS, **PRESETS})
        hint = f"name its factory: {target}:NAME" if target.endswith(".py") else near
        raise ValueError(complaint("target", repr(target), allowed, hint))
    chain = preset(target)
    return target, lambda: random_network(chain.chain), chain.sr
