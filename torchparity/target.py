"""From a target in words, ``pkg.mod:factory`` or ``path/file.py:factory``, to a module."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias, cast

from torch import nn

from dspref.arrays import complaint, did_you_mean

Factory: TypeAlias = Callable[[], nn.Module]

_ALLOWED = "pkg.mod:factory or path/file.py:factory"


class TargetError(ValueError):
    """A target that gives no module: the message says why."""


def load(target: str) -> Factory:
    """Return the function that makes the module which a target names.

    Parameters
    ----------
    target : str
        ``pkg.mod:name`` or ``path/file.py:name``, where the name stands for an nn.Module, its class, or
        a function without arguments that returns one. Modules are looked for in the working directory
        too, and a file may import what lies beside it.

    Returns
    -------
    function without arguments that returns an nn.Module

    Raises
    ------
    TargetError
        If there is no colon, no such file, module or name, if the import fails, or if the name is no
        function. The function returned raises it too, where the factory raises or returns no module.

    Examples
    --------
    >>> load("torch.nn:Identity")()
    Identity()
    >>> load("torch.nn:Identiti")
    Traceback (most recent call last):
    torchparity.target.TargetError: target: got 'Identiti' in torch.nn; allowed: a name that is there.
    Hint: did you mean 'Identity'?
    """
    found, folder = _named(target)
    if isinstance(found, nn.Module):
        return lambda: found
    if not callable(found):
        allowed = "an nn.Module, or a function that returns one"
        raise TargetError(complaint("target", f"{target}, of type {type(found).__name__}", allowed))

    def make() -> nn.Module:
        with _on_path(folder):
            return _made(found, target)

    return make


def load_function(target: str, *, what: str) -> Callable[..., Any]:
    """Return the function that a target names, as ``path/file.py:example``: it finds what lies beside it.

    Parameters
    ----------
    target : str
    what : str
        What it is for, in the words of an error.

    Raises
    ------
    TargetError
        As `load`; and if the name is no function.

    Examples
    --------
    >>> load_function("json:dumps", what="inputs")([1])
    '[1]'
    """
    found, folder = _named(target)
    if not callable(found):
        raise TargetError(complaint(what, f"{target}, of type {type(found).__name__}", "a function"))

    def function(*args: Any) -> Any:
        with _on_path(folder):
            return found(*args)

    return function


def load_layer(target: str) -> Any:
    """Return the layer that a target names, or makes: what `torchparity.check` takes, or what it compares with.

    Parameters
    ----------
    target : str
        As for `load`, or the path of an .onnx file. A function that needs an argument is the layer itself; one that
        needs none makes it.

    Raises
    ------
    TargetError
        As `load`.

    Examples
    --------
    >>> load_layer("torch.nn.functional:relu").__name__
    'relu'
    >>> load_layer("torch.nn:Identity")
    Identity()
    """
    if target.endswith(".onnx"):
        return Path(target)
    found, folder = _named(target)
    if not _makes(found):
        return _as_layer(found, target)
    with _on_path(folder):
        return _as_layer(_called(cast(Callable[[], object], found), target), f"{target}()")


def load_module(place: str, *, what: str, allowed: str) -> ModuleType:
    """Import a module by its name, or a file by its path: as a target's, in the working directory too.

    Parameters
    ----------
    place : str
        ``pkg.mod`` or ``path/file.py``.
    what, allowed : str
        What it is for, and what may be given: words for the error.

    Raises
    ------
    TargetError
        If there is no such file or module, or if the import fails.

    Examples
    --------
    >>> load_module("json", what="module", allowed="pkg.mod").__name__
    'json'
    """
    with _on_path(_folder(place)):
        return _imported(place, what, allowed)


def load_maker(target: str) -> Any:
    """Return what makes a fresh stream: the function or class that a target names, or an object to be copied."""
    found, folder = _named(target)
    if not _makes(found):
        return _as_layer(found, target)

    def make() -> Any:
        with _on_path(folder):
            return _as_layer(_called(cast(Callable[[], object], found), target), f"{target}()")

    return make


def loading(code: str, target: str, seed: int, *, stream: bool = False) -> str:
    """Return a verdict's line of Python so that it makes what was checked first, with the same weights.

    Parameters
    ----------
    code : str
        With ``f`` for the layer, or ``make`` for what makes a stream; a comment, if nothing was called yet.
    target : str
    seed : int
    stream : bool

    Examples
    --------
    >>> loading("import torch; f(torch.zeros((1, 2, 3)))", "torch.nn:ReLU", 0).partition(" torch.manual_seed(0); ")[2]
    "f = load_layer('torch.nn:ReLU'); f(torch.zeros((1, 2, 3)))"
    >>> loading("", "torch.nn:ReLU", 0)
    ''
    """
    if not code:
        return ""
    rest = "" if code.startswith("#") else code.removeprefix("import torch; ")
    name, load = ("make", "load_maker") if stream and rest and not rest.startswith("f(") else ("f", "load_layer")
    seeded = f"import torch; from torchparity.target import {load}; torch.manual_seed({seed})"
    return "; ".join(filter(None, (seeded, f"{name} = {load}({target!r})", rest)))


def _makes(found: object) -> bool:
    """Return whether something is to be called, to get a layer: a class, or a function that needs no argument."""
    if isinstance(found, type):
        return True
    if isinstance(found, nn.Module) or not callable(found):
        return False
    try:
        needed = [p for p in inspect.signature(found).parameters.values() if p.default is p.empty]
    except ValueError:  # functions written in C
        return False
    return not any(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in needed)


def _as_layer(found: object, target: str) -> Any:
    if (callable(found) and not isinstance(found, type)) or hasattr(found, "graph_signature"):
        return found
    allowed = "a module, a function of a signal, a layer of dspref, or what makes one"
    hint = "return the layer itself, not its class" if isinstance(found, type) else ""
    raise TargetError(complaint("target", f"{target}, of type {type(found).__name__}", allowed, hint))


def _named(target: str) -> tuple[object, Path]:
    """Return what a target names, and the folder in which it finds what lies beside it."""
    place, colon, name = target.rpartition(":")
    if not (colon and place and name):
        raise TargetError(complaint("target", repr(target), _ALLOWED, "the function's name stands behind a colon"))
    folder = _folder(place)
    with _on_path(folder):
        return _attribute(_imported(place), name, place), folder


def _folder(place: str) -> Path:
    return Path(place).resolve().parent if place.endswith(".py") else Path.cwd()


def _called(factory: Callable[[], object], target: str) -> object:
    try:
        return factory()
    except (Exception, SystemExit) as error:
        what = f"{target}(), which raised {_words(error)}"
        raise TargetError(complaint("target", what, "a factory that needs no arguments and succeeds")) from error


def _made(factory: Callable[[], object], target: str) -> nn.Module:
    made = _called(factory, target)
    if not isinstance(made, nn.Module):
        hint = "return the module itself, not its name, class, or configuration"
        raise TargetError(complaint(f"{target}()", type(made).__name__, "an nn.Module", hint))
    return made


def _imported(place: str, what: str = "target", allowed: str = _ALLOWED) -> ModuleType:
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        if Path(place).is_file():
            return _from_file(Path(place))
    except (Exception, SystemExit) as error:
        got = f"{place}, which does not import ({_words(error)})"
        raise TargetError(complaint(what, got, allowed)) from error
    raise TargetError(complaint(what, f"{place}, no file", allowed, f"looked in {Path.cwd()}"))


def _from_file(path: Path) -> ModuleType:
    name = f"torchparity_target_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("no loader for it")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles look their module up there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _attribute(module: ModuleType, name: str, place: str) -> object:
    try:
        return getattr(module, name)
    except AttributeError:
        there = {n.lower(): n for n in dir(module) if not n.startswith("_")}
        same = there.get(name.lower(), name)
        near = did_you_mean(same, there.values(), cutoff=0.6)
        raise TargetError(complaint("target", f"{name!r} in {place}", "a name that is there", near)) from None


@contextmanager
def _on_path(folder: Path) -> Iterator[None]:
    """Look for imports in a folder first."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
