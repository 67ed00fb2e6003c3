"""What an audit found, as data: possible, expected, actual and measured lines, and what would cure them.

Four kinds of lines, from the weakest statement to the strongest:

- *possible*: multiples of the input rate of an upsampling layer, whatever its weights (`Audit.lines`);
- *expected*: levels that weights not trained yet have on average (`Expectation`);
- *actual*: what the steady response to a constant consists of, for these very weights (`Steady`);
- *measured*: what stands over its surroundings for an input of the user's choice (`Measured`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from dspref.arrays import Array, frozen, set_field, value
from dspref.artifacts import Finding as Artifact
from dspref.expected.forecast import NotPredicted
from dspref.expected.spectrum import Comb, Expected
from dspref.expected.visible import finest
from dspref.lines import Line
from torchparity.against import Comparison
from torchparity.judged import Finding, judged, wrong_levels
from torchparity.measure import Measured
from torchparity.spine import Spine


@dataclass(frozen=True)
class Expectation:
    """What weights that are not trained yet do with one input, on average: as `torchparity expect` says.

    Attributes
    ----------
    input : {'silence', 'constant', 'noise'}
        Of power 1 in every channel, but for silence.
    expected : Expected or None
        None where the theory does not cover the network.
    not_predicted : tuple of NotPredicted
        What is not covered, where, and why.
    remarks : tuple of str
        What was assumed.
    """

    input: str
    expected: Expected | None
    not_predicted: tuple[NotPredicted, ...] = ()
    remarks: tuple[str, ...] = ()

    def level_db(self, freq: Fraction) -> float | None:
        """Return ``10 log10 E abs(c)²`` of the line at `freq` cycles per output sample.

        None where nothing is predicted, where there is no line, or where the network has no line at `freq`.
        """
        if self.expected is None or (place := freq * self.expected.period).denominator != 1:
            return None
        power = self.expected.line(int(place))
        return 10 * math.log10(power) if power > 0 else None

    @property
    def finest(self) -> Comb | None:
        """The finest comb of lines that stand over the floor, or of any lines where there is no noise; None for none.

        What a spectrum shows: see `dspref.expected.visible`.
        """
        return None if self.expected is None else finest(self.expected)


@value
class Steady:
    """The steady response of these very weights to a constant: one period of the output is all that there is of it.

    ``c_k = (1/P) Σ_m y[m] e^{−j2πkm/P}``

    Attributes
    ----------
    input : {'silence', 'constant'}
        0, or 1 in every channel.
    seed : int
    period : int
        P, in output samples.
    power : array (P // 2 + 1,)
        abs(c_k)², averaged over channels.
    resolution : float
        Amplitude up to which a line may be rounding.
    start, rest : int
        Output samples at the beginning and at the end that are not steady: the length of the border's response.
    dtype : str
        Arithmetic of the module in this run.
    """

    input: str
    seed: int
    period: int
    power: Array
    resolution: float
    start: int
    rest: int
    dtype: str

    def __post_init__(self) -> None:
        set_field(self, "power", frozen(self.power))

    @property
    def exists(self) -> Array:
        """Whether each line k/P is more than rounding, as booleans (P // 2 + 1,)."""
        return np.asarray(np.sqrt(self.power) > self.resolution)

    def level_db(self, freq: Fraction) -> float | None:
        """Return 10 log₁₀ of the power of the line at `freq`; None where there is none."""
        if (place := freq * self.period).denominator != 1 or not self.exists[int(place)]:
            return None
        return float(10 * np.log10(self.power[int(place)]))


@dataclass(frozen=True)
class Cure:
    """What would cure the lines of one upsampling layer, and by how much.

    Attributes
    ----------
    owner : int
        The layer, counted from 1.
    rule : str
        What it is a cure of, as "UA101": see `dspref.artifacts.rules`.
    words : str
        What to do, in a sentence.
    promise : {'any weights', 'at initialisation', 'expected', 'these weights'}
        What it holds for: see `dspref.advice`; "these weights" was tried on a copy of the module.
    freq : Fraction or None
        Where the strongest line is that it is about, in cycles per output sample.
    before_db, after_db : float or None
        Level of the strongest line of the layer without and with it; None where there is none, in exact arithmetic.
    reference : str
        What these levels are relative to.
    """

    owner: int
    rule: str
    words: str
    promise: str
    freq: Fraction | None
    before_db: float | None
    after_db: float | None
    reference: str

    @property
    def gain_db(self) -> float | None:
        """By how much the line goes down; None where it is gone, or was not there."""
        if self.before_db is None or self.after_db is None:
            return None
        return self.before_db - self.after_db


@dataclass(frozen=True)
class Audit:
    """The result of an audit; `torchparity.report` prints it.

    Attributes
    ----------
    name : str
    sr : Fraction
        Output rate in Hz.
    spine : Spine
        The upsampling chain.
    lines : tuple of Line
        Possible lines, with the level under a constant 1 where every weight is known and all is linear.
    runs : tuple of Measured
        One for each seed and input; none where an architecture was audited that has no weights.
    notes : tuple of Finding
    recording : array (time,) or None
        What was fed, where it was a recording.
    expected : tuple of Expectation
        One for each of silence, constant, noise.
    actual : tuple of Steady
        Of the first seed: silence and a constant. Empty where the response does not become periodic.
    artifacts : tuple of dspref.artifacts.Finding
        What the chain does besides lines: filtering, borders, replicas, by rule.
    cures : tuple of Cure
    remarks : tuple of str
        What was chosen for the user: the layout of the input, the output among several, prefixes of a checkpoint.
    checkpoint : str or None
        The file that the weights are from.
    against : Comparison or None
        What changed from another audit.
    tone_free : tuple of int
        Upsampling layers whose phases have equal gains up to rounding, with the weights of the first seed.
    """

    name: str
    sr: Fraction
    spine: Spine
    lines: tuple[Line, ...]
    runs: tuple[Measured, ...]
    notes: tuple[Finding, ...]
    recording: Array | None = field(default=None, repr=False, compare=False)
    expected: tuple[Expectation, ...] = ()
    actual: tuple[Steady, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    cures: tuple[Cure, ...] = ()
    remarks: tuple[str, ...] = ()
    checkpoint: str | None = None
    against: Comparison | None = None
    tone_free: tuple[int, ...] = ()

    @property
    def predicted(self) -> Array | None:
        """Power of each line under the constant input, averaged over channels; None where not all is known."""
        if not self.spine.whole or any(line.amplitude is None for line in self.lines):
            return None
        return np.array([np.mean(np.abs(np.asarray(line.amplitude)) ** 2) for line in self.lines])

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything found, errors first."""
        wrong = () if self.predicted is None else wrong_levels(self.spine.chain, self.predicted, self.runs, self.sr)
        cured = {layer.owner for layer in self.spine.layers} <= {*self.tone_free} != set()
        told = (judged(r, self.sr, of_none=cured and r.seed == self.runs[0].seed) for r in self.runs)
        found = [*self.notes, *(f for each in told for f in each), *wrong]
        return tuple(sorted(found, key=lambda f: ("error", "warning", "note").index(f.level)))
