"""Files of weights: read without running any code that they bring."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from dspref.arrays import complaint

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")

PLAIN = "a file of plain weights, as torch.save(module.state_dict(), FILE) writes"


def file_and_place(words: str | Path) -> tuple[Path, str | None]:
    """Return the file and, where it is written FILE:PREFIX, the place in it: that is, where there is no such file.

    Examples
    --------
    >>> file_and_place("last.ckpt:state_dict.net_g.")
    (PosixPath('last.ckpt'), 'state_dict.net_g')
    """
    file, colon, place = str(words).rpartition(":")
    if not colon or Path(words).is_file() or Path(file).suffix not in SUFFIXES:
        return Path(words), None
    return Path(file), place.removesuffix(".")


def read(path: Path) -> Any:
    """Return what a file of weights holds, without running any code that it brings.

    Raises
    ------
    ValueError
        Says what the file is instead.
    """
    if path.suffix not in SUFFIXES:
        raise ValueError(complaint("checkpoint", str(path), " or ".join(f"FILE{s}" for s in SUFFIXES)))
    if not path.is_file():
        raise ValueError(complaint("checkpoint", f"{path}, which is no file", "a file of weights"))
    return _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)


def _safetensors(path: Path) -> Any:
    if find_spec("safetensors") is None:
        raise ValueError(
            complaint("checkpoint", f"{path}, and no safetensors", "safetensors", "pip install safetensors")
        )
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise ValueError(complaint("checkpoint", f"{path}: {_line(error)}", "a file in safetensors' format")) from None


def _pickled(path: Path) -> Any:
    if _is_script(path):
        hint = "save state_dict() of the scripted module"
        raise ValueError(complaint("checkpoint", f"{path}, a TorchScript program", PLAIN, hint))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Torch remarks on protocols; what it can't read it refuses all the same
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        asks = _asked_for(path)
        if not asks:
            raise ValueError(complaint("checkpoint", f"{path}: {_line(error)}", PLAIN)) from None
        got = f"{path}, a pickle that asks for {', '.join(asks)}"
        hint = "unpickling would run its code: save the weights alone, where you trust it, or as safetensors"
        raise ValueError(complaint("checkpoint", got, PLAIN, hint)) from None
    except (RuntimeError, EOFError, ValueError, KeyError, IndexError, OSError, AttributeError) as error:
        raise ValueError(complaint("checkpoint", f"{path}: {_line(error)}", PLAIN)) from None


def _is_script(path: Path) -> bool:
    """Return whether a file is a program of TorchScript: a zip file with code in it."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in name or name.endswith("constants.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ValueError(complaint("checkpoint", f"{path}, a broken zip file: {_line(error)}", PLAIN)) from None


def _asked_for(path: Path) -> list[str]:
    """Return the names that a pickle asks for beyond plain weights; found without running any of it."""
    try:
        return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except Exception as error:  # broken files, and pickles of no zip file, which it does not read
        return [f"something else ({_line(error)})"]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
