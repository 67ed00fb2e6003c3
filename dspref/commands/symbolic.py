"""The command ``dspref symbolic``: H(z), phase gains, lines and conditions, with symbols for taps."""

from __future__ import annotations

from typing import Any

import click

from dspref import __version__
from dspref.arrays import complaint
from dspref.chain import Chain, Pointwise
from dspref.console import emit, form_option, json_text, output_option, with_exit_codes, writable
from dspref.spec import parse, spec, token

MOST = 512
"""Layers of a larger factor have more lines and conditions, and those of more taps longer ones, than anyone reads."""


def symbolic_document(words: str, *, kernel: str = "symbols", limit: int = 40) -> dict[str, Any]:
    """Return what is known of each layer of an architecture, with symbols (or ones) for its taps.

    Parameters
    ----------
    words : str
        The architecture, as `dspref.parse` reads it.
    kernel : {'symbols', 'ones'}
    limit : int
        Lines listed of each layer, and of the chain.

    Returns
    -------
    dict
        ``schema, version, spec, kernel, stages, chain``. Each stage has its words and, unless it is nonlinear,
        ``transfer, phase_gains, lines, conditions``; the chain has ``transfer`` and ``lines``, and is None where
        there is one stage only, or a nonlinear one. A line has ``k, freq, amplitude, null``, a condition ``lines,
        equations, holds``; with ``latex`` fields beside the text.

    Examples
    --------
    >>> stage = symbolic_document("convt k3 s2")["stages"][0]
    >>> stage["transfer"], stage["phase_gains"], stage["lines"][1]["amplitude"]
    ('h0 + h1/z + h2/z**2', ['h0 + h2', 'h1'], '(mu/2)*(h0 - h1 + h2)')
    """
    from dspref.symbolic import with_taps

    outline = parse(words)
    for stage in outline.stages:
        if not isinstance(stage, Pointwise) and (taps := getattr(stage, "length", 0)) > MOST:
            hint = "ask dspref predict, or dspref response"
            raise ValueError(complaint(f"taps of {token(stage)}", taps, f"at most {MOST}", hint))
    chain = with_taps(outline, kernel=kernel)
    nonlinear = any(isinstance(stage, Pointwise) for stage in chain.stages)
    whole = None if nonlinear or len(chain.stages) == 1 else _lines_of(chain, limit)
    return {
        "schema": "dspref.symbolic/1",
        "version": __version__,
        "spec": spec(chain),
        "kernel": kernel,
        "stages": [_stage(place, stage, limit) for place, stage in enumerate(chain.stages)],
        "chain": whole,
    }


def _stage(place: int, stage: Any, limit: int) -> dict[str, Any]:
    head = {"stage": place, "spec": token(stage)}
    if isinstance(stage, Pointwise):
        return head | {"nonlinear": True}
    from sympy import latex, sstr

    from dspref.symbolic import conditions, polyphase

    factor = Chain([stage]).factor
    if factor > MOST:
        raise ValueError(complaint(f"factor of {token(stage)}", factor, f"at most {MOST}", "ask dspref predict"))
    gains = polyphase(stage, z=1)
    found = conditions(stage.normal.h, factor) if factor > 1 else ()
    return {
        **head,
        "nonlinear": False,
        **_lines_of(Chain([stage]), limit),
        "phase_gains": [sstr(g) for g in gains],
        "phase_gains_latex": [latex(g) for g in gains],
        "conditions": [
            {
                "lines": [f"{k}/{factor}" for k in condition.lines],
                "equations": [f"{sstr(e)} = 0" for e in condition.equations],
                "holds": condition.holds,
                "latex": condition.latex(),
            }
            for condition in found
        ],
    }


def _lines_of(chain: Chain, limit: int) -> dict[str, Any]:
    """Return H(z) and the first lines of a chain, and how many there are."""
    from sympy import latex, sstr

    from dspref.symbolic import lines, transfer

    H, every = transfer(chain), lines(chain)
    first = [
        {
            "k": line.k,
            "freq": f"{line.k}/{every.factor}",
            "amplitude": ", ".join(map(str, line.amplitudes)),
            "latex": line.latex(),
            "null": line.vanishes,
        }
        for line in every[:limit]
    ]
    return {"transfer": sstr(H), "transfer_latex": latex(H), "line_count": len(every), "lines": first}


