"""Every command of every page that people wrote prints what the page shows; and every how-to is listed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.documents import blocks, pages, replay

WITH_COMMANDS = {
    name: text
    for name, path in pages().items()
    if any(block.language == "console" for block in blocks(text := path.read_text("utf-8")))
}


@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_every_command_of_a_page_prints_what_is_shown(name: str, tmp_path: Path) -> None:
    assert not list(replay(WITH_COMMANDS[name], tmp_path))


def test_all_how_tos_are_listed_and_have_commands_that_run() -> None:
    listed = pages()["howto/index.md"].read_text("utf-8").partition("maxdepth: 1")[2].split("```")[0].split()
    found = sorted(Path(name).stem for name in pages() if name.startswith("howto/"))
    assert sorted([*listed, "index"]) == found
    assert {name for name in pages() if name.startswith("howto/")} - set(WITH_COMMANDS) == {
        "howto/index.md",
        "howto/streaming.md",  # its examples are doctests
    }
