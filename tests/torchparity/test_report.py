"""Reports of audits: every form says the same, is safe against hostile names, and needs nothing else."""

from __future__ import annotations

import base64
import copy
import html
import io
import json
import re
import wave
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dspref import parse
from dspref.artifacts.rules import RULES
from dspref.claims import claim
from dspref.sounds import FADE, PEAK_DB, RMS_DB, limit, wav
from torchparity import report
from torchparity.against import compare
from torchparity.audit import Audit, audit, audit_architecture
from torchparity.formats import schema
from torchparity.judged import Finding
from torchparity.report.cards import CLAIMS, cards
from torchparity.report.html import embedded
from torchparity.report.markdown import plain
from torchparity.report.sounds import SECONDS, sounds
from torchparity.report.text import text_of
from torchparity.report.thrift import compact, cut
from torchparity.report.words import finest, limits, new_lines, owned, upsamplers
from torchparity.spine import Seen

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>'\"&amp;$\\frac{a}$`|\x1b\u2028"


def chain() -> nn.Module:
    return nn.Sequential(nn.ConvTranspose1d(2, 2, 8, 4, 2), nn.LeakyReLU(0.2), nn.ConvTranspose1d(2, 1, 4, 2, 1))


@cache
def small() -> Audit:
    return audit(chain, name="small", sr=16000)


@cache
def hostile() -> Audit:
    """Return an audit in which every free text is hostile."""
    found, made = small(), replace(small().cures[0], words=HOSTILE)
    seen = Seen(HOSTILE, HOSTILE, None, HOSTILE)
    notes = (Finding("error", HOSTILE), Finding("note", HOSTILE))
    spine = replace(found.spine, seen=(*found.spine.seen, seen))
    words: dict[str, Any] = {"name": HOSTILE, "remarks": (HOSTILE,), "checkpoint": HOSTILE, "runs": ()}
    changed = replace(found, **words, notes=notes, spine=spine, cures=(made,))
    same = compare(report.to_dict(found), report.to_dict(found))
    return replace(changed, against=replace(same, before=HOSTILE, remarks=(HOSTILE,)))


@cache
def recorded() -> Audit:
    tone = np.sin(0.3 * np.arange(6000))
    return audit(lambda: nn.ConvTranspose1d(1, 1, 4, 2, 1), name="mono", recording=tone, recorded=8000)


@cache
def architecture() -> Audit:
    return audit_architecture(parse("convt k8 s4 p2 | leaky 0.2 | convt k4 s2 p1"), name="words", sr=16000)