def symbolic_page(document: dict[str, Any]) -> str:
    """Return the document as text for people.

    Examples
    --------
    >>> print(symbolic_page(symbolic_document("nearest x2")), end="")
    stage 0: nearest x2
      H(z)         1 + 1/z
      phase gains  1, 1
      line 0/2     mu
      line 1/2     null
      null if      line 1/2: always
    """
    rows = []
    for stage in document["stages"]:
        rows.append(f"stage {stage['stage']}: {stage['spec']}")
        if stage["nonlinear"]:
            rows.append("  nonlinear: it keeps where lines are, and voids their levels")
            continue
        gains = ("phase gains", ", ".join(stage["phase_gains"]))
        rows += _rows([("H(z)", stage["transfer"]), gains, *_line_rows(stage)])
        rows += _rows([("null if", _condition(c)) for c in stage["conditions"]])
    if document["chain"]:
        rows.append("chain:")
        rows += _rows([("H(z)", document["chain"]["transfer"]), *_line_rows(document["chain"])])
    return "\n".join(rows) + "\n"


def _rows(pairs: list[tuple[str, str]]) -> list[str]:
    return [f"  {name:<12} {content}" for name, content in pairs]


def _line_rows(part: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [(f"line {line['freq']}", "null" if line["null"] else line["amplitude"]) for line in part["lines"]]
    more = part["line_count"] - len(rows)
    return [*rows, ("", f"and {more} more; --limit shows them")] if more else rows


def _condition(condition: dict[str, Any]) -> str:
    said = {True: "always", False: "never"}.get(condition["holds"]) or ", ".join(condition["equations"])
    return f"line{'s' if len(condition['lines']) > 1 else ''} {', '.join(condition['lines'])}: {said}"


def symbolic_latex(document: dict[str, Any]) -> str:
    r"""Return the document as LaTeX: an align* for each stage, and one for the chain; W_n is e^{−j2π/n}.

    Examples
    --------
    >>> print(symbolic_latex(symbolic_document("nearest x2")), end="")
    % stage 0: nearest x2
    \begin{align*}
    & H(z) = 1 + \frac{1}{z} \\
    & g = \left(1,\ 1\right) \\
    & c_{0} = \mu \\
    & c_{1} = 0
    \end{align*}
    """
    blocks = []
    for stage in document["stages"]:
        title = f"% stage {stage['stage']}: {stage['spec']}"
        if stage["nonlinear"]:
            blocks.append(f"{title} (nonlinear)\n")
            continue
        gains = r",\ ".join(stage["phase_gains_latex"])
        wanted = [rf"c_{{{_orders(c)}}} = 0 \iff {c['latex']}" for c in stage["conditions"] if c["holds"] is None]
        blocks.append(_align(title, stage, [rf"g = \left({gains}\right)"], wanted))
    if document["chain"]:
        blocks.append(_align("% chain", document["chain"], [], []))
    return "".join(blocks)


def _orders(condition: dict[str, Any]) -> str:
    return ",".join(line.split("/")[0] for line in condition["lines"])


def _align(title: str, part: dict[str, Any], gains: list[str], wanted: list[str]) -> str:
    H = [f"H(z) = {part['transfer_latex']}"]
    equations = [*H, *gains, *(line["latex"] for line in part["lines"]), *wanted]
    body = " \\\\\n".join(f"& {equation}" for equation in equations)
    return f"{title}\n\\begin{{align*}}\n{body}\n\\end{{align*}}\n"


@click.command()
@click.argument("words", metavar="SPEC")
@click.option("--ones", is_flag=True, help="Ones for the taps, not symbols.")
@click.option("--limit", type=click.IntRange(min=1), default=40, show_default=True, help="Lines listed of each layer.")
@form_option("text", "latex", "json")
@output_option
@with_exit_codes
def symbolic(words: str, ones: bool, limit: int, form: str, output: str | None) -> None:
    """Give H(z), lines, and what makes them vanish, with symbols for the taps.

    \b
    dspref symbolic "convt k3 s2"
    dspref symbolic "convt k16 s8 | convt k4 s2" --ones --format latex

    W8 is e^(-2 pi I/8), I the imaginary unit, mu the mean of the input, 1/z a
    delay by one output sample.
    """  # noqa: D301
    target = writable(output)
    document = symbolic_document(words, kernel="ones" if ones else "symbols", limit=limit)
    emit({"text": symbolic_page, "latex": symbolic_latex, "json": json_text}[form](document), target)
