"""Wrong layers: what a check must catch. Importing the package registers its own; add yours with `mutant`."""

from __future__ import annotations

from torchparity.mutants import backward, behaviour, channels, interpolation, kernels, stacks, streaming
from torchparity.mutants.registry import (
    DIRECTIONS,
    FAULTS,
    Faulty,
    Mutant,
    Parametrised,
    find,
    mutant,
    register,
    registered,
    removed,
)

__all__ = [
    "DIRECTIONS",
    "FAULTS",
    "Faulty",
    "Mutant",
    "Parametrised",
    "backward",
    "behaviour",
    "channels",
    "find",
    "interpolation",
    "kernels",
    "mutant",
    "register",
    "registered",
    "removed",
    "stacks",
    "streaming",
]
