"""Known weights: lines and floor of a linear chain, exactly. Nothing is expected here; it is what it is.

With A_i the factor behind layer i, P the whole factor, H_i(ν) = Σ_n h_i[n] e^{−j2πνn} and B_i[k] = 1/s_i Σ_r b_i[r]
e^{−j2πkr/s_i}, which is 0 for k ≠ 0 but for sub-pixel convolutions, whose biases have a period of their own:

    c_k = c/P Π_i H_i(A_i k/P) + Σ_{i: k A_i s_i ≡ 0 mod P} B_i[k A_i s_i/P]/A_i · Π_{j>i} H_j(A_j k/P)
    S(ν) = S_x(P ν)/P · Π_i abs(H_i(A_i ν))²                        (delays and the order of matrices apart)

Noise that is the same in all channels passes through the sum of the whole response over inputs.
"""

from __future__ import annotations

import numpy as np

from dspref.arrays import Array, NotAnalysable, as_complex, complaint
from dspref.chain import Chain
from dspref.expected.network import Source
from dspref.expected.source import check_source
from dspref.expected.spectrum import Expected


def known_spectrum(chain: Chain, source: Source) -> Expected:
    """Return the lines and the floor of a linear chain whose weights are known: averages over channels of the output.

    Eq. 2.8.

    Parameters
    ----------
    chain : Chain
        Of layers with weights; the factor of each is an integer.
    source : Source
        Its noise is independent in each channel, or if mono one and the same in all.

    Returns
    -------
    Expected
        With `lines`, and without `combs`: there is no law that lines of one comb share.

    Raises
    ------
    NotAnalysable
        If a stage is nonlinear, has no weights, or lowers the rate.
    ValueError
        If the chain takes another number of channels.

    Examples
    --------
    >>> from dspref import TransposedConv
    >>> known = known_spectrum(Chain([TransposedConv(np.ones((1, 1, 3)), stride=2)]), Source(1, constant=1.0))
    >>> known.lines.tolist()
    [2.25, 0.25]
    """
    if not isinstance(chain, Chain):
        raise TypeError(complaint("chain", repr(chain), "Chain", "as Chain([layer])"))
    check_source(source)
    if not chain.affine:
        names = ", ".join(stage.op for stage in chain.stages if not Chain([stage]).affine)
        raise NotAnalysable(complaint("weights", f"none, or nonlinear: {names}", "linear layers with weights"))
    P, u = chain.factor, chain.collapse()
    if chain.in_channels not in (None, source.channels):
        raise ValueError(complaint("channels", source.channels, f"{chain.in_channels}, as the first layer takes"))
    period = as_complex("amplitudes", chain.offset_response(np.full(source.channels, source.constant)))
    c = np.fft.fft(period, axis=-1) / P
    h = np.asarray(u.h, float)
    own = source.private if source.mono else source.covariance  # of each channel; the rest is the same in all
    own = (*own, *(0.0,) * (len(source.covariance) - len(own)))
    shared = tuple(r - each for r, each in zip(source.covariance, own, strict=True))
    rows, outputs = (h.reshape(-1, h.shape[-1]), len(period)) if h.ndim == 3 else (h[None], 1)
    lags, r = _covariance(rows, P, own, outputs)
    if any(shared):
        r = r + _covariance(h.sum(axis=1) if h.ndim == 3 else rows, P, shared, outputs)[1]
    power = np.asarray((abs(c) ** 2).mean(axis=0))
    return Expected((), power, lags, r, P, len(period), 0, True, "weights")


def _covariance(rows: Array, P: int, r: tuple[float, ...], outputs: int) -> tuple[Array, Array]:
    """Return lags >= 0 and ``1/P Σ_τ r_τ (h ⋆ h)[l − Pτ]``, summed over inputs, averaged over outputs."""
    K, reach = rows.shape[-1], P * (len(r) - 1) if r else 0
    own = sum(np.correlate(row, row, "full") for row in rows) / (P * outputs)
    total = np.zeros(2 * (K + reach) - 1)
    for tau in range(1 - len(r), len(r)):
        start = reach + tau * P
        total[start : start + 2 * K - 1] += r[abs(tau)] * own
    return np.arange(K + reach), total[K + reach - 1 :]
