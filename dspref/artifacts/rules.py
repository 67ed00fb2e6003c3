"""The artifacts that upsampling makes, as rules with permanent ids, and what cures each.

UA1xx tones from an offset · UA2xx filtering · UA3xx borders · UA4xx replicas and offsets · UA5xx gradients. A rule says
why, by the formula that gives its level; `dspref.artifacts.findings` puts the numbers in.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from dspref.arrays import as_choice, complaint, did_you_mean

FAMILIES = {
    "UA1": "tones",
    "UA2": "filtering",
    "UA3": "boundary",
    "UA4": "replicas and offsets",
    "UA5": "gradients",
}
"""What the first digit of an id stands for."""

RE_DC = "dB re DC at the output (dBc)"
PONS = "Pons et al., ICASSP 2021, arXiv 2010.14356"
PONS_MORE = "Pons et al., arXiv 2111.11773"
AITKEN = "Aitken et al., arXiv 1707.02937"
VAIDYANATHAN = "P. P. Vaidyanathan, Multirate Systems and Filter Banks, 1993"


@dataclass(frozen=True)
class Rule:
    """One kind of artifact.

    Attributes
    ----------
    id : str
        Permanent: UA and three digits, the first that of its family.
    title, what : str
        Its name, and what is seen.
    why : str
        The formula that says where it is and how strong.
    cure : str
    reference : str
        What its level is relative to.
    source : str
        Whose finding it is; "own derivation" where it is this library's.
    """

    id: str
    title: str
    what: str
    why: str
    cure: str
    reference: str
    source: str

    @property
    def family(self) -> str:
        """Its family in words."""
        return FAMILIES[self.id[:3]]

    def to_dict(self) -> dict[str, str]:
        """Return the fields, and the family, as plain data."""
        return {**asdict(self), "family": self.family}


RULES: tuple[Rule, ...] = (
    Rule(
        "UA101",
        "line of a transposed convolution",
        "A tone at every multiple of the layer's input rate, as soon as its input has an offset.",
        "c_k = μ H(k/s)/s at k·sr_in, k = 1 … s−1: zero for all k iff the s phase gains Σ_q h[qs + r] are equal. "
        "Random taps: E|c_k|² = E|c_0|², whatever the overlap.",
        "Give the s phases equal gains (tone-free taps; ones, if s divides the length), or interpolate and convolve.",
        RE_DC,
        f"{PONS}; Odena, Dumoulin, Olah, Distill 2016",
    ),
    Rule(
        "UA102",
        "line of a sub-pixel convolution",
        "The s filters that take turns answer a constant differently: a tone at every multiple of the input rate.",
        "A sub-pixel convolution of K taps is a transposed one of K·s: c_k = μ H(k/s)/s, H the s filters interleaved.",
        "ICNR: begin with the s filters equal; to keep it in training, hold their sums equal.",
        RE_DC,
        f"{PONS}; {AITKEN}; W. Shi et al., arXiv 1609.07009",
    ),
    Rule(
        "UA103",
        "periodic bias of a sub-pixel convolution",
        "The bias has one value per phase, so it repeats every s samples: a tone even for silence at the input.",
        "b_k = (1/s) Σ_r b[r] e^{−j2πkr/s} at k·sr_in.",
        "No bias before the shuffle, or one value for the s phases of each channel (add the bias after the shuffle).",
        RE_DC,
        "own derivation",
    ),
    Rule(
        "UA104",
        "grid of a frame-based head",
        "What an inverse STFT, a squeeze or a synthesis bank makes of constant inputs repeats every P samples: a "
        "hop, a group, as many samples as there are bands.",
        "Lines at k·sr/P, of amplitude c_k = (1/P) Σ_m y[m] e^{−j2πkm/P} over one period of the steady output.",
        "Frames whose windows overlap-add to a constant, no offset in bins or bands other than DC's.",
        RE_DC,
        f"own derivation; {VAIDYANATHAN}",
    ),
    Rule(
        "UA105",
        "leakage of an interpolation filter",
        "A filter that is meant to remove images leaves a little of DC's: faint tones at multiples of the input rate.",
        "c_k/c_0 = H(k/s)/H(0): the stop band of the filter at k/s.",
        "Scale each phase to the same gain (the nearest tone-free taps), or ask for more attenuation.",
        RE_DC,
        "own derivation; resample_poly of SciPy: −65.7 dBc at ×2",
    ),
    Rule(
        "UA106",
        "tone from noise alone",
        "Noise without offset comes out of the upsampler with a power that repeats every s samples; a map that is not "
        "odd turns the power into an offset that repeats.",
        "v[r] = Σ_m h[r + ms]²; a rectifier makes μ[r] ∝ √v[r], of lines |Σ_r √v[r] e^{−j2πkr/s}| / Σ_r √v[r].",
        "Equal powers on average over weights: nearest neighbour, or a convolution between whose length is a multiple "
        "of s. Any one draw then leaves lines of power 1/channels; none where a map follows nearest neighbour directly "
        "or through a single tap, where no map follows, or an odd one and no offset; faint ones behind a band-limited "
        "interpolation.",
        "dB re the offset that the map makes",
        "own derivation",
    ),
    Rule(
        "UA107",
        "samples left empty",
        "A kernel shorter than its stride, or no kernel, leaves phases of zeros: strong lines, with a single tap "
        "as strong as the offset itself.",
        "K < s: at least one phase gain is 0. K = 1: |c_k| = |c_0| for every k.",
        "A length of at least the stride, or an interpolation filter behind the stretch.",
        RE_DC,
        PONS,
    ),
    Rule(
        "UA201",
        "nulls of an interpolator",
        "What would be at multiples of the input rate is taken out, and its surroundings with it.",
        "H(k/s) = 0, k = 1 … s−1: nearest H = box_s, linear box_s² and more. The same nulls keep it free of tones.",
        "None needed for tones; a learned convolution behind it, or a sharper filter, fills the band around the nulls.",
        "no level: nothing is left there",
        f"{PONS}; {PONS_MORE}",
    ),
    Rule(
        "UA202",
        "droop",
        "The input's high frequencies are attenuated.",
        "|H(f)|/|H(0)| at the edge of the input's band, f = 1/(2s) cycles per output sample: nearest "
        "|sin πfs / (s sin πf)|, linear its square, times |cos πf| on the half-sample grid with even s.",
        "A longer windowed sinc, or a convolution behind it that learns the inverse.",
        "dB re the response at DC",
        f"{PONS}; {PONS_MORE}",
    ),
    Rule(
        "UA203",
        "coloured floor",
        "White noise comes out with the spectrum of the filter.",
        "Time-averaged density σ²|H(f)|²/s; its mean over all f, re its value at DC, is Σh²/(Σh)².",
        "A convolution behind it that learns the inverse; or noise put in at the output rate.",
        "dB re the density at DC, mean over the band",
        PONS,
    ),
    Rule(
        "UA204",
        "triple null at half the output rate",
        "Linear interpolation on the half-sample grid by an even factor has one zero more there than box².",
        "H = box_s² (1 + z⁻¹)/(2s): (1 + z⁻¹) is zero at sr/2.",
        "Corners aligned or an odd factor put the grid on the samples; or another filter.",
        "no level: nothing is left there",
        "own derivation",
    ),
    Rule(
        "UA301",
        "border transient",
        "The first and last samples see zeros, or a border rule, in place of signal.",
        "Steady from output a to L·time − b: a = max(0, taps − L − offset), b = max(0, offset, −excess), the fields of "
        "its StretchFilter.",
        "Feed more than is wanted and cut; or a border rule that continues the signal.",
        "samples",
        PONS,
    ),
    Rule(
        "UA302",
        "length is not a multiple of the input's",
        "The output is longer or shorter than S times the input: it shifts where pieces are joined.",
        "length = S·time + excess; a transposed convolution: excess = (K−1)d + 1 − s − 2p + output_padding.",
        "Padding and output_padding that make the excess 0.",
        "samples",
        "own derivation",
    ),
    Rule(
        "UA401",
        "images",
        "Every component comes back around each multiple of the input rate.",
        "|H((k ± f0)/s)| / |H(f0/s)|, f0 in cycles per input sample: nearest ×2 tan(π f0/2), linear its square or "
        "cube.",
        "A filter with more attenuation, or a convolution behind that can learn one.",
        "dB re the component, as the layer gives it",
        f"{PONS_MORE}; {VAIDYANATHAN}",
    ),
    Rule(
        "UA402",
        "offset made by an activation",
        "A map that is not odd turns a zero-mean signal into one with an offset, which later layers turn into lines.",
        "(E φ(x))² / E φ(x)², x Gaussian: ReLU 1/π, LeakyReLU (1−a)²/(π(1+a²)), tanh 0.",
        "An odd map before the upsampler, or an upsampler free of tones.",
        "dB re the power that the map gives",
        "own derivation",
    ),
    Rule(
        "UA403",
        "offset made by a bias",
        "A bias is an offset, injected after its layer: later layers turn it into lines, even for silence.",
        "Lines of the chain behind for the offset b. Torch's transposed convolutions shrink signals and not biases: "
        "power gain C_in/(3 s C_out), bias variance 1/(3 C_out K).",
        "bias=False before an upsampler that is not free of tones.",
        RE_DC,
        f"{PONS}; own derivation",
    ),
    Rule(
        "UA404",
        "stretch without a filter",
        "Zeros between samples and nothing else: every image is as strong as the component.",
        "Y(f) = X(s f): 0 dB at all (k ± f0)/s.",
        "An interpolation filter behind it.",
        "dB re the component, as the layer gives it",
        VAIDYANATHAN,
    ),
    Rule(
        "UA501",
        "lines in the gradient of a strided layer",
        "The gradient that a strided convolution or a pooling hands back repeats every s samples.",
        "For the gradient of the sum, coefficients W(k/s)/s at k·sr/s, sr the rate of the layer's input; average "
        "pooling with K = s: none.",
        "Taps whose s phases have equal sums, as average pooling; several strides side by side only dilute the lines.",
        "dB re the mean of the gradient",
        f"{PONS}; own derivation",
    ),
    Rule(
        "UA502",
        "lines in the gradient of an STFT loss",
        "Windows that overlap unevenly weigh samples unevenly.",
        "Envelope Σ_m w²[n − m·hop]: lines at k·sr/hop of level W2(k/hop)/W2(0), W2 the spectrum of w².",
        "A hop at which w² overlaps to a constant: Hann whose length is a whole number of hops, three or more.",
        "dB re the mean of the envelope",
        "own derivation",
    ),
    Rule(
        "UA503",
        "grids of a discriminator",
        "A stack of strided layers, or a period, has a grid of its own in its gradient.",
        "Strides s_1 … s_n: lines at multiples of sr/(s_1⋯s_n); a period p: of sr/p.",
        "Periods and strides without a common divisor, random shifts of the input (phase shuffle).",
        "dB re the mean of the gradient",
        "own derivation",
    ),
)
"""All rules, by id."""

BY_ID = {rule.id: rule for rule in RULES}


def rule(id: str) -> Rule:
    """Return the rule of an id; letters may be small.

    Raises
    ------
    ValueError
        If there is no such rule; says the nearest.

    Examples
    --------
    >>> rule("UA103").title
    'periodic bias of a sub-pixel convolution'
    """
    if not isinstance(id, str):
        raise TypeError(complaint("rule", repr(id), "an id, as 'UA101'"))
    if (wanted := id.strip().upper()) in BY_ID:
        return BY_ID[wanted]
    hint = did_you_mean(wanted, BY_ID) or "'dspref rules' lists them"
    raise ValueError(complaint("rule", repr(id), "UA and three digits, one of 'dspref rules'", hint))


def rules_of(family: str) -> tuple[Rule, ...]:
    """Return the rules of a family: "tones", "filtering", "boundary", "replicas and offsets" or "gradients".

    Examples
    --------
    >>> [rule.id for rule in rules_of("boundary")]
    ['UA301', 'UA302']
    """
    as_choice("family", family, FAMILIES.values())
    return tuple(rule for rule in RULES if rule.family == family)
