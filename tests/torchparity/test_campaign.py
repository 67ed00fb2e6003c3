"""One design, one result: on one process or several, in shards, broken off and resumed, and on a cluster."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import joblib
import pytest
import torch
from torch import nn

from torchparity.arithmetic import ARITHMETICS
from torchparity.build import build
from torchparity.campaign import CHUNK, Design, campaign, merge
from torchparity.campaign_report import Campaign
from torchparity.corners import CORNERS
from torchparity.draws import draw_case
from torchparity.ledger import ledger, read
from torchparity.tally import Cell, Count, Tally, total
from torchparity.trials import tallied, trial
from torchparity.upstream import KNOWN

CASES = 90
OPTIONS: dict[str, Any] = {
    "seed": 5,
    "kinds": ("convt", "conv", "nearest"),
    "dtypes": ("float32", "float64", "bfloat16"),
    "chunk": 10,
}


def told(made: Campaign) -> str:
    """Return the report without what the run took, which alone may differ."""
    data = made.to_dict()
    assert "run" in data
    del data["run"]
    return json.dumps(data, allow_nan=False)


@pytest.fixture(scope="module")
def serial() -> Campaign:
    return campaign(CASES, jobs=1, **OPTIONS)


def test_nothing_is_violated_and_every_case_counts(serial: Campaign) -> None:
    assert serial.ok
    assert serial.tally.cases == CASES
    assert {cell.kind for cell in serial.tally.cells} == set(OPTIONS["kinds"])
    assert {cell.direction for cell in serial.tally.cells} == {"forward", "input", "weight", "bias"}
    assert {cell.tier for cell in serial.tally.cells} == {1, 2}
    forward = sum(count.cases for cell, count in serial.tally.cells.items() if cell.direction == "forward")
    assert forward == CASES
    assert set(serial.verdicts) <= {"exact", "within bound", "inconclusive"}


def test_it_is_the_sum_of_its_cases(serial: Campaign) -> None:
    design = Design(CASES, **OPTIONS)
    drawn = [draw_case(i, 5, kinds=design.kinds, dtypes=design.dtypes) for i in range(CASES)]
    assert total(map(tallied, drawn)) == serial.tally


def test_the_largest_ratio_is_that_of_its_case(serial: Campaign) -> None:
    """The number in the report is enough to see the case again."""
    for cell, count in serial.tally.cells.items():
        if count.worst is not None:
            again = dict(trial(count.worst, 5, kinds=OPTIONS["kinds"], dtypes=OPTIONS["dtypes"]))
            assert again[cell].ratio == count.ratio > 0
    assert any(count.worst is not None for count in serial.tally.cells.values())


def test_several_processes_give_the_same(serial: Campaign) -> None:
    made = campaign(CASES, jobs=2, **OPTIONS)
    assert told(made) == told(serial)
    assert made.effort is not None
    assert made.effort.processes == 3
    assert made.effort.memory > 3 * 50 * 2**20


def test_another_seed_gives_another(serial: Campaign) -> None:
    assert told(campaign(CASES, **OPTIONS | {"seed": 6})) != told(serial)


def test_the_chunk_changes_nothing_that_was_seen(serial: Campaign) -> None:
    assert campaign(CASES, **OPTIONS | {"chunk": 7}).tally == serial.tally


def test_shards_together_are_the_whole(serial: Campaign, tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.jsonl" for i in (1, 2, 3)]
    shards = [campaign(CASES, shard=(i, 3), resume=path, **OPTIONS) for i, path in enumerate(paths, 1)]
    assert sum(shard.tally.cases for shard in shards) == CASES
    assert all(0 < shard.tally.cases < CASES for shard in shards)
    assert told(merge(paths[::-1])) == told(serial)
    assert merge(paths).effort is None


def test_shards_that_are_not_one_campaign_are_refused(tmp_path: Path) -> None:
    options = OPTIONS | {"kinds": ("nearest",)}
    first, second, other, short = (tmp_path / name for name in ("first", "second", "other", "short"))
    campaign(20, shard=(1, 2), resume=first, **options)
    campaign(20, shard=(2, 2), resume=second, **options)
    campaign(20, shard=(2, 2), resume=other, **options | {"seed": 0})
    short.write_bytes(second.read_bytes()[:-20])
    for paths, match in {
        (first,): "got 1/2",
        (first, first): "got 1/2, 1/2",
        (first, other): "another seed",
        (first, short): "1 pieces short",
        (): "got none",
    }.items():
        with pytest.raises(ValueError, match=match):
            merge(paths)
    assert merge([first, second]).tally.cases == 20


class Stopped(Exception):
    pass


def broken_off(path: Path, after: int) -> None:
    """Break a campaign off when so many cases are done."""

    def progress(seen: Tally, due: int) -> None:
        assert due == CASES
        if seen.cases >= after:
            raise Stopped

    with pytest.raises(Stopped):
        campaign(CASES, jobs=1, resume=path, progress=progress, **OPTIONS)


def test_a_resumed_campaign_is_the_undisturbed_one(serial: Campaign, tmp_path: Path) -> None:
    path = tmp_path / "work.jsonl"
    for after in (20, 50):
        broken_off(path, after)
        assert len(read(path).done) == after / 10
    path.write_bytes(path.read_bytes()[:-30])  # as if killed while it wrote the fifth
    made = campaign(CASES, jobs=2, resume=path, **OPTIONS)
    assert told(made) == told(serial)
    assert made.effort is not None
    assert made.effort.cases == CASES - 40


def test_a_finished_campaign_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "work.jsonl"
    first = campaign(20, resume=path, **OPTIONS)
    before = path.read_bytes()
    monkeypatch.setattr("torchparity.campaign.tallied", None)
    assert told(campaign(20, resume=path, **OPTIONS)) == told(first)
    assert path.read_bytes() == before


@pytest.mark.parametrize("change", [{"seed": 1}, {"dtypes": ("float64",)}, {"kinds": ("conv",)}, {"chunk": 5}])
def test_a_ledger_of_another_design_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "work.jsonl"
    with ledger(path, Design(CASES, **OPTIONS).header()):
        pass
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"other work: {next(iter(change))}"):
        campaign(CASES, resume=path, **OPTIONS | change)
    assert path.read_bytes() == before


def test_a_ledger_of_another_torch_is_refused(tmp_path: Path) -> None:
    path, header = tmp_path / "work.jsonl", Design(CASES, **OPTIONS).header()
    with ledger(path, header | {"versions": header["versions"] | {"torch": "2.6.0"}}):
        pass
    with pytest.raises(ValueError, match="versions"):
        campaign(CASES, resume=path, **OPTIONS)


def test_nothing_of_the_clock_is_in_the_ledger(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a", "b")]
    for path in paths:
        campaign(20, resume=path, **OPTIONS)
    assert paths[0].read_bytes() == paths[1].read_bytes()


class Shifted(nn.Module):
    """A layer whose output is late by a sample."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.layer(x).roll(1, -1)
        return y


