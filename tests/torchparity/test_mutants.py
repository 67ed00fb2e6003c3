"""The check is checked: what is wrong on purpose must be caught, what is right must not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import partial
from itertools import chain, product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from torch import Tensor

from dspref import Nearest
from torchparity import check
from torchparity.cli import main
from torchparity.mutants import DIRECTIONS, FAULTS, Faulty, Mutant, find, mutant, registered, removed, score
from torchparity.mutants.baselines import BASELINES, on_one_random_input, on_torch_samples
from torchparity.mutants.correct import correct, grid, parts, split
from torchparity.mutants.samples import samples
from torchparity.mutants.streaming import streamed
from torchparity.streams import check_stream

GROUPS = sorted({(m.operator, m.direction) for m in registered()})
TIMES = (1, 2, 3, 5, 8, 11, 17, 24, 40, 129)


def group(operator: str, direction: str) -> list[Mutant]:
    return [m for m in registered() if (m.operator, m.direction) == (operator, direction)]


@pytest.mark.parametrize(("operator", "direction"), GROUPS)
def test_every_mutant_is_caught(operator: str, direction: str) -> None:
    found = [(m.name, score.verdict(m, seed=0)) for m in group(operator, direction)]
    survived = [f"{name}: {verdict.headline}" for name, verdict in found if verdict.status != "wrong"]
    assert not survived, "\n".join(survived)


@pytest.mark.parametrize(("operator", "direction"), GROUPS)
def test_what_they_should_be_is_passed(operator: str, direction: str) -> None:
    """The right computation in the mutants' own clothes: it is the fault that is caught."""
    layers = {id(m.like): m.layer(0) for m in group(operator, direction)}
    for layer in layers.values():
        if direction == "streaming":
            verdict = check_stream(right(direction).make(layer), layer, dtype="float32")
        else:
            verdict = check(Faulty(layer, correct), layer, dtype="float32", gradients=direction == "backward")
        assert verdict.ok, f"{layer}: {verdict.headline}"


def right(direction: str) -> Mutant:
    wrong = partial(streamed, compute=correct) if direction == "streaming" else correct
    return Mutant("any", "right", wrong, lambda rng: None, fault="", direction=direction)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "linear", "cubic"])
@pytest.mark.parametrize("align_corners", [False, True])
def test_positions_in_integers_are_those_in_fractions(mode: str, align_corners: bool) -> None:
    for time, scale, size in product((1, 2, 5, 17), (Fraction(2), Fraction(3, 5), Fraction(41)), (None, 1, 7)):
        by = {"size": size} if size else {"scale_factor": scale}
        p = SimpleNamespace(
            mode=mode, align_corners=align_corners, recompute_scale_factor=False, **{"size": None, **by}
        )
        if size or time * scale >= 1:
            x = torch.zeros(1, 1, time)
            assert all(map(torch.equal, parts(x, p), split(grid(x, p))))


def apart(a: Tensor | None, b: Tensor | None) -> bool:
    """Return whether two results of double precision differ by more than their rounding."""
    if a is None or b is None:
        return a is not b
    return a.shape != b.shape or bool((a - b).abs().max() > 1e-9 * (1 + b.abs().max()))


def outputs(f: Any, x: Tensor) -> Iterator[Tensor | None]:
    """Yield the outputs of two calls, what became of the first one, and of the input."""
    given = x.clone()
    try:
        first = f(given)
        kept = first.clone()
        yield kept
        yield f(x.flip(-1))
        yield kept if torch.equal(kept, first) else None
        yield given if torch.equal(given, x) else None
    except (RuntimeError, ValueError):
        yield None


def gradients(f: Any, x: Tensor) -> Iterator[Tensor | None]:
    x = x.clone().requires_grad_()
    y = f(x)
    g = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).sin().reshape(y.shape)
    given = g.clone()
    yield from torch.autograd.grad(y, [x, *f.parameters()], given, allow_unused=True)
    yield given if torch.equal(given, g) else None


def chunks(make: Callable[[], Any], x: Tensor, size: int) -> Iterator[Tensor | None]:
    stream, given = make().double(), x.clone()
    for _ in range(2):
        yield torch.cat([*(stream(chunk) for chunk in torch.split(given, size, -1)), stream.flush()], -1)
    stream(x)
    stream.reset()
    yield stream(given)
    yield given if torch.equal(given, x) else None


