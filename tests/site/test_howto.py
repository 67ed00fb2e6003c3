"""Every command of the how-to pages does what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.meta.test_pages import alike, blocks, commands, run

HOWTO = Path(__file__).resolve().parents[2] / "docs" / "howto"

FILES = {"ci.md": {"python": "my/layers.py"}, "config.md": {"json": "config.json"}}
"""What a page's first block of a language is to be called, where the page says so."""


@pytest.mark.parametrize(("name", "count"), [("ci.md", 4), ("gpu.md", 1), ("cluster.md", 3), ("config.md", 2)])
def test_every_command_of_a_how_to_does_what_it_says(name: str, count: int, tmp_path: Path) -> None:
    page, files, ran = (HOWTO / name).read_text("utf-8"), dict(FILES.get(name, {})), 0
    for language, text in blocks(page):
        if language in files and ">>>" not in text:
            file = tmp_path / files.pop(language)
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        for command, due in commands(text) if language == "console" else ():
            output = run(command, tmp_path)
            assert alike(output, due), f"{command}\n{output}"
            ran += 1
    assert ran == page.count("\n$ ") == count
    assert not files


def test_the_export_of_the_page_is_a_file_that_passes(tmp_path: Path) -> None:
    script = blocks((HOWTO / "onnx.md").read_text("utf-8"))[0][1]
    (tmp_path / "export.py").write_text(script)
    assert "Traceback" not in run("python -W ignore export.py 2>&1", tmp_path)
    output = run('torchparity verify up.onnx --like "convt k16 s8 p4"', tmp_path)
    assert alike(output, "within bound: *\n*as described\n...\n")


def test_all_how_tos_are_listed() -> None:
    listed = (HOWTO / "index.md").read_text("utf-8").partition("maxdepth: 1")[2].split("```")[0].split()
    assert sorted(listed) == sorted(path.stem for path in HOWTO.glob("*.md") if path.stem != "index")