class Branched(nn.Module):
    """Up by 6 on four ways: by 2 · 3, by 3 · 2, by 6, and by nearest."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.ConvTranspose1d(1, 1, 4, 2, 1), nn.ConvTranspose1d(1, 1, 3, 3)
        self.c, self.d = nn.ConvTranspose1d(1, 1, 3, 3), nn.ConvTranspose1d(1, 1, 4, 2, 1)
        self.e = nn.ConvTranspose1d(1, 1, 12, 6, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.b(self.a(x)) + self.d(self.c(x)) + self.e(x) + nn.functional.interpolate(x, scale_factor=6)
        return torch.as_tensor(y)


@cache
def branched() -> Audit:
    return audit(Branched, name="branched", sr=16000, signals=("constant",))


MADE: dict[str, Callable[[], Audit]] = {
    "small": small,
    "hostile": hostile,
    "recorded": recorded,
    "architecture": architecture,
    "branched": branched,
}


@cache
def page(name: str) -> str:
    command = f"torchparity audit {HOSTILE}"
    return str(report.render(MADE[name](), ".html", command=command, target="my/up.py:make"))


class Elements(HTMLParser):
    """What a browser makes of a page: elements with their attributes, and text by element."""

    VOID = ("meta", "link", "img", "br", "path", "use", "rect")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.text.setdefault(self.open[-1], []).append(data)


def of(elements: Elements, tag: str) -> list[dict[str, str | None]]:
    return [attrs for name, attrs in elements.tags if name == tag]


@pytest.mark.parametrize("name", MADE)
def test_real_documents_are_valid(name: str) -> None:
    document = report.to_dict(MADE[name](), command="torchparity audit", target="a:b")
    jsonschema.validate(document, schema("audit"), cls=jsonschema.Draft202012Validator)
    assert json.loads(report.to_json(MADE[name]()))["verdict"] == document["verdict"]


BROKEN: dict[str, Callable[[dict[str, Any]], object]] = {
    "a field more": lambda d: d.update(extra=1),
    "a field less": lambda d: d["runs"][0].pop("judged"),
    "another schema": lambda d: d.update(schema="torchparity.audit/1"),
    "an unknown verdict": lambda d: d["verdict"].update(status="fine"),
    "contradicted without an error": lambda d: d["verdict"].update(status="contradicted"),
    "an error without a contradiction": lambda d: d["findings"].append({"level": "error", "text": "no"}),
    "a rule of another kind": lambda d: d["cards"][0].update(rule="TP001"),
    "a frequency in words": lambda d: d["lines"][0].update(hz_exact="0 Hz"),
    "a level that is infinite": lambda d: d["lines"][0].update(predicted_db="-inf"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_wrong_document_is_refused(what: str) -> None:
    document = copy.deepcopy(report.to_dict(small()))
    BROKEN[what](document)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema("audit"), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("name", MADE)
def test_a_page_needs_nothing_and_runs_nothing(name: str) -> None:
    elements = Elements(page(name))
    assert elements.open == []
    assert page(name).startswith("<!DOCTYPE html>")
    assert len(page(name).encode()) < 1_000_000
    assert of(elements, "script") == [{"type": "application/json", "id": "audit"}]
    links = [v for _, a in elements.tags for k, v in a.items() if k in ("src", "href", "xlink:href", "data") and v]
    assert [link[:40] for link in links if not link.startswith(("data:", "#"))] == []
    assert [name for _, attrs in elements.tags for name in attrs if name.startswith("on")] == []
    assert re.findall(r"url\((?!#)", page(name)) == []
    (policy,) = [a["content"] for a in of(elements, "meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:"


@pytest.mark.parametrize("name", MADE)
def test_a_page_can_be_read_by_all(name: str) -> None:
    """It has a language, one title, headings in order, names for figures and players, heads for columns."""
    elements = Elements(page(name))
    assert of(elements, "html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in elements.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(a.get("aria-label") for tag in ("figure", "audio", "nav") for a in of(elements, tag))
    assert all(a.get("scope") for a in of(elements, "th"))
    ids = [a["id"] for _, a in elements.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    anchors = {str(a["href"]) for a in of(elements, "a")}
    assert anchors <= {f"#{id}" for id in ids}


def test_text_says_what_the_chain_does_besides_lines() -> None:
    found = audit_architecture(parse("nearest x4 | conv k9 p4 | nearest x2"), name="copies", sr=16000)
    text = " ".join(report.to_text(found).split())
    assert "UA201 nulls of an interpolator: layers 1, 2; the last: at 8000 Hz; H(k/2) = 0 for k = 1" in text
    rules = {card["rule"] for card in report.to_dict(found)["cards"] if card["family"] != "tones"}
    assert {rule.id for rule in RULES if f"{rule.id} " in text} == rules


@pytest.mark.parametrize(
    ("inputs", "unjudged", "status", "words"),
    [
        (("silence", "noise"), (), "explained", "every peak is explained by an upsampling layer"),
        (
            ("constant", "noise"),
            ("noise",),
            "partly explained",
            "on constant, every peak .*; none on noise: the output",
        ),
        (
            ("constant", "noise", "sweep"),
            ("sweep",),
            "explained",
            "on constant and noise, .*; none on the sweep, which",
        ),
        (("sweep",), ("sweep",), "none", "none on the sweep, which has peaks of its own"),
        (("noise",), ("noise",), "none", "none on noise: the output is too short"),
    ],
)
def test_a_verdict_is_of_what_was_measured_alone(
    inputs: tuple[str, ...], unjudged: tuple[str, ...], status: str, words: str
) -> None:
    noise = small().runs[1]
    runs = tuple(replace(noise, input=each, segments=1 if each in unjudged else noise.segments) for each in inputs)
    assert [r.input for r in runs if not r.judged] == list(unjudged)
    verdict = report.to_dict(replace(small(), runs=runs))["verdict"]
    assert verdict["status"] == status
    assert re.fullmatch(words + ("" if status == "explained" and not unjudged else ".*"), verdict["text"])


def test_the_finest_comb_is_said_exactly() -> None:
    document = report.to_dict(replace(small(), sr=Fraction(16000) / 3))
    assert "every 8000/3 Hz = 2666.66… Hz (noise)" in finest(document)
    del document["expected"][-1]["finest_hz_exact"]  # as in pages that were written before there was one
    assert "(noise)" in finest(document)


def test_text_says_where_theory_ends_and_limits_say_it_once() -> None:
    document = copy.deepcopy(report.to_dict(small()))
    assert "not predicted before training" not in text_of(document)
    for e in document["expected"]:
        e["predicted"], e["not_predicted"] = False, [{"what": "LSTM", "where": "middle", "why": "not covered"}]
    assert text_of(document).count("not predicted before training, from middle on: LSTM\n") == 1
    refused = copy.deepcopy(document)
    for e in refused["expected"]:
        e["not_predicted"] = [{"what": "network", "where": "my-module", "why": "weight of 2: got mean 0.5"}]
    assert "not predicted before training, from the start: weight of 2: got mean 0.5\n" in text_of(refused)
    said = [words for words in limits(document) if "LSTM" in words]
    assert said == ["expected, silence, constant, noise: LSTM at middle: not covered"]


def test_a_hostile_name_is_text() -> None:
    elements = Elements(page("hostile"))
    assert elements.text["h1"] == [HOSTILE]
    assert "\n" + HOSTILE not in page("hostile")
    assert of(elements, "img") == []
    assert HOSTILE in elements.text["li"]
    assert any(HOSTILE in text for text in elements.text["pre"])


@pytest.mark.parametrize("name", MADE)
def test_what_a_page_has_in_it_is_read_again(name: str, tmp_path: Path) -> None:
    """By two routes: as `from_html` does, and as a parser of HTML does."""
    (tmp_path / "a.html").write_text(page(name), "utf-8")
    due = report.to_dict(MADE[name](), command=f"torchparity audit {HOSTILE}", target="my/up.py:make")
    found = report.from_html(tmp_path / "a.html")
    assert found == json.loads("".join(Elements(page(name)).text["script"])) == due
    assert report.write_document(found, "text") == report.to_text(MADE[name]())
    assert report.write_document(found, "json") == json.dumps(due, indent=1) + "\n"


@cache
def many() -> Audit:
    """Return an audit of 513 lines under two inputs: those that were measured of five, again and again."""
    found, made = small(), audit_architecture(parse("nearest x32 | conv k3 p1 | nearest x32"), name="many", sr=16000)
    rows = (
        tuple(
            replace(r.lines[k % 5], freq=line.freq, floor_db=r.lines[k % 5].level_db - k % 7)
            for k, line in enumerate(made.lines)
        )
        for r in found.runs
    )
    return replace(made, runs=tuple(replace(r, lines=lines) for r, lines in zip(found.runs, rows, strict=True)))


def test_a_document_is_cut_to_its_highest_lines_and_says_so() -> None:
    whole = report.to_dict(many())
    assert cut(whole) is whole
    short = cut(whole, 60_000)
    assert len(compact(short)) <= 60_000 < len(compact(whole))
    jsonschema.validate(short, schema("audit"))
    heights = {
        line["hz"]: max(r["lines"][k]["height_db"] for r in whole["runs"]) for k, line in enumerate(whole["lines"])
    }
    kept = {line["hz"] for line in short["lines"]}
    best = {
        max((x for x in whole["lines"] if x["owner"] == owner), key=lambda x: heights[x["hz"]])["hz"]
        for owner in (1, 2)
    }
    assert best < kept
    lost = max(height for hz, height in heights.items() if hz not in kept)
    assert sum(heights[hz] < lost for hz in kept) <= 20
    for stage in upsamplers(whole):
        assert new_lines(short, stage) == new_lines(whole, stage) == len(owned(whole, stage["owner"]))
    assert f"has only {len(kept) - 1} of 512 lines, the highest, as numbers" in " ".join(text_of(short).split())
    against = compare(short, whole)
    assert {change.hz for change in against.lines} | {0.0} == {float(f"{hz:.9g}") for hz in kept}
    assert "only lines that both have" in against.remarks[-1]


def test_a_page_stays_below_its_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Pictures are drawn again with less, sounds are shorter; the numbers are as they were."""
    for name in ("spectrum_svg", "spectrogram_svg"):
        monkeypatch.setattr(f"torchparity.report.html.{name}", lambda audit, r, step: "#" * (80_000 >> step))
    monkeypatch.setattr("torchparity.report.html.PAGE", 160_000)
    monkeypatch.setattr("torchparity.report.sounds.ROOM", 50_000)
    made = report.to_html(small())
    assert 110_000 < len(made.encode()) <= 160_000
    assert "Excerpts of at most 0." in made
    assert sorted(len(run) for run in re.findall("#{1000,}", made)) == [10_000, 10_000, 10_000, 20_000]
    (tmp_path / "a.html").write_text(made, "utf-8")
    assert report.from_html(tmp_path / "a.html") == report.to_dict(small())
    monkeypatch.setattr("torchparity.report.html.PAGE", 110_000)
    assert report.to_html(small()).count("Left out, for the page would be larger than a megabyte") == 4


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("<p>", "with no audit in it"),
        (f'<script type="application/json" id="audit">{embedded({"schema": "x/1"})}</script>', "with schema 'x/1'"),
        ('<script type="application/json" id="audit">{</script>', "a page as it was written"),
        ('<script type="application/json" id="audit">[1]</script>', "with no audit in it"),
        (None, "no file"),
    ],
)
def test_another_page_is_refused(content: str | None, words: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "a.html").write_text(content)
    with pytest.raises(ValueError, match=words):
        report.from_html(tmp_path / "a.html")


