"""Wrong layers: what a check must catch. Importing the package registers its own; add yours with `mutant`."""

from __future__ import annotations

from torchparity.mutants import backward, behaviour, kernels, resampling, resizing, stacks
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
    "find",
    "kernels",
    "mutant",
    "register",
    "registered",
    "removed",
    "resampling",
    "resizing",
    "stacks",
]
