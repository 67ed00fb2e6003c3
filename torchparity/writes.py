"""What calls of Torch write into, and whose memory that is."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves


def memory(x: Tensor) -> int:
    """Return a number for the memory of a tensor, the same for all its views."""
    return int(x.untyped_storage()._cdata)


def written(func: Any, args: Any, kwargs: Any) -> list[Tensor]:
    """Return the arguments of a call that it writes into."""
    schema = func._schema
    if not schema.is_mutable:
        return []
    given = {**dict(zip([a.name for a in schema.arguments], args, strict=False)), **kwargs}
    into = [given.get(a.name) for a in schema.arguments if a.alias_info and a.alias_info.is_write]
    return [t for t in tree_leaves(into) if isinstance(t, Tensor)]
