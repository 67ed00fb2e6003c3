"""The commands of the pages verify, expected and sweep, run in order on what they show; and that this can fail."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dspref.chain import POINTWISE
from dspref.spec import LETTERS, parse

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "verify.md").read_text("utf-8")
FILES = ("my/upsampler.py", "test_mine.py", "my/mutants.py")
"""What the page's blocks of Python without prompts are to be called, in their order."""


def blocks(page: str) -> list[tuple[str, str]]:
    """Return a page's blocks as (language, text), in their order."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def grammar() -> dict[str, str]:
    """Return the words for layers in the page's table, each with what it says of their options."""
    rows = re.findall(
        r"^\| (`.*?) \| .*? \| (.*) \|$", PAGE.partition("| word | meaning |")[2].partition("\n\n")[0], re.M
    )
    return {word: options for words, options in rows for word in re.findall(r"`(.+?)`", words)}


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Yield the commands of a block, each with the output it should have."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def alike(output: str, due: str) -> bool:
    """Return whether an output is as the page says: "..." for any lines, "*" for the rest of one."""
    lines = ["(?:.*\n)*" if line == "..." else re.escape(line).replace(r"\*", ".*") + "\n" for line in due.splitlines()]
    return re.fullmatch("".join(lines), output) is not None


def run(command: str, folder: Path) -> str:
    """Return what a command prints in a folder, or its errors."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    plain = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")} | {"PATH": path}
    given: dict[str, Any] = {"cwd": folder, "env": plain, "timeout": 300, "capture_output": True, "text": True}
    done = subprocess.run(command, shell=True, check=False, **given)
    return str(done.stdout or done.stderr)


@pytest.mark.parametrize(
    ("name", "files", "count"), [("verify.md", FILES, 8), ("expected.md", ("my/decoder.py",), 3), ("sweep.md", (), 2)]
)
def test_every_command_of_a_page_does_what_it_says(
    name: str, files: tuple[str, ...], count: int, tmp_path: Path
) -> None:
    page, left, ran = (DOCS / name).read_text("utf-8"), list(files), 0
    for language, text in blocks(page):
        if language == "python" and ">>>" not in text:
            file = tmp_path / left.pop(0)
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        for command, due in commands(text) if language == "console" else ():
            output = run(command, tmp_path)
            assert alike(output, due), f"{command}\n{output}"
            ran += 1
    assert ran == page.count("\n$ ") == count
    assert not left


def test_the_table_of_words_has_all_words_and_options_and_its_examples_can_be_read() -> None:
    found = grammar()
    assert set(found) == {*LETTERS, *POINTWISE}
    for word, letters in LETTERS.items():
        missing = [letter for letter in letters if f"`{letter}`" not in found[word]]
        assert not missing, word
    examples = {text for options in found.values() for text in re.findall(r"`(\w+ [^`]+)`", options)}
    assert {parse(text).stages[0].op for text in examples} == {"convt", "conv", "shuffle", "leaky"}
    defaults = [POINTWISE[name][1] for name in ("leaky", "elu", "snake")]
    assert defaults == [(0.01,), (1.0,), (1.0,)]
    assert "Words mean Torch's layout of weights" in PAGE
    assert "top of this module" not in str(parse.__doc__)


@pytest.mark.parametrize("due", ["exact\n", "wrong\n...\n", "...\nwrong\n", "ex*\n...\n1 failed\n"])
def test_another_output_is_noticed(due: str) -> None:
    assert alike("exact\n  compared\n1 passed in 2 s\n", "ex*\n...\n1 passed*\n")
    assert not alike("exact\n  compared\n1 passed in 2 s\n", due)
