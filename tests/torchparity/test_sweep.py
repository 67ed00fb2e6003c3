"""Sweeps: expected beside measured, rows that fail, ledgers and shards, and what is written."""

from __future__ import annotations

import csv
import io
import json
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from time import perf_counter
from typing import Any

import jsonschema
import numpy as np
import pytest
from joblib import parallel_config

from dspref import NotAnalysable, parse, tone_lines
from dspref.expected.network import Drawn
from dspref.expected.source import Source
from dspref.expected.spectrum import expected_spectrum
from dspref.spectrum.measure import SEVEN_TERMS, average_spectrum
from torchparity.audit import Audit, audit
from torchparity.formats import schema
from torchparity.ledger import ledger
from torchparity.measure import Measured
from torchparity.sweep import Sweep, merge, sweep
from torchparity.sweep_expected import as_seen
from torchparity.sweep_grid import Architecture, Grid, Row, families, rows
from torchparity.sweep_row import Asked, done, factory, looked
from torchparity.sweep_tables import columns, to_csv, to_html, to_jsonl, to_text

SMALL = Grid((Architecture("convt k{3,4} s2 p1 | {relu,tanh} | conv k3 p1"),), ("6",), sr=Fraction(16000))

FILE = """
import os, time
from torch import nn
def up(): return nn.Sequential(nn.ConvTranspose1d(2, 1, 4, 2))
def ends(): os._exit(3)
def hangs(): time.sleep(60)
def raises(): raise RuntimeError("=no <b>luck</b>")
def flat(): return nn.Conv1d(2, 1, 3)
number = 3
"""


