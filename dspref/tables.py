"""Tables and exact numbers for people: 80 columns, and no meaning in colour alone."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from decimal import ROUND_DOWN, Decimal, localcontext
from fractions import Fraction

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

WIDTH = 80


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Return a table; a column whose name begins with ">" is set to the right. None prints as "-".

    Examples
    --------
    >>> print(text(table("Layers", ["layer", ">taps"], [["conv", 9], ["relu", None]])), end="")
    Layers
    layer  taps
    ───────────
    conv      9
    relu      -
    """
    made = Table(title=title, title_justify="left", title_style="", box=box.SIMPLE_HEAD)
    made.show_edge, made.pad_edge, made.padding = False, False, (0, 1, 0, 0)
    for column in columns:
        right = column.startswith(">")
        made.add_column(column.removeprefix(">"), justify="right" if right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text("-" if cell is None else str(cell)) for cell in row))
    return made


def text(*parts: RenderableType) -> str:
    """Return tables and lines of words as plain text, 80 columns wide: without colour, so none can mislead."""
    page = io.StringIO()
    console = Console(file=page, width=WIDTH, color_system=None, highlight=False)
    for part in parts:
        console.print(Text(part) if isinstance(part, str) else part)
    return "".join(f"{line.rstrip()}\n" for line in page.getvalue().splitlines())


def decimal(value: Fraction) -> str:
    """Return a number exactly, as a decimal where it has one.

    Examples
    --------
    >>> decimal(Fraction(22050, 256)), decimal(Fraction(16000, 3))
    ('86.1328125', '16000/3 = 5333.33…')
    """
    with localcontext(prec=60) as context:
        over, by = Decimal(value.numerator), Decimal(value.denominator)
        exact = over / by
        if Fraction(exact) == value:
            return format(exact, "f")
        context.prec = 200
        return f"{value} = {(over / by).quantize(Decimal('0.01'), ROUND_DOWN)}…"


def hertz(value: Fraction) -> str:
    """Return a frequency exactly, with its unit.

    Examples
    --------
    >>> hertz(Fraction(11025, 2)), hertz(Fraction(16000, 3))
    ('5512.5 Hz', '16000/3 Hz = 5333.33… Hz')
    """
    return f"{decimal(value).replace(' = ', ' Hz = ')} Hz"