@pytest.mark.parametrize("name", ["small", "recorded"])
def test_no_sound_is_loud_long_or_empty(name: str) -> None:
    """The bytes that a browser plays, not what was meant to be written."""
    found = re.findall(r'src="data:audio/wav;base64,([^"]*)"', page(name))
    assert len(found) == len([s for s in sounds(MADE[name]()) if s.wav]) >= 2
    for text in found:
        with wave.open(io.BytesIO(base64.b64decode(text))) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16000)
            y = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 2**15
        assert 0 < y.size <= SECONDS * 16000
        assert 20 * np.log10(np.abs(y).max()) <= PEAK_DB
        assert 20 * np.log10(np.sqrt(np.mean(y**2))) <= RMS_DB


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_a_limit_is_met_whatever_the_level(scale: float) -> None:
    click = np.zeros(8000)
    click[4000] = scale
    peaks = {name: np.abs(limit(y, 8000)[0]).max() for name, y in (("click", click), ("noise", scale * noise()))}
    assert peaks["click"] == pytest.approx(10 ** (PEAK_DB / 20), rel=1e-12)
    assert peaks["noise"] < peaks["click"]
    ends = limit(scale * (noise() + 3), 8000)[0]
    assert ends[0] == ends[-1] == 0
    assert np.abs(ends[: round(FADE * 8000)]).max() < np.abs(ends).max()


