"""Targets in words: what they give, and what is wrong with those that give nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from torch import nn

from torchparity.target import TargetError, load, load_layer, loading

SOURCE = """
from dataclasses import dataclass

from torch import nn

from beside import RATE


@dataclass
class Config:
    rate: int = RATE


def factory():
    from beside import RATE
    return nn.Upsample(scale_factor=RATE)

def raises():
    raise RuntimeError("no\\n weights")

def leaves():
    raise SystemExit(3)

def needs(argument):
    return argument

def text():
    return "factory"

def wrong_type():
    return nn.Upsample

module = nn.Identity()
Drop = nn.Dropout
number = 3
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file of targets, with a module beside it that it imports."""
    (tmp_path / "beside.py").write_text("RATE = 4\n")
    path = tmp_path / "targets.py"
    path.write_text(SOURCE)
    monkeypatch.delitem(sys.modules, "beside", raising=False)
    monkeypatch.chdir(tmp_path)
    return path


def test_a_file_gives_a_factory(file: Path) -> None:
    paths = list(sys.path)
    made = load(f"{file}:factory")()
    assert isinstance(made, nn.Upsample)
    assert made.scale_factor == 4.0
    assert sys.path == paths


def test_every_call_makes_another(file: Path) -> None:
    factory = load(f"{file.name}:factory")
    assert factory() is not factory()


def test_classes_instances_and_modules_of_packages_are_targets(file: Path) -> None:
    assert isinstance(load(f"{file}:module")(), nn.Identity)
    assert isinstance(load("torch.nn:ReLU")(), nn.ReLU)


def test_modules_in_the_working_directory_are_found(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file.parent / "local_targets_of_a_test.py").write_text("from torch.nn import ReLU as up\n")
    assert isinstance(load("local_targets_of_a_test:up")(), nn.ReLU)
    monkeypatch.delitem(sys.modules, "local_targets_of_a_test")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("torch.nn", "target: got 'torch.nn'; allowed: pkg.mod:factory or path/file.py:factory"),
        ("torch.nn:", "got 'torch.nn:'; allowed: pkg.mod:factory"),
        (":factory", "got ':factory'; allowed"),
        ("", "got ''; allowed"),
        ("missing.py:factory", "got missing.py, no file; .*looked in "),
        ("no_such_package:x", r"does not import \(ModuleNotFoundError: No module named 'no_such_package'\)"),
        ("broken.py:x", r"got broken.py, which does not import \(SyntaxError: "),
        ("raising.py:x", r"which does not import \(ZeroDivisionError: division by zero\)"),
        ("leaving.py:x", r"which does not import \(SystemExit: 1\)"),
        ("targets.py:factoryy", r"got 'factoryy' in targets.py; .*did you mean 'factory'\?"),
        ("targets.py:Nope", r"got 'Nope' in targets.py; allowed: a name that is there\.$"),
        ("targets.py:modulo", r"got 'modulo' in targets.py; .*did you mean 'module'\?"),
        ("targets.py:number", "got targets.py:number, of type int; allowed: an nn.Module, or a function"),
    ],
)
def test_what_names_no_factory_is_refused_in_words(file: Path, target: str, words: str) -> None:
    for name, text in {"broken": "def", "raising": "1 / 0", "leaving": "raise SystemExit(1)"}.items():
        (file.parent / f"{name}.py").write_text(text)
    before = set(sys.modules)
    with pytest.raises(TargetError, match=words):
        load(target)
    left = {name for name in set(sys.modules) - before if name.startswith("torchparity_target_")}
    assert left <= {"torchparity_target_targets"}  # a file that imports stays loaded, one that does not is gone


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raises", r"targets.py:raises\(\), which raised RuntimeError: no weights; allowed"),
        ("leaves", r"leaves\(\), which raised SystemExit: 3"),
        ("needs", r"needs\(\), which raised TypeError: needs\(\) missing 1 required positional argument"),
        ("text", r"text\(\): got str; allowed: an nn.Module"),
        ("wrong_type", r"wrong_type\(\): got type; allowed: an nn.Module. Hint: return the module itself"),
    ],
)
def test_factories_that_make_no_module_are_refused_in_words(file: Path, name: str, words: str) -> None:
    factory = load(f"targets.py:{name}")
    with pytest.raises(TargetError, match=words):
        factory()


def test_a_class_that_a_factory_returns_is_no_layer(file: Path) -> None:
    with pytest.raises(TargetError, match=r"wrong_type\(\), of type type; .*return the layer itself, not its class"):
        load_layer("targets.py:wrong_type")


@pytest.mark.parametrize(
    ("code", "stream", "rest"),
    [
        ("import torch; f(torch.zeros(1))", False, "f = load_layer('m:up'); f(torch.zeros(1))"),
        ("import torch; f(torch.zeros(1))", True, "f = load_layer('m:up'); f(torch.zeros(1))"),
        ("import torch; print(make())", True, "make = load_maker('m:up'); print(make())"),
        ("# loading m:up", False, "f = load_layer('m:up')"),
    ],
)
def test_a_line_to_paste_makes_the_layer_first(code: str, stream: bool, rest: str) -> None:
    seeded, _, then = loading(code, "m:up", 7, stream=stream).partition("; torch.manual_seed(7); ")
    assert then == rest
    assert seeded == f"import torch; from torchparity.target import {rest.split()[2].partition('(')[0]}"
