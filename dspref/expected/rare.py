"""How few channels make a line of noise, where offsets are louder than it.

In front of a map with a kink at 0, of slopes α and 1, channels have offsets b of variance σ², as biases make them, and
noise of variance q, which is louder by δ_r in phase r. The mean behind the map moves by

    δ_r dE f(b + √q Z)/dq = (1 − α)/2 · δ_r φ_q(b),        φ_q(b) = e^{−b²/2q}/√(2πq)

so that a channel has a line if its offset is next to the kink, as near as the noise is loud. Of offsets that are louder
few are, and a mean over channels, or over drawn layers, is made by few of them.
"""

from __future__ import annotations

import math

from dspref.arrays import as_real, complaint


def rarity(noise: float, offsets: float) -> float:
    """Return of how many channels one makes a line of noise, behind a map with a kink and in front of it an offset.

    ``E A⁴/(E A²)² = (2σ² + q)/√(q (4σ² + q)) = (u + 1/u)/2``, ``u² = 1 + 4σ²/q``, over offsets b, of the amplitude
    ``A ∝ φ_q(b)`` in a channel: 1 where all are alike, and 1/p where a share p has a line and the others have none.
    Loud offsets leave ``√q/σ`` of them.

    Eq. 6.15.

    Parameters
    ----------
    noise, offsets : float
        Variances q and σ² in front of the map, in one unit.

    Returns
    -------
    float
        At least 1.

    Raises
    ------
    ValueError
        If there is no noise, or a variance is below 0.

    Examples
    --------
    >>> [round(rarity(1.0, offsets), 1) for offsets in (0.0, 1.0, 100.0, 1e6)]
    [1.0, 1.3, 10.0, 1000.0]
    """
    q, variance = float(as_real("noise", noise)), float(as_real("offsets", offsets))
    if not q > 0:
        raise ValueError(complaint("noise", q, "a variance > 0"))
    if variance < 0:
        raise ValueError(complaint("offsets", variance, "a variance >= 0"))
    u = math.hypot(1, 2 * math.sqrt(variance) / math.sqrt(q))
    return (u + 1 / u) / 2
