"""README and docs: what they show is what commands print, and what they name is there; and that this can fail.

Here run the commands that take milliseconds; ``python -m tests docs`` runs all.
"""

from __future__ import annotations

import ast
import doctest
import re
from pathlib import Path

import pytest

from dspref.chain import POINTWISE
from dspref.spec import LETTERS, parse
from tests.documents import alike, blocks, commands, misunderstood, pages, quick, replay, shown

COMPOUND = (ast.For, ast.While, ast.With, ast.If, ast.Try, ast.FunctionDef, ast.ClassDef)

PAGES = {name: path.read_text("utf-8") for name, path in pages().items()}
RUN = {
    name: sum(quick(c) for block in blocks(page) if block.language == "console" for c, _ in commands(block.text))
    for name, page in PAGES.items()
}
"""How many commands each page has that are run here."""


@pytest.mark.parametrize("name", [name for name, count in RUN.items() if count])
def test_every_quick_command_of_a_page_prints_what_is_shown(name: str, tmp_path: Path) -> None:
    assert not list(replay(PAGES[name], tmp_path, only=quick))


def test_every_command_of_a_page_stands_where_it_is_found() -> None:
    for name, page in PAGES.items():
        found = [c for block in blocks(page) if block.language == "console" for c, _ in commands(block.text)]
        assert len(found) == page.count("\n$ "), name
    assert sum(RUN.values()) > 10


@pytest.mark.parametrize("name", PAGES)
def test_commands_without_output_have_the_words_that_are_shown(name: str) -> None:
    assert not {command: why for command in shown(PAGES[name]) if (why := misunderstood(command))}


def test_words_that_a_command_has_not_are_noticed() -> None:
    page = "Say `dspref predikt x`, `dspref rules --sr 4`, or\n\n    torchparity audit melgan --loud   # now\n"
    told = [str(misunderstood(command)) for command in shown(page)]
    assert [word for text, word in zip(told, ("--loud", "predikt", "--sr"), strict=True) if word in text] == [
        "--loud",
        "predikt",
        "--sr",
    ]


PAGE = """In `my/rates.json`:

```json
{"upsample_rates": [2], "upsample_kernel_sizes": [4], "sampling_rate": 8000}
```

```console
$ dspref whence 4000 --config my/rates.json
4000 Hz: layer 1 (convt k4 s2 p1, stage 2) * it
$ cat my/rates.json && echo read
...
read
```
"""


def test_a_page_is_followed_in_order_and_its_files_are_there(tmp_path: Path) -> None:
    assert not list(replay(PAGE, tmp_path))
    assert (tmp_path / "my" / "rates.json").read_text().startswith('{"upsample_rates"')


@pytest.mark.parametrize(("shown", "other"), [("4000 Hz: layer 1", "4000 Hz: layer 2"), ("\nread\n", "\nred\n")])
def test_a_page_that_shows_another_output_is_noticed(shown: str, other: str, tmp_path: Path) -> None:
    (found,) = replay(PAGE.replace(shown, other), tmp_path)
    assert found.endswith(f"is not what the page shows:\n{found.partition('page shows:')[2].lstrip()}")
    assert other.strip() in found.partition("page shows:")[2]


def unfinished(page: str) -> list[str]:
    """Return the statements of a page that Python goes on with, when they are pasted, where another begins."""
    parts = [doctest.DocTestParser().get_examples(block.text) for block in blocks(page) if ">>>" in block.text]
    inner = [example.source for examples in parts for example in examples[:-1]]
    return [source for source in inner if isinstance(ast.parse(source).body[-1], COMPOUND)]


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith(("start", "tutorials/"))])
def test_what_a_newcomer_pastes_into_python_runs_as_it_stands(name: str) -> None:
    assert not unfinished(PAGES[name])


def test_a_statement_that_needs_an_empty_line_is_noticed() -> None:
    assert unfinished("```python\n>>> for i in 1, 2:\n...     print(i)\n1\n2\n>>> i\n2\n```\n") == [
        "for i in 1, 2:\n    print(i)\n"
    ]


def grammar() -> dict[str, str]:
    """Return the words for layers in the page's table, each with what it says of their options."""
    table = PAGES["verify.md"].partition("| word | meaning |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (`.*?) \| .*? \| (.*) \|$", table, re.M)
    return {word: options for words, options in rows for word in re.findall(r"`(.+?)`", words)}


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
    assert "Words mean Torch's layout of weights" in PAGES["verify.md"]
    assert "top of this module" not in str(parse.__doc__)


@pytest.mark.parametrize("due", ["exact\n", "wrong\n...\n", "...\nwrong\n", "ex*\n...\n1 failed\n"])
def test_another_output_is_noticed(due: str) -> None:
    assert alike("exact\n  compared\n1 passed in 2 s\n", "ex*\n...\n1 passed*\n")
    assert not alike("exact\n  compared\n1 passed in 2 s\n", due)


def test_the_readme_counts_the_wrong_layers_that_there_are_and_installs_in_two_commands() -> None:
    from torchparity.mutants import registered

    assert f"of {len(registered())} layers that are wrong on purpose" in " ".join(PAGES["README.md"].split())
    assert f"(all {len(registered())};" in PAGES["README.md"]
    assert len(re.findall(r"^pip install ", PAGES["README.md"], re.MULTILINE)) == 2
