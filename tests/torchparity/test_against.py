"""Two audits side by side."""

import json
from pathlib import Path
from typing import Any

import pytest

from dspref import parse
from torchparity.against import Change, compare, read_saved
from torchparity.audit import audit_architecture
from torchparity.report import to_dict


def audited(
    levels: dict[float, tuple[float, float]], *, name: str = "a", inputs: tuple[str, ...] = ("constant",), **other: Any
) -> dict[str, Any]:
    """Return an audit as plain data: levels and heights of lines, the same under each input."""
    lines = [{"hz": hz, "level_db": level, "floor_db": level - h, "height_db": h} for hz, (level, h) in levels.items()]
    return {
        "schema": "torchparity.audit/1",
        "name": name,
        "sr": 8000.0,
        "factor": 4,
        "stands_db": 10.0,
        "lines": [{"hz": hz, "owner": 1 if hz % 4000 else 2} for hz in levels],
        "runs": [{"input": each, "seed": 0, "lines": lines} for each in inputs],
        **other,
    }


BEFORE = audited({0: (0, 90), 2000: (-40, 50), 4000: (-20, 70)})
AFTER = audited({0: (0, 90), 2000: (-90, 3), 4000: (-26.5, 60)}, name="b")


def test_each_line_has_before_after_and_difference() -> None:
    found = compare(BEFORE, AFTER)
    assert found.lines == (
        Change("constant", 2000.0, 1, -40, None),
        Change("constant", 4000.0, 2, -20, -26.5),
    )
    assert [change.difference_db for change in found.lines] == [None, -6.5]
    assert [change.kind for change in found.lines] == ["gone", "softer"]
    assert (found.before, found.after, found.remarks) == ("a", "b", ())


def test_an_audit_against_itself_has_no_change() -> None:
    found = compare(BEFORE, BEFORE)
    assert [change.kind for change in found.lines] == ["same", "same"]
    assert "no line changed" in found.to_text()


def test_before_and_after_exchanged_turn_signs_round() -> None:
    there, back = compare(BEFORE, AFTER), compare(AFTER, BEFORE)
    opposite = {"gone": "new", "softer": "louder"}
    assert [opposite[change.kind] for change in there.lines] == [change.kind for change in back.lines]
    assert [change.difference_db for change in back.lines] == [None, 6.5]


def test_combs_have_the_strongest_line_of_each_layer() -> None:
    more = audited({0: (0, 90), 2000: (-40, 50), 4000: (-20, 70), 6000: (-33, 40)})
    found = compare(more, more)
    assert [(change.hz, change.owner, change.after_db) for change in found.combs] == [(2000, 1, -33), (4000, 2, -20)]


def test_grids_that_differ_are_told() -> None:
    found = compare(BEFORE, audited({0: (0, 90), 1000: (-30, 50)}, sr=16000.0, factor=16))
    assert found.remarks[0] == "output rate in Hz: 8000 before, 16000 after"
    assert [change.kind for change in found.lines] == ["new", "gone", "gone"]


def test_inputs_in_common_are_compared_and_none_is_refused() -> None:
    found = compare(audited({2000: (0, 20)}, inputs=("noise", "sweep")), audited({2000: (0, 20)}, inputs=("noise",)))
    assert {change.input for change in found.lines} == {"noise"}
    with pytest.raises(ValueError, match="got sweep and nothing; allowed: at least one"):
        compare(audited({}, inputs=("sweep",)), audited({}, inputs=()))


def test_text_fits_and_has_what_changed() -> None:
    text = compare(BEFORE, {**AFTER, "checkpoint": "last.pt"}).to_text()
    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith("b with last.pt against a: 1 gone, 1 softer")
    assert "-6.5 dB" in text
    assert "gone" in text


def test_it_is_plain_data() -> None:
    found = compare(BEFORE, AFTER).to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["lines"][1]["difference_db"] == -6.5


def test_saved_audits_are_read_from_json_and_from_pages(tmp_path: Path) -> None:
    due = to_dict(audit_architecture(parse("convt k4 s2 p1"), name="<a>", sr=8000))
    (tmp_path / "a.json").write_text(json.dumps(due))
    embedded = json.dumps(due).replace("<", "\\u003c")
    page = f'<html><script>1 < 2</script><script type="application/json" id="audit">{embedded}</script></html>'
    (tmp_path / "a.html").write_text(page)
    assert read_saved(tmp_path / "a.json") == read_saved(tmp_path / "a.html") == due


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", '{"schema": "dspref.expect/1"}', "which holds none"),
        ("a.json", "{", "which holds none"),
        ("a.json", "[]", "which holds none"),
        ("a.json", "[" * 100_000, "which holds none"),
        ("a.json", '{"schema": "torchparity.audit/1"}', "with schema 'torchparity.audit/1'"),
        ("a.html", "<html></html>", "which holds none"),
        ("b.json", "", "No such file"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: str, words: str) -> None:
    (tmp_path / ("a" + name[1:] if name[0] == "a" else "other")).write_text(content)
    with pytest.raises(ValueError, match=f"saved audit: .*{words}.*allowed: "):
        read_saved(tmp_path / name)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="no text"):
        read_saved(tmp_path / "a.json")
