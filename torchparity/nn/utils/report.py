"""What is tone-free in a model, and what is not, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ITSELF = "the model itself"
"""Name of a model among its layers."""


@dataclass(frozen=True)
class ToneFree:
    """A layer that is tone-free now.

    Attributes
    ----------
    name : str
        Of the layer; of the parameter, where a forward uses it by a functional call; empty for the model itself.
    factor, order : int
        s, and the order of the zeros at k/s.
    note : str
        What a user may not expect: that it was so before, by a parametrization or by construction, that it is frozen,
        or shares its weight.
    """

    name: str
    factor: int
    order: int
    note: str = ""

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.name or ITSELF} ×{self.factor}, order {self.order}" + (f" ({self.note})" if self.note else "")


@dataclass(frozen=True)
class ToneFreeReport:
    """What `tone_free_` and `project_` did.

    Attributes
    ----------
    done : tuple of ToneFree
    not_reached : tuple of (str, str)
        What may still make tones, and why it was not reached.
    """

    done: tuple[ToneFree, ...]
    not_reached: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        """Return both lists in words."""
        return "\n".join([*(f"tone-free: {each}" for each in self.done), *unreached(self.not_reached)])


def unreached(left: Iterable[tuple[str, str]]) -> Iterable[str]:
    """Yield what was not reached, in words."""
    return (f"not reached: {name or ITSELF}: {why}" for name, why in left)