def noise() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).standard_normal(8000)


@pytest.mark.parametrize("y", [np.zeros(100), np.full(100, 0.1), np.zeros(0)])
def test_silence_is_not_raised(y: np.ndarray[Any, Any]) -> None:
    assert limit(y, 8000)[1] is None
    assert len(wav(y, 8000)) == 44 + 2 * y.size


def test_features_and_rates_that_no_one_plays_are_told() -> None:
    words = {s.title: s.words for s in sounds(replace(small(), sr=small().sr / 16000))}
    assert words["input: constant, seed 0"].startswith("nothing to hear: an input that does not change")
    assert words["input: noise, seed 0"].startswith("nothing to hear: features at 0.125 Hz")
    assert words["output: noise, seed 0"].startswith("no player: browsers play 3000 …")


def test_every_rule_has_a_claim() -> None:
    assert set(CLAIMS) == {rule.id for rule in RULES}
    assert all(claim(id).statement for id in CLAIMS.values())


def test_a_card_says_what_the_audit_says() -> None:
    """Heights over the floor, from the runs themselves."""
    (first,) = [c for c in cards(small()) if c.rule.id == "UA101" and c.artifact.owner == 1]
    seen = {(row.kind, row.input): row for row in first.seen}
    for r in small().runs:
        mine = [m for line, m in zip(small().lines, r.lines, strict=True) if line.owner == 1 and m.freq]
        row = seen["measured", f"{r.input}, seed 0"]
        assert (row.db, row.lines) == (max(m.height_db for m in mine), len(mine))
        assert row.standing == sum(m.height_db >= 10 for m in mine)
    assert {kind for kind, _ in seen} == {"expected", "actual", "measured"}
    cured = [c for c in small().cures if c.owner == 1 and c.freq is not None]
    assert len(first.cures) == len(cured) > 0
    assert all(
        f"at {float(c.freq * 16000):.10g} Hz" in words for c, words in zip(cured, first.cures, strict=True) if c.freq
    )
    assert first.severity != "note"