def test_a_wrong_layer_is_found_counted_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong_build(layer: Any) -> nn.Module:
        return Shifted(build(layer)) if layer.op == "nearest" else build(layer)

    monkeypatch.setattr("torchparity.trials.build", wrong_build)
    made = campaign(CASES, jobs=1, **OPTIONS)
    assert not made.ok
    assert {violation.cell.kind for violation in made.tally.violations} == {"nearest"}
    wrong = sum(count.verdicts.get("wrong", 0) for count in made.tally.cells.values())
    assert made.tally.violated == wrong > 20
    assert made.headline.startswith(f"{wrong} violations in {CASES} cases")
    first = made.tally.violations[0]
    assert dict(eval(made.again(first.case), {"trial": trial}))[first.cell].status == "wrong"
    assert f"wrong in case {first.case} (nearest" in made.to_text()
    assert json.loads(made.to_json())["ok"] is False


def test_torch_works_on_one_thread_and_gets_its_threads_back(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()

    def spied(layer: Any) -> nn.Module:
        seen.add(torch.get_num_threads())
        return build(layer)

    monkeypatch.setattr("torchparity.trials.build", spied)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        campaign(5, jobs=1, **OPTIONS)
        assert (seen, torch.get_num_threads()) == ({1}, 2)
    finally:
        torch.set_num_threads(before)


def test_memory_does_not_grow_with_the_number_of_cases() -> None:
    """What is kept of a campaign is its cells and corners, however many cases there were."""
    sizes = [len(campaign(n, jobs=1, **OPTIONS | {"kinds": ("nearest",)}).to_json()) for n in (300, 1200)]
    assert sizes[1] < 1.2 * sizes[0]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"cases": 0}, "cases: got 0"),
        ({"seed": -1}, "seed: got -1"),
        ({"chunk": 0}, "chunk: got 0"),
        ({"kinds": ()}, "kinds: got none"),
        ({"kinds": ("conv", "conv")}, "each once"),
        ({"kinds": ("convv",)}, "did you mean 'conv'"),
        ({"dtypes": ("float8",)}, "dtypes: got 'float8'"),
        ({"shard": (0, 2)}, "shard: got 0/2"),
        ({"shard": (3, 2)}, "shard: got 3/2"),
        ({"device": "nowhere"}, "device: got 'nowhere'"),
    ],
)
def test_a_design_that_makes_no_sense_is_refused(options: dict[str, Any], match: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {"cases": 5, "resume": tmp_path / "work.jsonl"}
    with pytest.raises(ValueError, match=match):
        campaign(**given | options)
    assert list(tmp_path.iterdir()) == []


def test_spans_of_all_shards_are_all_cases_once() -> None:
    spans = [span for i in (1, 2, 3) for span in Design(1001, shard=(i, 3)).spans.values()]
    assert sorted(case for span in spans for case in span) == list(range(1001))
    assert {len(span) for span in spans} == {CHUNK, 1}


@contextmanager
def cluster(workers: int) -> Iterator[None]:
    """Run joblib's work on a Dask cluster of processes of this machine."""
    import distributed

    dask: Any = distributed
    options: dict[str, Any] = {"threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with (
        warnings.catch_warnings(action="ignore"),  # on its ports, files and event loop: not about results
        dask.LocalCluster(n_workers=workers, **options) as local,
        dask.Client(local),
        joblib.parallel_config(backend="dask"),
    ):
        yield


@pytest.mark.skipif(find_spec("distributed") is None, reason="needs a Dask cluster: pip install distributed")
def test_a_dask_cluster_gives_the_same(serial: Campaign) -> None:
    with cluster(2):
        made = campaign(CASES, **OPTIONS)
    assert told(made) == told(serial)
    assert made.effort is not None
    assert made.effort.processes == 3  # two workers, and this one


def test_the_text_is_80_columns_wide_and_its_rows_add_up() -> None:
    """A row for each kind and arithmetic, however many directions and tiers there are, and in the largest numbers."""
    arithmetics, kinds = sorted(ARITHMETICS), tuple(sorted(CORNERS))
    count = Count(100_000, 10**9, 0, 0.9876, 999_999, {"wrong": 1, "inconclusive": 20, "exact": 40_000})
    cells = {Cell(k, a, d, t): count for k in kinds for a in arithmetics for d in ("forward", "bias") for t in (1, 2)}
    lines = Campaign({"kinds": kinds, "seed": 0}, Tally(10**6, cells)).to_text().splitlines()
    rows = [line for line in lines if line.startswith(kinds)]
    assert len(rows) == len(kinds) * len(arithmetics)
    assert max(map(len, lines[: lines.index("") + len(rows) + 6])) <= 80
    assert rows[-1].split() == [kinds[-1], arithmetics[-1], "160000", "0", "84", "0.988", "bias", "999999"]


def test_how_often_a_fault_was_met_is_said_in_words() -> None:
    texts = [Campaign({"kinds": (), "seed": 0}, Tally(2, known={KNOWN[0].name: n})).to_text() for n in (1, 2)]
    assert [re.findall("known fault of Torch, (met .*?):", text) for text in texts] == [["met once"], ["met 2 times"]]