@pytest.mark.parametrize(("operator", "direction"), GROUPS)
def test_every_mutant_is_wrong(operator: str, direction: str) -> None:
    """In double precision, beside Torch's own computation: by more than any order of summation explains."""
    rng = np.random.default_rng(5)
    results: Iterable[tuple[Tensor | None, Tensor | None]]
    for each in group(operator, direction):
        layer = each.layer(0)
        twin, wrong = right(direction).make(layer), each.make(layer)
        differ = False
        for time in TIMES[::3] if direction == "backward" else TIMES:
            x = torch.from_numpy(rng.standard_normal((2, layer.in_channels or 2, time)))
            if direction == "forward":
                results = zip(outputs(wrong.double(), x), outputs(twin.double(), x), strict=False)
            elif direction == "backward" and time > 4:
                results = zip(gradients(wrong.double(), x), gradients(twin.double(), x), strict=True)
            elif direction == "streaming" and time > 16:
                cuts = [zip(chunks(wrong, x, size), chunks(twin, x, size), strict=True) for size in (1, 7, 64)]
                results = chain.from_iterable(cuts)
            else:
                continue
            with torch.set_grad_enabled(direction == "backward"):
                differ = differ or any(apart(a, b) for a, b in results)
        assert differ, each.name


def test_every_reported_fault_has_its_mutants() -> None:
    assert set(FAULTS) <= {m.fault for m in registered()}
    assert {m.direction for m in registered()} == set(DIRECTIONS)
    assert len(registered()) >= 45
    assert {"convt", "conv", "shuffle", "filter"} <= {m.operator for m in registered() if m.fault == "kernel flipped"}


def test_every_seed_draws_other_weights() -> None:
    flipped = find("convt: kernel flipped")
    assert flipped.layer(3) == flipped.layer(3)
    assert flipped.layer(3) != flipped.layer(4)


def test_names_are_given_once_and_found_again() -> None:
    with pytest.raises(ValueError, match="'convt: kernel flipped'; allowed: a name that is not taken"):
        mutant("kernel flipped", convt=lambda rng: Nearest(2))(correct)
    with pytest.raises(ValueError, match="operators of a mutant: got none"):
        mutant("nothing wrong")
    with pytest.raises(ValueError, match="direction"):
        mutant("nothing wrong", direction="sideways", nearest=lambda rng: Nearest(2))
    with pytest.raises(ValueError, match="did you mean 'convt: kernel flipped'"):
        find("convt: kernel fliped")


def test_torch_samples_are_those_of_the_installed_torch() -> None:
    """Shapes and options, as Torch's own tests make them."""
    from torch.testing._internal.common_methods_invocations import op_db

    names = {"convt": "nn.functional.conv_transpose1d", "conv": "nn.functional.conv1d"}
    for operator, name in names.items():
        info: Any = next(op for op in op_db if op.name == name)
        theirs = [
            (tuple(s.input.shape), tuple(s.args[0].shape), s.args[1] is not None)
            for s in info.sample_inputs("cpu", torch.float32)
            if s.input.ndim == 3
        ]
        ours = [(shape, w.weight.shape, w.bias is not None) for w, shape in samples(operator, np.random.default_rng(0))]
        assert ours == theirs


def test_baselines_draw_from_their_seed_and_leave_torchs_numbers() -> None:
    """A mutant that draws noise is told, or not, in every run alike."""
    chancy, held = find("convt backward: noise in the gradient"), torch.random.get_rng_state()
    for baseline in BASELINES.values():
        told = []
        for seed in range(6):
            torch.manual_seed(seed)
            told.append(baseline(chancy, 0))
        assert len(set(told)) == 1
    torch.manual_seed(5)
    on_one_random_input(chancy, 0)
    left = torch.random.get_rng_state()
    torch.manual_seed(5)
    assert torch.equal(left, torch.random.get_rng_state())
    torch.random.set_rng_state(held)


def test_baselines_see_what_is_large_and_miss_what_is_small() -> None:
    assert all(caught(find("convt: kernel flipped"), 0) for caught in BASELINES.values())
    assert not any(caught(find("convt: relative error 3e-7 of one tap"), 0) for caught in BASELINES.values())
    assert on_torch_samples(find("convt backward: no gradient by the weight"), 0)
    assert not on_torch_samples(find("conv: taps beyond 16 dropped"), 0)
    assert on_one_random_input(find("conv streaming: stateless causal chunks"), 0)


