"""The article's figures, and some that it lacks: ``dspref figure fig6 -o figures``.

A figure is data before it is drawn (`Picture`): what a layer makes of a signal, and what is predicted of that. Others
join by the entry point group ``dspref.figures``: a name, and a function from `Wanted` to `Picture`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import entry_points

from dspref.arrays import as_choice, complaint
from dspref.figures.picture import RECORD, SEED, Maker, Picture, Wanted

__all__ = ["SEED", "Picture", "Wanted", "maker", "names", "picture", "wanted_names"]

GROUP = "dspref.figures"
"""Entry points of figures that other packages make."""

OWN = {
    "fig2": "dspref.figures.stamps:figure_2",
    "fig3": "dspref.figures.stamps:figure_3",
    "fig4": "dspref.figures.stamps:figure_4",
    "fig5": "dspref.figures.stamps:figure_5",
    "fig6": "dspref.figures.stacks:figure_6",
    "fig7": "dspref.figures.stacks:figure_7",
    "fig8": "dspref.figures.stacks:figure_8",
    "levels": "dspref.figures.extras:levels",
    "bifrequency": "dspref.figures.extras:bifrequency_maps",
    "montecarlo": "dspref.figures.record:montecarlo",
}
"""Figures of the NumPy reference, as "module:function"."""

RECORDED = ("montecarlo",)
"""Figures drawn from a record, of which no numbers are stored again."""

SETS = ("all", "extras")
"""Words for several figures: those of the article, and all others."""


def places() -> dict[str, str]:
    """Return where each known figure is made, as "module:function", the article's first."""
    found = OWN | {point.name: point.value for point in entry_points(group=GROUP)}
    return {name: found[name] for name in sorted(found, key=lambda name: (not _of_article(name), name))}


def names() -> tuple[str, ...]:
    """Return the names of all figures, those of the article first.

    Examples
    --------
    >>> {"fig2", "fig8", "levels"} <= set(names())
    True
    """
    return tuple(places())


def wanted_names(words: Iterable[str]) -> tuple[str, ...]:
    """Return the figures that words ask for, each once: names, "all" for the article's, "extras" for the others.

    "extras" leaves out figures of a record that is not there, as in an installed package.

    Raises
    ------
    ValueError
        If there is none of that name.

    Examples
    --------
    >>> wanted_names(["fig3", "fig2", "fig3"])
    ('fig3', 'fig2')
    """
    known = names()
    others = [name for name in known if not _of_article(name) and (name not in RECORDED or RECORD.is_file())]
    found: list[str] = []
    for word in words:
        as_choice("figure", word, (*known, *SETS))
        both = {"all": filter(_of_article, known), "extras": others}
        found += both.get(word, [word])
    return tuple(dict.fromkeys(found))


def maker(name: str) -> Maker:
    """Return what makes a figure.

    Raises
    ------
    ValueError
        If there is none of that name, or the package that makes it lacks something.
    """
    place = places()[as_choice("figure", name, names())]
    module, _, function = place.partition(":")
    try:
        made: Maker = getattr(import_module(module), function)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("dspref", ""):
            raise
        extra = {"torch": "torch"}.get(missing, "all")
        words = complaint(f"figure {name}", f"no {missing}", f"{missing} installed", f"pip install 'dspref[{extra}]'")
        raise ValueError(words) from error
    return made


def picture(name: str, *, wanted: Wanted | None = None) -> Picture:
    """Return a figure as data: `dspref.figures.draw.drawn` draws it, `dspref.figures.files.save` writes it.

    Parameters
    ----------
    name : str
        One of `names`.
    wanted : Wanted, optional
        Seed and recording, if not the usual ones.

    Examples
    --------
    >>> picture("fig4").panels[0].made.words
    ('1', '2', '3', '3', '2', '1')
    """
    return maker(name)(wanted or Wanted())


def _of_article(name: str) -> bool:
    return re.fullmatch(r"fig\d", name) is not None
