"""The score: which mutants a check catches, beside plainer checks, and whether it leaves right layers alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np

from dspref.arrays import NotAnalysable
from torchparity.build import build
from torchparity.draws import KINDS, draw_layer
from torchparity.mutants.baselines import BASELINES
from torchparity.mutants.registry import Mutant
from torchparity.parity import check
from torchparity.streams import check_stream
from torchparity.verdict import Coverage, Verdict

SCHEMA = "torchparity.mutants/1"
DTYPES = ("float64", "float32", "bfloat16", "float16")
CAUGHT = "wrong"


@dataclass(frozen=True)
class Scored:
    """What was seen of one mutant.

    Attributes
    ----------
    name, operator, direction, fault : str
    statuses, dtypes : tuple of str
        The verdict by each seed, and the dtype in which it was given.
    looks_like, where, reason : str
        What the first verdict says; the mistake that it names is empty if it names none.
    baselines : dict
        Whether each of the plainer checks catches it.
    seconds : float
        What the checks took.
    """

    name: str
    operator: str
    direction: str
    fault: str
    statuses: tuple[str, ...]
    dtypes: tuple[str, ...]
    looks_like: str
    where: str
    reason: str
    baselines: dict[str, bool]
    seconds: float

    @property
    def caught(self) -> bool:
        """Whether every seed's verdict is "wrong"."""
        return all(status == CAUGHT for status in self.statuses)


@dataclass(frozen=True)
class Clean:
    """Right layers of random parameters in one arithmetic: the cases that were compared, and what did not pass."""

    dtype: str
    layers: int = 0
    cases: int = 0
    outputs: int = 0
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Score:
    """Mutants and right layers together.

    Examples
    --------
    >>> from torchparity.mutants import find
    >>> score = Score((scored(find("nearest: padding off by one"), [0]),), (), (0,))
    >>> score.ok, score.caught, score.baselines["allclose on one random input"]
    (True, 1, 1)
    """

    mutants: tuple[Scored, ...]
    clean: tuple[Clean, ...]
    seeds: tuple[int, ...]

    @property
    def total(self) -> int:
        """How many mutants there are."""
        return len(self.mutants)

    @property
    def caught(self) -> int:
        """How many are caught, by every seed."""
        return sum(m.caught for m in self.mutants)

    @property
    def in_double(self) -> int:
        """How many are caught in float64 alone, by some seed."""
        return sum(m.caught and "float64" in m.dtypes for m in self.mutants)

    @property
    def baselines(self) -> dict[str, int]:
        """How many each of the plainer checks catches."""
        return {name: sum(m.baselines[name] for m in self.mutants) for name in BASELINES}

    @property
    def ok(self) -> bool:
        """Whether every mutant is caught, and no right layer raised an alarm."""
        return self.caught == self.total and not any(c.alarms for c in self.clean)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, schema "torchparity.mutants/1"."""
        counts = {"total": self.total, "caught": self.caught, "in_double": self.in_double, "baselines": self.baselines}
        mutants = [{"caught": m.caught, **asdict(m)} for m in self.mutants]
        clean = {c.dtype: {k: v for k, v in asdict(c).items() if k != "dtype"} for c in self.clean}
        return {"schema": SCHEMA, "ok": self.ok, **counts, "seeds": self.seeds, "clean": clean, "mutants": mutants}

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def verdict(mutant: Mutant, seed: int) -> Verdict:
    """Return what the check says of a mutant: the stream's, or the layer's, with gradients where they are wrong.

    In float32, and what passes there in float64: a fault that rounding can explain in one shows in the other.

    Examples
    --------
    >>> from torchparity.mutants import find
    >>> verdict(find("convt: kernel flipped"), 0).looks_like
    'kernel flipped'
    """
    first = _checked(mutant, seed, "float32")
    if first.status == CAUGHT:
        return first
    second = _checked(mutant, seed, "float64")
    return second if second.status == CAUGHT else first


def _checked(mutant: Mutant, seed: int, dtype: str) -> Verdict:
    layer = mutant.layer(seed)
    if mutant.direction == "streaming":
        return check_stream(mutant.make(layer), layer, dtype=dtype, seed=seed)
    return check(mutant.make(layer), layer, dtype=dtype, seed=seed, gradients=mutant.direction == "backward")


def scored(mutant: Mutant, seeds: Sequence[int]) -> Scored:
    """Check a mutant by every seed, with weights of its own, and by the baselines with the first."""
    start = perf_counter()
    verdicts = [_said(mutant, seed) for seed in seeds]
    seconds, first = perf_counter() - start, verdicts[0]
    return Scored(
        mutant.name,
        mutant.operator,
        mutant.direction,
        mutant.fault,
        tuple(v.status for v in verdicts),
        tuple(v.dtype for v in verdicts),
        first.looks_like,
        first.where,
        first.reason,
        {name: caught(mutant, seeds[0]) for name, caught in BASELINES.items()},
        seconds,
    )


def _said(mutant: Mutant, seed: int) -> Verdict:
    """Return the verdict; a refusal to check is one too, and the mutant survives it."""
    try:
        return verdict(mutant, seed)
    except NotAnalysable as refusal:
        return Verdict("inconclusive", 0.0, None, "float32", "cpu", "", "", Coverage(), reason=str(refusal))


def clean(dtype: str, cases: int, seed: int = 0, *, seen: Callable[[int], None] = lambda cases: None) -> Clean:
    """Check right layers, drawn one after another, until so many cases were compared.

    Parameters
    ----------
    dtype : str
    cases : int
        At least.
    seed : int
    seen : function of int
        Told how many cases were compared so far.

    Examples
    --------
    >>> clean("float32", 20).alarms
    ()
    """
    found = Clean(dtype)
    for name, got in _right(dtype, seed):
        if found.cases >= cases:
            break
        alarms = found.alarms if got.ok else (*found.alarms, f"{name}: {got.headline}")
        done, outputs = found.cases + got.coverage.cases, found.outputs + got.coverage.outputs
        found = Clean(dtype, found.layers + 1, done, outputs, alarms)
        seen(found.cases)
    return found


def _right(dtype: str, seed: int) -> Iterator[tuple[str, Verdict]]:
    """Yield Torch's layers for drawn ones, kind after kind, with the verdict of each."""
    rng = np.random.default_rng(seed)
    while True:
        for kind in KINDS:
            layer = draw_layer(kind, rng)
            got = check(build(layer), layer, dtype=dtype, seed=int(rng.integers(1 << 31)))
            yield got.description, got
