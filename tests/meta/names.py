"""Names that pages and catalogues give: whether they are there."""

from __future__ import annotations

from importlib import import_module


def exists(dotted: str) -> bool:
    """Return whether a dotted name is a module, or something in one."""
    module, _, name = dotted.rpartition(".")
    try:
        import_module(dotted)
    except ImportError:
        try:
            return hasattr(import_module(module), name) if module else False
        except ImportError:
            package, _, inner = module.rpartition(".")
            return hasattr(getattr(import_module(package), inner, None), name) if package else False
    return True
