"""Pages as data: their blocks, the files that they show, and their commands, run in order and held to what is shown.

``python -m tests docs`` runs all of it; the quick suite runs what takes milliseconds (`in_process`).

A page is followed as its reader would: a block of a file is written, a block ``console`` is run, each in its turn,
in an empty folder. In the output that is shown "..." stands for any lines, and "*" for the rest of one.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import click
from click.testing import CliRunner

import dspref.cli
import torchparity.cli

ROOT = Path(__file__).resolve().parent.parent
GROUPS: dict[str, click.Group] = {"dspref": dspref.cli.dspref, "torchparity": torchparity.cli.main}
MADE = ("_build", "examples", "catalogues", "validation", "api")
"""Folders of pages that are written by programs."""

FILES = ("python", "json", "toml", "yaml")
"""Languages of blocks that may be files."""

ENDINGS = "py|json|jsonl|toml|csv|yaml|yml"

Runner: TypeAlias = Callable[[str, Path], str]


def pages() -> dict[str, Path]:
    """Return the pages that people wrote, by name: README.md, and those of docs."""
    docs = ROOT / "docs"
    found = {path.relative_to(docs).as_posix(): path for path in sorted(docs.rglob("*.md"))}
    return {"README.md": ROOT / "README.md"} | {name: p for name, p in found.items() if name.split("/")[0] not in MADE}


@dataclass(frozen=True)
class Block:
    """One fenced block of a page.

    Attributes
    ----------
    language : str
    text : str
    file : str or None
        What it is to be called, if it is a file: the last name in the sentence before it that ends with a colon, or
        a comment that is all of its first line.
    """

    language: str
    text: str
    file: str | None


def blocks(page: str) -> tuple[Block, ...]:
    """Return the fenced blocks of a page, in their order.

    >>> blocks("This is `my/a.py`:\\n\\n```python\\nx = 1\\n```\\n")
    (Block(language='python', text='x = 1\\n', file='my/a.py'),)
    """
    found = re.finditer(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return tuple(Block(m[1], m[2], _file(m[1], m[2], page[: m.start()])) for m in found)


def _file(language: str, text: str, before: str) -> str | None:
    if language not in FILES or ">>>" in text:
        return None
    first = re.match(r"# (\S+\.\w+)\n", text)
    sentence = before.rstrip().rpartition("\n\n")[2]
    named = re.findall(rf"`([\w./-]+\.(?:{ENDINGS}))`", sentence) if sentence.endswith(":") else []
    return first[1] if first else named[-1] if named else None


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Yield the commands of a block, each with the output it should have.

    >>> list(commands("$ one\\n1\\n$ two\\n"))
    [('one', '1\\n'), ('two', '')]
    """
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def alike(output: str, due: str) -> bool:
    """Return whether an output is as the page says: "..." for any lines, "*" for the rest of one.

    >>> alike("exact\\nin 2 s\\n", "ex*\\n...\\n"), alike("exact\\n", "wrong\\n")
    (True, False)
    """
    lines = ["(?:.*\n)*" if line == "..." else re.escape(line).replace(r"\*", ".*") + "\n" for line in due.splitlines()]
    return re.fullmatch("".join(lines), output) is not None


def in_shell(command: str, folder: Path) -> str:
    """Return what a command prints in a folder, or its errors, in a process of its own."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    plain = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")} | {"PATH": path}
    given: dict[str, Any] = {"cwd": folder, "env": plain, "timeout": 600, "capture_output": True, "text": True}
    done = subprocess.run(command, shell=True, check=False, **given)
    return str(done.stdout or done.stderr)


def in_process(command: str, folder: Path) -> str:
    """Return what a command of ours prints, without a process for it: a hundred times faster, if it is `quick`."""
    name, *arguments = shlex.split(command, comments=True)
    with chdir(folder):
        done = CliRunner().invoke(GROUPS[name], arguments, prog_name=name)
    return str(done.stdout or done.stderr)


def quick(command: str) -> bool:
    """Return whether a command is one of dspref alone, which needs no Torch and draws nothing.

    >>> [quick(text) for text in ("dspref cite UA-T1", "dspref expect unet --check 20", "dspref cite > a", "ls")]
    [True, False, False, False]
    """
    words = list(shlex.shlex(command, posix=True, punctuation_chars=True))
    return words[0] == "dspref" and not {"&&", "|", ">", ">>", "--check"} & set(words)


def replay(page: str, folder: Path, *, only: Callable[[str], bool] = lambda command: True) -> Iterator[str]:
    """Follow a page in an empty folder; yield each command whose output is not the one shown, with what it was.

    Parameters
    ----------
    page : str
        Its text.
    folder : Path
    only : callable
        Which commands are run, the quick ones in this process.
    """
    for block in blocks(page):
        if block.file:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, "utf-8")
        for command, due in commands(block.text) if block.language == "console" else ():
            if only(command):
                output = (in_process if quick(command) else in_shell)(command, folder)
                if not alike(output, due):
                    yield f"$ {command}\n{output}\nis not what the page shows:\n{due}"


def shown(page: str) -> Iterator[str]:
    """Yield commands of ours that a page shows without their output: in blocks ``sh`` and ``yaml``, indented, inline.

    >>> list(shown("Say `dspref rules`, or:\\n\\n    dspref predict --sr 8000     # says it\\n"))
    ['dspref predict --sr 8000', 'dspref rules']
    """
    fenced = [block.text for block in blocks(page) if block.language in ("sh", "yaml")]
    rest = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    lines = [line.strip().removeprefix("- ").removeprefix("run: ") for text in fenced for line in text.splitlines()]
    lines += [line.strip() for line in rest.splitlines() if line.startswith("    ")]
    lines += [" ".join(code.split()) for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", rest)]
    for line in lines:
        if line.split(" ")[0] in GROUPS and " " in line:
            yield line.split("  #")[0].split(" && ")[0].strip()


def misunderstood(command: str) -> str | None:
    """Return why a command of ours cannot be meant so: a word that it has not; None if all words are known.

    >>> misunderstood("dspref predict --sr 8000 'convt k4 s2'")
    >>> "--rate" in misunderstood("dspref predict --rate 8000")
    True
    """
    name, *words = [word for word in shlex.split(command, comments=True) if word not in ("...", "…")]
    try:
        group = GROUPS[name]
        context = group.make_context(name, words)
        part, below, rest = group.resolve_command(context, [*context._protected_args, *context.args])
        assert below is not None
        below.make_context(part, rest, parent=context)
    except click.exceptions.Exit:
        return None  # --help, --version
    except click.MissingParameter:
        return None  # named in a sentence, without its arguments
    except click.UsageError as error:
        return None if "does not exist" in error.message else error.message
    return None
