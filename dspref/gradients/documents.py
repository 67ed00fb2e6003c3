"""Lines in gradients as plain data: schemas ``dspref.gradient/1`` and ``dspref.gradients.stftloss/1``.

Levels are in dB re the mean of the gradient (dBc): ``20 log10 abs(c_k/c_0)``, of the loudest input channel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from dspref import __version__
from dspref.arrays import complaint
from dspref.chain import Chain, Stage
from dspref.documents import MOST, Document, number
from dspref.gradients.adjointchain import adjoint_chain
from dspref.gradients.decimators import PhaseShuffle, Pool
from dspref.gradients.discriminators import discriminator_text, stage_text
from dspref.gradients.lines import GradientLine, gradient_lines, shuffle_attenuation
from dspref.gradients.stftloss import EnvelopeLine, Resolution, multi_resolution_lines
from dspref.outline import overlap
from dspref.spec import outlined
from dspref.words import LARGEST


def gradient_document(chain: Chain, sr: Fraction | int, *, period: int = 1) -> Document:
    """Return the stages of a discriminator and the lines that it can put into the gradient by its input.

    Parameters
    ----------
    chain : Chain
    sr : Fraction or int
        Input rate in Hz.
    period : int
        Columns that the input is cut into first.

    Returns
    -------
    dict
        ``schema, version, spec, sr, period, factor, stages, lines``. A line has ``hz, freq ("k/D"), owner, stage,
        origins, level_dbc``; ``null: true`` where it is proved that nothing is there; and, if the chain has phase
        shuffles, ``shuffled``, the part of its amplitude that is left in the mean over draws (`level_dbc` counts it).

    Examples
    --------
    >>> from dspref import parse
    >>> [line["hz"] for line in gradient_document(parse("conv k4 s2 | conv k4 s2"), 32000)["lines"]]
    [0, 8000, 16000]
    """
    sr, D = Fraction(sr), adjoint_chain(chain).factor * period
    if D > MOST:
        raise ValueError(complaint("product of the strides", D, f"at most {MOST}", "ask for fewer layers at a time"))
    lines = gradient_lines(chain, period=period)
    return {
        "schema": "dspref.gradient/1",
        "version": __version__,
        "spec": discriminator_text(chain),
        **number("sr", sr),
        "period": period,
        "factor": D,
        "stages": _stages(chain, sr / period),
        "lines": [_line(line, lines[0], D, sr) | _shuffled(chain, line.freq * period) for line in lines],
    }


def _stages(chain: Chain, rate: Fraction) -> list[Document]:
    """Return one row per stage: its place, its number among those that lower the rate, its rates, and its overlap."""
    rows, owner = list[Document](), 0
    for place, stage in enumerate(chain.stages):
        lowers, after = stage.factor < 1, rate * Fraction(stage.factor)
        owner += lowers
        rows.append(
            {
                "stage": place,
                "owner": owner if lowers else None,
                "op": stage.op,
                "length": stage.length,
                "stride": Fraction(stage.factor).denominator,
                **number("rate_in", rate),
                **number("rate_out", after),
                "overlap": _overlap(stage) if lowers else None,
                "spec": stage_text(stage),
            }
        )
        rate = after
    return rows


def _overlap(stage: Stage) -> str | None:
    """Return how the stamps overlap that the stage lays down on the way back; "gap": some samples get no gradient."""
    if isinstance(stage, Pool):
        return overlap(stage.length, stage.step)
    outline = outlined(stage)
    return None if outline is None else overlap(outline.length, outline.stride, outline.dilation)


def _line(line: GradientLine, mean: GradientLine, D: int, sr: Fraction) -> Document:
    return {
        **number("hz", line.hz(sr)),
        "freq": f"{line.freq * D}/{D}",
        "owner": line.owner,
        "stage": line.stage,
        "origins": list(line.origins),
        "level_dbc": _level(line, mean),
        **({"null": True} if line.null else {}),
    }


def _shuffled(chain: Chain, freq: Fraction) -> Document:
    """Return what phase shuffles leave of a component, if there are any."""
    if not any(isinstance(stage, PhaseShuffle) for stage in chain.stages):
        return {}
    return {"shuffled": round(shuffle_attenuation(chain, freq), 12)}


def _level(line: GradientLine, mean: GradientLine) -> float | None:
    if line.null or line.amplitude is None or mean.amplitude is None:
        return None
    c, reference = float(np.abs(line.amplitude).max()), float(np.abs(mean.amplitude).max())
    return round(20 * math.log10(c / reference), 6) if c and reference else None


def stft_document(resolutions: Sequence[Resolution], sr: Fraction | int) -> Document:
    """Return the lines of the envelope that each short-time spectrum puts on the gradient, and those of their sum.

    Returns
    -------
    dict
        ``schema, version, sr, resolutions, together``. A resolution has ``words, n_fft, hop, win_length, window, gap,
        spacing, worst_dbc, lines``; ``worst_dbc`` is None if it is proved to have none. A line has ``hz, freq,
        level_dbc``, ``null: true`` where it is proved that nothing is there, and in ``together`` its ``sources``.
        ``together`` is the plain sum of the losses.

    Examples
    --------
    >>> stft_document([Resolution(512, 50, 240)], 24000)["resolutions"][0]["worst_dbc"]
    -68.599819
    """
    sr = Fraction(sr)
    for resolution in resolutions:
        if resolution.hop > MOST or resolution.n_fft > LARGEST:
            allowed = f"a hop of at most {MOST} and n_fft of at most {LARGEST}"
            raise ValueError(complaint("short-time spectrum", resolution.words, allowed))
    return {
        "schema": "dspref.gradients.stftloss/1",
        "version": __version__,
        **number("sr", sr),
        "resolutions": [_resolution(resolution, sr) for resolution in resolutions],
        "together": [
            {**_envelope_line(line, sr), "sources": list(line.sources)} for line in multi_resolution_lines(resolutions)
        ],
    }


def _resolution(resolution: Resolution, sr: Fraction) -> Document:
    lines = resolution.lines()
    worst = max((line.level_dbc for line in lines[1:] if line.level_dbc is not None), default=None)
    return {
        "words": resolution.words,
        "n_fft": resolution.n_fft,
        "hop": resolution.hop,
        "win_length": resolution.length,
        "window": resolution.window,
        "gap": resolution.gap,
        **number("spacing", sr / resolution.hop),
        "worst_dbc": None if worst is None else round(worst, 6),
        "lines": [_envelope_line(line, sr) for line in lines],
    }


def _envelope_line(line: EnvelopeLine, sr: Fraction) -> Document:
    return {
        **number("hz", line.hz(sr)),
        "freq": str(line.freq),
        "level_dbc": None if line.level_dbc is None else round(line.level_dbc, 6),
        **({"null": True} if line.null else {}),
    }