def test_sarif_has_a_result_for_each_contradiction_card_and_limit() -> None:
    (run,) = json.loads(report.to_sarif(hostile()))["runs"]
    rules, document = run["tool"]["driver"]["rules"], report.to_dict(hostile())
    assert all(rules[row["ruleIndex"]]["id"] == row["ruleId"] for row in run["results"])
    found = [(row["ruleId"], row["level"]) for row in run["results"]]
    assert found[0] == ("TP101", "error")
    assert [row for row in found if row[0].startswith("UA")] == [(c["rule"], c["severity"]) for c in document["cards"]]
    prints = [row["partialFingerprints"]["audit/v1"] for row in run["results"]]
    assert len(prints) == len(set(prints))
    assert run["results"][0]["message"]["text"] == HOSTILE


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize(("fail_on", "levels"), [("error", 1), ("warning", 2), ("never", 0)])
def test_junit_fails_as_the_command_does(name: str, fail_on: str, levels: int) -> None:
    fails = ("error", "warning")[:levels]
    root = ET.fromstring(report.junit_of(report.to_dict(MADE[name]()), fail_on=fail_on))
    failed = [case.attrib["name"] for case in root.iter("testcase") if case.find("failure") is not None]
    assert str(len(failed)) == root.attrib["failures"] == root[0].attrib["failures"]
    assert len(failed) == sum(f.level in fails for f in MADE[name]().findings)


def test_junit_of_a_contradiction_fails_and_of_a_limit_is_skipped() -> None:
    root = ET.fromstring(report.to_junit(hostile()))
    counts = {name: int(root.attrib[name]) for name in ("tests", "failures", "skipped")}
    assert counts["failures"] >= 1
    assert counts["skipped"] >= 2
    assert counts["tests"] == len(list(root.iter("testcase")))
    clean = HOSTILE.replace("\x1b", "\\x1b")
    assert clean in [failure.text for failure in root.iter("failure")]


def test_markdown_has_no_mark_up_of_strangers() -> None:
    text = report.to_markdown(hostile())
    assert "<img" not in text
    shown = HOSTILE.replace("\x1b", "\\x1b")
    assert "<script" not in text.replace(f"`{shown}`", "")
    assert text.startswith(f"# Audit of {plain(shown)}\n")
    assert "| 1 | `convt k8 s4 p2` | 2000 Hz | 3 |" in text


