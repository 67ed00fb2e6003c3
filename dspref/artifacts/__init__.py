"""What a chain does to sound, as findings: a rule of `dspref.artifacts.rules` with its numbers put in.

Severity comes from the predicted level, never from how kernels overlap. Where weights are not known, lines are
possible, their level is not known, and the finding is a note.
"""

from __future__ import annotations

from fractions import Fraction

from numpy.typing import ArrayLike

from dspref.arrays import as_exact
from dspref.artifacts.bands import borders, filtering, images
from dspref.artifacts.finding import SEVERITIES, Finding, Thresholds
from dspref.artifacts.noise import noise
from dspref.artifacts.prospect import Prospect
from dspref.artifacts.tones import offsets, tones
from dspref.chain import Chain

__all__ = ["SEVERITIES", "Finding", "Thresholds", "findings"]

QUARTER = Fraction(1, 4)
"""The middle of the input's band, in cycles per input sample."""


def findings(
    chain: Chain,
    sr: Fraction | float,
    *,
    offset: ArrayLike = 1,
    component: Fraction | float | str = QUARTER,
    thresholds: Thresholds | None = None,
) -> tuple[Finding, ...]:
    """Return what the chain does to sound: tones, filtering, borders, replicas and offsets, the worst first.

    Parameters
    ----------
    chain : Chain
    sr : number
        Output rate in Hz.
    offset : number or array (in,)
        Mean of the input, for the levels of lines. Behind a pointwise map they hold for this constant input alone.
    component : Fraction
        Frequency of which each layer's images are told, in cycles per sample at that layer's input.
    thresholds : Thresholds

    Returns
    -------
    tuple of Finding, by severity, then by stage. A layer that is proved to make no line has no finding of a tone.

    Raises
    ------
    ValueError
        If `sr` is not above 0, or `component` not within 0 … 1/2.
    NotAnalysable
        If a stage lowers the rate or has no fixed grid.

    Examples
    --------
    >>> from dspref import TransposedConv
    >>> worst = findings(Chain([TransposedConv([[[1, 1, 1]]], stride=2)]), 16000)[0]
    >>> worst.rule.id, str(worst.hz), round(worst.level_db, 2)
    ('UA101', '8000', -9.54)
    """
    about = Prospect(chain, sr, offset, as_exact("component", component), thresholds or Thresholds())
    found = [*tones(about), *noise(about), *filtering(about), *borders(about), *images(about), *offsets(about)]
    return tuple(sorted(found, key=lambda f: (SEVERITIES.index(f.severity), f.stage or 0, f.rule.id)))
