"""The commands ``dspref rules`` and ``dspref explain``: the kinds of artifacts, and one in full."""

from __future__ import annotations

from typing import Any

import click

from dspref.artifacts.rules import FAMILIES, RULES, Rule, rule, rules_of
from dspref.console import emit, form_option, json_text, output_option, with_exit_codes, writable
from dspref.tables import table, text


@click.command()
@click.option("--family", type=click.Choice(list(FAMILIES.values())), help="Only these.")
@form_option("text", "json")
@output_option
@with_exit_codes
def rules(family: str | None, form: str, output: str | None) -> None:
    """List the kinds of artifacts and their ids."""
    target, chosen = writable(output), RULES if family is None else rules_of(family)
    emit(_json("rules", chosen) if form == "json" else rules_page(chosen), target)


@click.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@form_option("text", "json")
@output_option
@with_exit_codes
def explain(ids: tuple[str, ...], form: str, output: str | None) -> None:
    """Say what an artifact is, why it is there, and what cures it.

    \b
    dspref explain UA101
    """  # noqa: D301
    target, chosen = writable(output), tuple(rule(id) for id in ids)
    emit(_json("explain", chosen) if form == "json" else explain_page(chosen), target)


def rules_page(chosen: tuple[Rule, ...]) -> str:
    """Return the table of rules.

    Examples
    --------
    >>> print(rules_page(rules_of("boundary")).splitlines()[2])
    UA301  boundary  border transient
    """
    rows = ((r.id, r.family, r.title) for r in chosen)
    return text(table("", ("id", "family", "artifact"), rows), "", "'dspref explain ID' says all of one.")


def explain_page(chosen: tuple[Rule, ...]) -> str:
    """Return rules in full."""
    return text(*(part for r in chosen for part in (f"{r.id}  {r.title} ({r.family})", "", *_paragraphs(r))))


def _paragraphs(r: Rule) -> list[str]:
    named = {"Seen": r.what, "Why": r.why, "Cure": r.cure, "Level in": r.reference, "Source": r.source}
    return [line for name, words in named.items() for line in (f"{name}: {words}", "")]


def _json(schema: str, chosen: tuple[Rule, ...]) -> str:
    document: dict[str, Any] = {"schema": f"dspref.{schema}/1", "rules": [r.to_dict() for r in chosen]}
    return json_text(document)
