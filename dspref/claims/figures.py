"""The figures of claims. Needs matplotlib (``pip install dspref[plot]``)."""

from __future__ import annotations

import os
from io import BytesIO
from typing import TYPE_CHECKING

from dspref.arrays import complaint
from dspref.claims import claim
from dspref.claims.curves import Drawing
from dspref.claims.drawings import DRAWINGS
from dspref.console import write

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def drawing(id: str) -> Drawing:
    """Return the data of a claim's figure.

    Examples
    --------
    >>> [curve.name for curve in drawing("UA-T6").curves]
    ['sin(πK/6)/(K sin(π/6))', 'lines']
    """
    wanted = claim(id).id
    found = [draw for (owner, _), draw in DRAWINGS.items() if owner == wanted]
    if not found:
        raise ValueError(complaint("figure", wanted, ", ".join(owner for owner, _ in DRAWINGS)))
    return found[0]()


def plot(id: str, *, ax: Axes | None = None) -> Axes:
    """Draw a claim's figure on axes, and return them."""
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots()[1]
    data = drawing(id)
    for i, curve in enumerate(data.curves):
        style = {"lw": 1.2, "alpha": 0.8} if curve.joined else {"ls": "", "marker": "ox+s"[i % 4], "ms": 5}
        ax.plot(curve.x, curve.y, label=curve.name, **style)
    ax.set(xlabel=data.x, ylabel=data.y, title=f"{claim(id).id}. {claim(id).title}")
    ax.legend(fontsize="small")
    ax.grid(alpha=0.3)
    return ax


def save(id: str, path: str | os.PathLike[str]) -> None:
    """Draw a claim's figure into a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    plot(id, ax=figure.subplots())
    page = BytesIO()
    figure.savefig(page, format="png", dpi=110)
    write(path, page.getvalue())
