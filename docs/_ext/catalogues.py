"""Pages that are written from the library itself: rules, claims and their pictures, words for layers, commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from sphinx.application import Sphinx

import dspref.cli
import torchparity.cli
from dspref.artifacts.rules import FAMILIES, RULES, Rule
from dspref.claims import Claim, claims
from dspref.claims.drawings import DRAWINGS
from dspref.claims.figures import save
from dspref.console import write

NOTE = "_This page is written from the library itself._\n"


def rules_page() -> str:
    """Return the page of rules, by family."""
    parts = [
        "# Rules\n",
        "What upsampling can do to sound, by permanent ids. `dspref findings` says which of these ",
    ]
    parts += ["an architecture has, and how strong; `dspref explain UA101` prints one.\n", NOTE]
    for prefix, family in FAMILIES.items():
        parts.append(f"\n## {prefix}xx: {family}\n")
        parts += [_rule(rule) for rule in RULES if rule.id.startswith(prefix)]
    return "\n".join(parts)


def _rule(rule: Rule) -> str:
    rows = {"Seen": rule.what, "Why": rule.why, "Cure": rule.cure, "Level in": rule.reference, "Source": rule.source}
    listed = "\n".join(f"{name}\n: {_plain(words)}\n" for name, words in rows.items())
    return f"({rule.id.lower()})=\n### {rule.id}: {_plain(rule.title)}\n\n{listed}"


def claims_page(pictures: str) -> str:
    """Return the page of claims; pictures are looked for in that folder."""
    parts = ["# Claims\n", "What the theory states: each with its hypotheses, a proof, a source, and the tests that "]
    parts += ["hold it. Letters: sr the output rate; layer i has factor s_i and kernel h_i, S = Π s_i, and the rate "]
    parts += ["r_i at its output; H(ν) = Σ h[n] e^{−j2πνn}; μ is the mean of a feature map. `dspref claim UA-T5` "]
    parts += ["prints one, also for papers (`--format md`, `latex`).\n", NOTE]
    return "\n".join([*parts, *(_claim(claim, pictures) for claim in claims())])


def _claim(claim: Claim, pictures: str) -> str:
    formula = f"$$\n{claim.latex}\n$$\n" if claim.latex else ""
    picture = f"![{_plain(claim.title)}]({pictures}/{claim.id}.png)\n" if claim.id in drawn() else ""
    rows = {
        "Holds if": "; ".join(map(_plain, claim.hypotheses)),
        "Proof": _plain(claim.proof),
        "Source": "; ".join(map(_plain, claim.sources)),
        "Computed by": ", ".join(f"`{name}`" for name in claim.functions),
        "Tested by": ", ".join(f"`{name}`" for name in claim.tests),
        "Figure": _plain(claim.figure),
    }
    listed = "\n".join(f"{name}\n: {words}\n" for name, words in rows.items() if words)
    head = f"({claim.id.lower()})=\n## {claim.id}: {_plain(claim.title)}\n"
    return "\n".join([head, _plain(claim.statement), "", formula, picture, listed])


def drawn() -> set[str]:
    """Return the ids of the claims that have a drawing of their own."""
    return {owner for owner, _ in DRAWINGS}


def commands_page() -> str:
    """Return the page of commands: the help of each, as it is printed."""
    parts = ["# Commands\n", "Exit codes: 0 clean, 1 findings, 2 usage, 3 not analysable.\n", NOTE]
    for name, group in (("dspref", dspref.cli.dspref), ("torchparity", torchparity.cli.main)):
        parts.append(f"\n## {name}\n")
        parts += [
            f"({name}-{part})=\n### {name} {part}\n\n```text\n{help}\n```\n" for part, help in _helps(name, group)
        ]
    return "\n".join(parts)


def _helps(name: str, group: Any) -> Iterator[tuple[str, str]]:
    with click.Context(group, info_name=name) as top:
        for part in group.list_commands(top):
            command = group.get_command(top, part)
            yield part, command.get_help(click.Context(command, info_name=part, parent=top, terminal_width=80))


_MARKS = {"\\": "\\\\", "*": r"\*", "_": r"\_", "<": r"\<", "[": r"\[", "$": r"\$", "|": r"\|"}


def _plain(words: str) -> str:
    r"""Return words that Markdown leaves as they are.

    >>> print(_plain("s_i ⋅ s_n"))
    s\_i ⋅ s\_n
    """
    return "".join(_MARKS.get(sign, sign) for sign in words)


def write_pages(app: Sphinx) -> None:
    """Write what differs from what is there, before pages are read."""
    folder = Path(app.srcdir) / "catalogues"
    (folder / "drawings").mkdir(parents=True, exist_ok=True)
    pages: dict[str, Callable[[], str]] = {
        "rules.md": rules_page,
        "claims.md": lambda: claims_page("drawings"),
        "commands.md": commands_page,
    }
    for name, made in pages.items():
        _kept(folder / name, made())
    for id in sorted(drawn()):
        picture = folder / "drawings" / f"{id}.png"
        if not picture.exists():
            save(id, picture)


def _kept(path: Path, text: str) -> None:
    if not path.exists() or path.read_text("utf-8") != text:
        write(path, text.encode())


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages when the builder begins."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