@pytest.mark.parametrize("dtype", score.DTYPES)
def test_right_layers_raise_no_alarm(dtype: str) -> None:
    found = score.clean(dtype, 300)
    assert found.cases >= 300
    assert found.alarms == ()


def test_an_alarm_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score, "build", lambda layer: lambda x: x.repeat_interleave(2, -1).roll(1, -1))
    monkeypatch.setattr(score, "KINDS", ("nearest",))
    found = score.clean("float32", 1)
    assert len(found.alarms) == 1
    assert not score.Score((), (found,), (0,)).ok


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["mutants", *words])


def test_the_command_prints_the_score() -> None:
    done = run("-k", "nearest: index", "--seeds", "2", "--clean", "30")
    assert done.exit_code == 0, done.output
    assert "torchparity.check" in done.stdout
    assert "allclose on one random input" in done.stdout
    assert done.stdout.rstrip().endswith("seeds 0 … 1\npassed")
    assert "nearest: index by float" in run("-k", "nearest: index", "--seeds", "1", "--clean", "0", "--each").stdout


def test_the_command_gives_json() -> None:
    done = run("-k", "nearest: padding", "--seeds", "1", "--clean", "10", "--format", "json", "-j", "2")
    data = json.loads(done.stdout)
    assert data["schema"] == "torchparity.mutants/1"
    assert (data["total"], data["caught"], data["seeds"]) == (1, 1, [0])
    assert set(data["baselines"]) == set(BASELINES)
    assert data["mutants"][0]["name"] == "nearest: padding off by one"
    assert set(data["clean"]) == set(score.DTYPES)
    assert all(c["cases"] >= 10 and not c["alarms"] for c in data["clean"].values())


MINE = """
from dspref import Nearest
from torchparity.mutants import mutant
from torchparity.mutants.correct import correct, grid, parts, split

@mutant("nothing wrong at all", nearest=lambda rng: Nearest(2))
def nothing_wrong(x, p):
    return correct(x, p)
"""


def test_mutants_of_ones_own_are_added_and_a_survivor_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    done = run("--add", str(tmp_path / "mine.py"), "-k", "nothing wrong", "--seeds", "1", "--clean", "0")
    removed("nearest: nothing wrong at all")
    assert done.exit_code == 1
    assert "survived: nearest: nothing wrong at all (exact)" in done.stdout


DOUBLE = """
import torch
from dspref import TransposedConv
from torchparity.mutants import mutant

@mutant("tap of double precision lost", convt=lambda rng: TransposedConv(rng.standard_normal((2, 1, 4)), stride=2))
def lost(x, p):
    return torch.nn.functional.conv_transpose1d(x[:, 1:], p.weight[1:], stride=p.stride)
"""


def test_a_mutant_of_double_precision_is_found_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "doubled_mutants.py").write_text(DOUBLE)
    for _ in range(2):  # added once, whatever the number of times that it is named
        done = run("--add", "doubled_mutants", "-k", "double precision", "--seeds", "1", "--clean", "0", "--each")
        assert done.exit_code == 0, done.output
    removed("convt: tap of double precision lost")


ADDED = {
    "fails.py": "import nosuchthing",
    "syntax.py": "def (",
    "taken.py": MINE.replace("nothing wrong at all", "padding off by one"),
}
REFUSED = {
    "fails.py": "fails.py, which does not import (ModuleNotFoundError: No module named 'nosuchthing'); allowed",
    "syntax.py": "which does not import (SyntaxError",
    "taken.py": "which does not import (ValueError: name of a mutant: got 'nearest: padding off by one'; allowed",
    "no.mod": "mutants to add: got no.mod, which does not import (ModuleNotFoundError",
    "nowhere.py": "nowhere.py, no file; allowed: pkg.mod or path/file.py",
}


@pytest.mark.parametrize("place", REFUSED)
def test_what_cannot_be_added_is_told(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in ADDED.items():
        (tmp_path / name).write_text(text)
    done = run("--add", place)
    assert (done.exit_code, done.stdout) == (2, "")
    assert REFUSED[place] in done.stderr


@pytest.mark.parametrize("words", [("-k", "no such words"), ("--add", "nowhere.py"), ("--seeds", "0")])
def test_bad_options_are_told(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert "Error: " in done.output
