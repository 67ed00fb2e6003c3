"""Every command of every page that people wrote prints what the page shows; and every how-to is listed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.documents import blocks, pages, replay

PAGES = {name: path.read_text("utf-8") for name, path in pages().items()}
WITH_COMMANDS = [name for name, page in PAGES.items() if any(block.language == "console" for block in blocks(page))]


@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_every_command_of_a_page_prints_what_is_shown(name: str, tmp_path: Path) -> None:
    assert not list(replay(PAGES[name], tmp_path))


def test_all_how_tos_are_listed_and_have_commands_that_run() -> None:
    listed = PAGES["howto/index.md"].partition("maxdepth: 1")[2].split("```")[0].split()
    found = sorted(Path(name).stem for name in PAGES if name.startswith("howto/"))
    assert sorted([*listed, "index"]) == found
    assert {name for name in PAGES if name.startswith("howto/")} - set(WITH_COMMANDS) == {
        "howto/index.md",
        "howto/replace.md",
        "howto/streaming.md",  # the examples of both are doctests
    }