def alike(made: Sweep) -> list[dict[str, Any]]:
    """Return the rows without what they took."""
    return [{name: value for name, value in row.items() if name != "seconds"} for row in made.rows]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that take no time: what is tested is who does them, and when."""

    def told(row: Row, asked: Asked) -> dict[str, Any]:
        return {"architecture": row.words, "asked": repr(asked), "status": "ok", "seconds": perf_counter()}

    monkeypatch.setattr("torchparity.sweep.done", told)


@pytest.fixture(scope="module")
def small() -> Sweep:
    return sweep(SMALL, seeds=2)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """Rows of all kinds, bad ones among them."""
    file = tmp_path_factory.mktemp("nets") / "net.py"
    file.write_text(FILE)
    bad = Architecture("convt k4 s2", "=1+1", channels="1,2,3")
    found = Architecture(f"{file}:{{up,ends,raises,flat,number,nothing}}")
    return sweep(Grid((found, bad, Architecture("waveglow"), Architecture("conv k3"))))


def test_a_row_is_what_an_audit_of_its_network_says(small: Sweep) -> None:
    """Each number again, by the way of a single audit, and of the chain alone."""
    for row, made in zip(rows(SMALL), small.rows, strict=True):
        chain = parse(row.words)
        found = audit(factory(row), sr=row.sr, seeds=range(2))
        assert (made["architecture"], made["status"], made["factor"]) == (row.words, "ok", chain.factor)
        assert made["possible_lines"] == len(tone_lines(chain)) - 1 == chain.factor // 2
        assert made["grid_hz"] == 16000 / chain.factor
        assert made["warnings"] == sum(f.level == "warning" for f in found.findings)
        (m,) = (side for side in made["measured"] if side["input"] == "noise")
        runs = [r.lines[1] for r in found.runs if r.input == "noise"]
        level, floor = (np.mean([10 ** (getattr(r, name) / 10) for r in runs]) for name in ("level_db", "floor_db"))
        assert m["level_db"] == round(float(10 * np.log10(level)), 2)
        assert m["over_floor_db"] == round(float(10 * np.log10(level / floor)), 2)
        assert (m["hz"], m["standing"]) == (8000, int(level >= 10 * floor))


@pytest.mark.usefixtures("quick")
def test_rows_stand_in_the_grids_order_whatever_the_order_of_work(tmp_path: Path) -> None:
    """Broken off after one row, gone on with, and split into shards: the same rows."""

    def stop(done: int, due: int, bad: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    path = tmp_path / "rows.jsonl"
    with pytest.raises(KeyboardInterrupt):
        sweep(SMALL, seeds=2, resume=path, progress=stop)
    before, seen = path.read_bytes(), list[tuple[int, int, int]]()
    resumed = sweep(SMALL, seeds=2, resume=path, progress=lambda *told: seen.append(told))
    assert path.read_bytes().startswith(before)
    assert seen == [(done, 4, 0) for done in (1, 2, 3, 4)]
    parts = [tmp_path / f"{i}.jsonl" for i in (1, 2, 3)]
    for i, part in enumerate(parts, 1):
        sweep(SMALL, seeds=2, resume=part, shard=(i, 3))
    assert alike(resumed) == alike(sweep(SMALL, seeds=2)) == alike(merge(parts[::-1]))
    assert [row["row"] for row in resumed.rows] == [1, 2, 3, 4]
    assert merge([path]).rows == resumed.rows
    with pytest.raises(ValueError, match="every shard of a sweep, each once"):
        merge(parts[:2])


def test_processes_and_threads_find_the_same(small: Sweep) -> None:
    with parallel_config(backend="threading", n_jobs=2):
        assert alike(sweep(SMALL, seeds=2)) == alike(small)


@pytest.mark.usefixtures("quick")
def test_a_torn_row_is_done_again_and_told(tmp_path: Path) -> None:
    path, told = tmp_path / "rows.jsonl", list[str]()
    sweep(SMALL, seeds=2, resume=path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match="1 rows short"):
        merge([path])
    assert alike(sweep(SMALL, seeds=2, resume=path, note=told.append)) == alike(sweep(SMALL, seeds=2))
    assert told == [f"{path}: 1 unfinished row dropped"]


@pytest.mark.parametrize(
    ("grid", "more", "match"),
    [
        (Grid((Architecture("convt k3 s2"),)), {}, "grid from 'convt k3 s2 p1 .* and not from 'convt k3 s2'"),
        (SMALL, {"seeds": 3}, "seeds 2 and not 3"),
        (SMALL, {"seed": 1, "seeds": 2}, "seed 0 and not 1"),
        (SMALL, {"seeds": 2, "inputs": ["noise"]}, "inputs .* and not "),
        (SMALL, {"seeds": 2, "shard": (1, 2)}, "shard .* and not "),
    ],
)
@pytest.mark.usefixtures("quick")
def test_the_file_of_another_sweep_is_refused_and_left(
    grid: Grid, more: dict[str, Any], match: str, tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"

    def stop(done: int, due: int, bad: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(SMALL, seeds=2, resume=path, progress=stop)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"other work: .*{match}"):
        sweep(grid, resume=path, **more)
    assert path.read_bytes() == before


def test_the_ledger_of_other_work_is_no_sweep(tmp_path: Path) -> None:
    with ledger(tmp_path / "sums", {"work": "sums"}):
        pass
    with pytest.raises(ValueError, match="of other work; allowed: the ledger of a sweep"):
        merge([tmp_path / "sums"])


@pytest.mark.parametrize(
    ("more", "match"),
    [
        ({"inputs": ["nois"]}, "did you mean 'noise'"),
        ({"inputs": []}, "inputs: got none"),
        ({"inputs": ["noise", "noise"]}, "each once"),
        ({"seeds": 0}, "seeds"),
        ({"shard": (3, 2)}, "shard: got 3/2"),
        ({"seconds": 0}, "time limit"),
        ({"limit": 3}, "4 rows; allowed: at most 3"),
    ],
)
def test_options_are_checked_before_any_work(more: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        sweep(SMALL, progress=lambda *told: pytest.fail("work began"), **more)


def test_bad_rows_say_why_and_the_others_go_on(mixed: Sweep) -> None:
    found = {row["architecture"].rpartition(":")[2]: (row["status"], row["why"] or "") for row in mixed.rows}
    assert [status for status, _ in found.values()] == [
        *("ok", "failed", "refused", "refused", "refused", "refused"),
        *("refused", "ok", "refused"),
    ]
    due = {
        "ends": "ended the process: exit code 3",
        "raises": "=no <b>luck</b>",
        "flat": "upsampling layers: got none",
        "number": "of type int",
        "nothing": "nothing",
        "convt k4 s2": "channels: got 3 numbers; allowed: 2",
        "conv k3": "upsampling layers: got none",
    }
    for name, words in due.items():
        assert words in found[name][1], found[name]
    assert mixed.headline == "9 rows: 2 ok, 6 refused, 1 failed"


def test_a_row_that_hangs_is_ended(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(FILE)
    (row,) = rows(Grid((Architecture(f"{tmp_path}/net.py:hangs"),)))
    made = done(row, Asked(seconds=0.3))
    assert (made["status"], made["why"]) == ("failed", "hung: nothing new for 0.3 s")
    assert made["seconds"] < 10


def test_what_the_theory_does_not_cover_is_said(mixed: Sweep) -> None:
    (flow,) = (row for row in mixed.rows if row["name"] == "waveglow")
    due = flow["measured"][0]["expected"]
    assert (due["level_db"], due["standing"], due["hz"]) == (None, None, None)
    assert "unsqueeze" in due["why"]
    (up,) = (row for row in mixed.rows if row["architecture"].endswith(":up"))
    assert up["measured"][0]["expected"]["why"] is None  # of a target one draw is read


def test_measured_levels_are_those_expected_within_their_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A linear network: its expected levels are exact. 20 draws, five standard errors of their mean."""
    (row,) = rows(Grid((Architecture("convt k5 s3 | conv k3 p1"),), ("12",), biases=(False,)))
    runs: list[Measured] = []

    def kept(*given: Any, **options: Any) -> Audit:
        found = audit(*given, **options)
        runs.extend(found.runs)
        return found

    monkeypatch.setattr("torchparity.sweep_row.audit", kept)
    made = looked(row, Asked(seeds=20))
    for side in made["measured"]:
        levels = np.array([10 ** (r.lines[1].level_db / 10) for r in runs if r.input == side["input"]])
        due = 10 ** (side["expected"]["level_db"] / 10)
        noise = 10 ** ((side["level_db"] - side["over_floor_db"]) / 10)
        assert abs(levels.mean() - due) < 5 * levels.std() / np.sqrt(levels.size) + noise
        assert side["hz"] == side["expected"]["hz"] == float(Fraction(1, 3))


