"""What starting up loads, seen from a process of its own; and that this check can fail."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import dspref

HEAVY = ("torch", "scipy.signal", "matplotlib")


def loaded(*arguments: str) -> set[str]:
    """Return the names of all modules that ``python *arguments`` imports, as ``-X importtime`` reports them."""
    command = [sys.executable, "-X", "importtime", *arguments]
    plain = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    run = subprocess.run(command, capture_output=True, text=True, env=plain, timeout=120, check=False)
    lines = run.stderr.splitlines()
    assert run.returncode == 0, "\n".join(line for line in lines if not line.startswith("import time:"))
    return {line.rsplit("|", 1)[1].strip() for line in lines if line.startswith("import time:")}


def found(names: set[str], forbidden: tuple[str, ...]) -> list[str]:
    """Return the forbidden modules among those loaded, submodules included."""
    return sorted(bad for bad in forbidden if any(name == bad or name.startswith(f"{bad}.") for name in names))


def foreign(names: set[str]) -> set[str]:
    """Return the top-level packages that are neither ours nor of the standard library."""
    return {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"dspref"}


def test_importing_the_reference_loads_numpy_only() -> None:
    names = loaded("-c", "import dspref")
    assert "dspref.lines" in names
    assert found(names, ("torch", "scipy", "sympy", "matplotlib", "click", "rich")) == []
    assert foreign(names) - foreign(loaded("-c", "import numpy")) == set()


def test_measuring_loads_scipy_when_it_is_asked_for() -> None:
    names = loaded("-c", "from dspref import measure_lines, average_spectrum, spectrogram; measure_lines.__call__")
    assert found(names, ("scipy", "torch", "matplotlib")) == ["scipy"]
    listed = (
        "import dspref, sys; assert {'measure_lines', 'Chain'} <= set(dir(dspref)); assert 'scipy' not in sys.modules"
    )
    assert found(loaded("-c", listed), ("scipy",)) == []
    assert set(dspref._LATE) <= set(dspref.__all__)
    with pytest.raises(AttributeError, match="module 'dspref' has no attribute 'measure_line'"):
        dspref.measure_line  # noqa: B018


COMMANDS = {
    "help": ["--help"],
    "predict": ["predict", "--preset", "melgan", "--sr", "22050"],
    "predict as JSON": ["predict", "convt k16 s8 p4", "--sr", "22050", "--format", "json"],
    "whence": ["whence", "4000", "--spec", "convt k4 s2 | convt k4 s2", "--sr", "32000"],
    "presets": ["presets"],
    "symbolic, explained": ["symbolic", "--help"],
    "leakage, explained": ["leakage", "--help"],
    "rules": ["explain", "UA101"],
    "claims": ["claim", "UA-T5"],
    "cite": ["cite", "UA-T1", "--format", "cff"],
    "gradient": ["gradient", "--stft", "512/50/240", "--sr", "24000"],
    "response": ["response", "linear x2", "--sr", "32000"],
    "expect": ["expect", "--preset", "melgan", "--input", "ones"],
    "figures, listed": ["figure"],
    "a figure, checked": ["figure", "fig3", "--check"],
    "presets as JSON": ["presets", "--format", "json"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_load_nothing_heavy(name: str) -> None:
    names = loaded("-m", "dspref.cli", *COMMANDS[name])
    assert "click" in names
    assert found(names, HEAVY) == []


@pytest.mark.parametrize("module", ["scipy.signal", "matplotlib"])
def test_a_heavy_import_is_found(module: str) -> None:
    """Also where it hides in a function that runs late, and behind ``dspref`` itself."""
    planted = f"import dspref\ndef late():\n    import {module}\nlate()"
    assert found(loaded("-c", planted), HEAVY) == [module]
    assert foreign(loaded("-c", planted)) - foreign(loaded("-c", "import numpy")) != set()


def test_submodules_count_and_lookalikes_do_not() -> None:
    assert found({"torch.nn", "torchvision", "scipy.signals", "numpy"}, HEAVY) == ["torch"]


def test_modules_that_the_documentation_names_need_no_import_of_their_own() -> None:
    script = "import dspref, sys; assert 'sympy' not in sys.modules; dspref.symbolic.taps(2); dspref.spectrum.nulls"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    for name in dspref._MODULES:
        assert getattr(dspref, name).__name__ == f"dspref.{name}"
        assert name in dir(dspref)
