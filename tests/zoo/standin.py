"""A stand-in for torchaudio, for packages that import it and have decoders that never use it.

torchaudio's wheel wants Torch's CUDA libraries, and cannot be loaded beside a Torch for the CPU. encodec imports it
to read files and to resample them, openunmix to resample them, vocos to make mel spectrograms, diffusers and
transformers wherever it is installed: all of that is in front of what is audited here. Whatever is asked of the
stand-in can be imported, and raises as soon as it is called.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType

NAMES = ("torchaudio", "torchaudio.transforms", "torchaudio.functional", "torchaudio.functional.functional")


@contextmanager
def torchaudio() -> Iterator[None]:
    """Let imports of torchaudio pass where it cannot be loaded; afterwards it is as absent as before."""
    if _loads():
        yield
        return
    modules = {name: _module(name) for name in NAMES}
    modules["torchaudio"].transforms = modules["torchaudio.transforms"]  # type: ignore[attr-defined]
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in NAMES:
            del sys.modules[name]


def _loads() -> bool:
    try:
        import_module("torchaudio")
    except (ImportError, OSError):  # not installed; or installed, and its libraries are not
        return False
    return True


def _module(name: str) -> ModuleType:
    module = ModuleType(name)
    module.__path__ = []
    module.__spec__ = ModuleSpec(name, None)  # by which others ask whether it is installed
    module.__getattr__ = lambda wanted: _absent(name, wanted)  # type: ignore[method-assign]
    return module


def _absent(name: str, wanted: str) -> type:
    if wanted.startswith("__"):
        raise AttributeError(wanted)

    def refuse(self: object, *args: object, **kwargs: object) -> None:
        raise RuntimeError(f"{name}.{wanted} was called, but torchaudio cannot be loaded here")

    return type(wanted, (), {"__init__": refuse})