def test_an_expected_spectrum_is_seen_as_the_mean_of_measured_ones() -> None:
    """Coloured noise and a line, 400 times, five standard errors; and in closed form where the noise is white."""
    found = expected_spectrum([Drawn("convt", 8, 1, 6, factor=4)], Source(8, 1.0, (1.0, 0.4)))
    rng, N = np.random.default_rng(0), 512
    r = np.zeros(N)
    r[found.lags], r[-found.lags] = found.covariance, found.covariance
    shape = np.sqrt(np.maximum(np.fft.fft(r).real, 0))
    c, n = np.sqrt(found.line(1)), np.arange(N)
    drawn = []
    for _ in range(400):
        e = np.fft.ifft(np.fft.fft(rng.normal(size=N)) * shape).real
        y = e + 2 * c * np.cos(2 * np.pi * (n / 4 + rng.random()))
        drawn.append(average_spectrum(y, 4, bins_per_line=N // 4).power)
    mean, error = np.mean(drawn, axis=0), np.std(drawn, axis=0) / np.sqrt(len(drawn))
    seen = as_seen(found, N)
    k = np.array([20, 60, 110, 128, 160, 200, 240])  # 7 bins and more from the other lines
    assert (np.abs(mean - seen.power)[k] < 5 * error[k]).all()
    white = expected_spectrum([Drawn("convt", 8, 1, 8, factor=4, bias=0)], Source(8, 1.0, (1.0,)))
    bins = 1 + sum((a / SEVEN_TERMS[0]) ** 2 for a in SEVEN_TERMS[1:]) / 2
    due = 10 * np.log10(1 + white.line(1) * N / (bins * white.noise))
    assert as_seen(white, N).line(Fraction(1, 4)).height_db == pytest.approx(due, abs=1e-6)


def test_every_line_of_json_is_valid_and_wrong_ones_are_not(small: Sweep, mixed: Sweep) -> None:
    checker = jsonschema.Draft202012Validator(schema("sweep"))
    lines = [json.loads(line) for line in (to_jsonl(small) + to_jsonl(mixed)).splitlines()]
    assert len(lines) == 13
    assert [error.message for line in lines for error in checker.iter_errors(line)] == []
    ok, bad = lines[0], lines[-1]
    for wrong in (
        ok | {"why": "x"},
        ok | {"measured": []},
        bad | {"status": "ok"},
        ok | {"more": 1},
        ok | {"row": 0},
        bad | {"why": None},
    ):
        assert not checker.is_valid(wrong)


def test_csv_reads_back_and_holds_no_formula(small: Sweep, mixed: Sweep) -> None:
    for made in (small, mixed):
        page = to_csv(made)
        assert page.count("\r\n") == len(made.rows) + 1  # no line breaks within
        assert page.replace("\r\n", "").count("\n") == 0
        found = list(csv.DictReader(io.StringIO(page, newline=""), strict=True))
        assert list(found[0]) == list(columns(made))
        for cells, row in zip(found, made.rows, strict=True):
            assert (cells["row"], cells["status"], cells["architecture"]) == (
                str(row["row"]),
                row["status"],
                row["architecture"],
            )
            for side in row["measured"]:
                assert float(cells[f"{side['input']}_level_db"]) == side["level_db"] < 0
    assert [row["name"] for row in csv.DictReader(io.StringIO(to_csv(mixed), newline=""))][6] == "'=1+1"


class Page(HTMLParser):
    """The tags of a page, and the words of its cells."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "td":
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "td":
            self.cells[-1] += data


def test_html_stands_alone_and_is_escaped(mixed: Sweep) -> None:
    page = Page()
    page.feed(text := to_html(mixed))
    assert {"src", "href"} & {name for _, attributes in page.tags for name in attributes} == set()
    assert "http:" not in text.replace("http-equiv", "")
    assert "https:" not in text
    assert [tag for tag, _ in page.tags].count("b") == 0
    assert any("=no <b>luck</b>" in cell for cell in page.cells)
    width = len(columns(mixed)) - 1
    assert len(page.cells) == width * len(mixed.rows)
    assert page.cells[::width] == [str(row["row"]) for row in mixed.rows]


def test_text_fits_and_tells_refusals(mixed: Sweep) -> None:
    text = to_text(mixed)
    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith("9 rows: 2 ok, 6 refused, 1 failed\n")
    assert "row 2 failed: ended the process: exit code 3" in text


def test_a_forecast_by_narrow_terms_alone_is_marked() -> None:
    text = to_text(
        sweep(Grid(families("nearest", "4", "2s", last="leaky 0.2 | conv k1"), ("8,8,1",)), inputs=["noise"])
    )
    assert text.splitlines()[4].endswith("?")


def test_many_rows_are_cut_and_that_is_said(small: Sweep) -> None:
    long = Sweep(small.header, tuple(row | {"row": i} for i in range(1, 51) for row in small.rows[:1]))
    assert "10 more rows: -o FILE.csv, .jsonl or .html has them all." in to_text(long)


def test_no_error_of_a_row_ends_a_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(row: object, asked: object) -> None:
        raise NotAnalysable("not this one")

    monkeypatch.setattr("torchparity.sweep_row.looked", broken)
    assert done(rows(SMALL)[0], Asked())["status"] == "refused"