@pytest.mark.parametrize("suffix", [suffix for suffix in report.FORMATS if suffix != ".html"])
def test_every_suffix_gives_what_it_says(suffix: str) -> None:
    begins = {
        ".json": b'{\n "schema": "torchparity.audit/2"',
        ".md": b"# Audit of small",
        ".png": b"\x89PNG",
        ".sarif": b'{\n  "$schema"',
        ".txt": b"small at 16000 Hz",
        ".xml": b"<?xml",
    }
    made = report.render(small(), suffix)
    assert (made if isinstance(made, bytes) else made.encode()).startswith(begins[suffix])
    with pytest.raises(ValueError, match=r"suffix: got '\.wav'"):
        report.render(small(), ".wav")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_stand_out_from_their_ground(theme: str) -> None:
    """Contrast of at least 4.5, WCAG 2.2 level AA, by its definition of luminance."""
    light, dark = (
        dict(re.findall(r"--(\w+):(#\w+)", block)) for block in re.findall(r":root{([^}]*--good[^}]*)}", css())
    )
    colours = {name: luminance(value) for name, value in (light if theme == "light" else dark).items()}
    pairs = [(ink, ground) for ink in ("ink", "soft", "link") for ground in ("bg", "card")]
    pairs += [(tone, f"{tone}bg") for tone in ("good", "warn", "bad", "note")]
    pairs += [("ink", f"{tone}bg") for tone in ("good", "warn", "bad")]
    for ink, ground in pairs:
        dim, bright = sorted((colours[ink], colours[ground]))
        assert (bright + 0.05) / (dim + 0.05) >= 4.5, (ink, ground)


def css() -> str:
    return "".join(Elements(page("architecture")).text["style"])


def luminance(colour: str) -> float:
    """Return the relative luminance of #rgb or #rrggbb."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    c = np.array([int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)])
    return float(np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("ending", [".txt", ".md", ".html"])
def test_layers_on_other_ways_are_in_every_report(ending: str) -> None:
    document = report.to_dict(branched())
    assert [(b["owner"], b["name"], b["spec"], b["every_exact"]) for b in document["branches"]] == [
        (3, "c", "convt k3 s3", "8000/3"),
        (4, "d", "convt k4 s2 p1", "8000"),
        (5, "e", "convt k12 s6 p3", "8000/3"),
        (6, "interpolate", "nearest x6", "8000/3"),
    ]
    assert document["ways"] == [[1, 2], [3, 4], [5], [6]]
    assert [line["owner"] for line in document["lines"]] == [4, 1, 2, 4]
    texts = {".md": report.to_markdown(branched()), ".txt": report.to_text(branched()), ".html": page("branched")}
    told = " ".join(html.unescape(texts[ending]).split())
    assert "4 ways from input to output, by their layers: 1 → 2; 3 → 4; 5; 6" in told
    assert all(b["spec"] in told for b in document["branches"])


def test_a_line_that_no_layer_of_the_chain_owns_has_a_card_with_its_cures() -> None:
    tones = [card for card in report.to_dict(branched())["cards"] if card["family"] == "tones"]
    assert sorted((card["owner"], card["count"]) for card in tones) == [(1, 1), (2, 1), (4, 1)]
    (card,) = (card for card in tones if card["owner"] == 4)
    assert (card["rule"], card["hz"], card["count"], card["layer"]) == ("UA101", 8000, 1, "convt k4 s2 p1")
    assert len(card["cures"]) == 3
    assert re.search(r"layers 4 \(.*\) and 1 \(.*\) and 2 \(.*\) and 3 \(.*\) and 5 \(", card["cures"][0])


def test_documents_that_know_of_one_way_alone_are_still_shown() -> None:
    document = {key: words for key, words in report.to_dict(small()).items() if key not in ("branches", "ways")}
    assert text_of(document) == report.to_text(small())
