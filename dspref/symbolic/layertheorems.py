"""What an offset, and a component, become in one layer: statements for every order k, length K and factor s at once."""

from __future__ import annotations

from typing import Any

import sympy

from dspref.symbolic.closedforms import NU, box_response, dirichlet, linear_response, ones_level
from dspref.symbolic.proofs import Statement, Step, no_zeros, sine_has_no_zero

_positive = {"integer": True, "positive": True}
k, K, s, q, L = sympy.symbols("k K s q L", **_positive)
n, r = sympy.symbols("n r", integer=True, nonnegative=True)
x, f0 = sympy.Symbol("x"), sympy.Symbol("f0", positive=True)
pi, I, exp, sin, tan = sympy.pi, sympy.I, sympy.exp, sympy.sin, sympy.tan


def stretch_images() -> Statement:
    """Return: a stretch by s puts images at every k/s, all as strong as the signal."""
    wave = exp(-2 * pi * I * n * s * (NU + k / s))
    return Statement(
        "stretch",
        "A stretch by s repeats the spectrum at every k/s, at 0 dB: Y(ν) = X(sν) has the period 1/s.",
        "s, k positive integers; any signal",
        r"Y(\nu + k/s) = X(s\nu + k) = X(s\nu) = Y(\nu)",
        (Step("each sample's wave has the period 1/s", wave, exp(-2 * pi * I * n * s * NU)),),
    )


def line_amplitude() -> Statement:
    """Return: an offset μ into any kernel makes lines at k/s of amplitude μH(k/s)/s."""
    m = q * s + r
    return Statement(
        "line",
        "An offset μ that enters a layer of factor s makes lines at k/s of amplitude c_k = μ H(k/s)/s, whatever the "
        "length of the kernel.",
        "s positive integer; K any, less than s or no multiple of it included",
        r"c_k = \frac1s \sum_{r<s} \mu \sum_q h[qs+r]\, e^{-j2\pi kr/s} = \frac{\mu}{s} H(k/s)",
        (
            Step("tap qs + r turns by k/s as its phase r", exp(-2 * pi * I * k * m / s), exp(-2 * pi * I * k * r / s)),
            Step("the output repeats after s samples, so do the waves", exp(-2 * pi * I * k * s / s), sympy.Integer(1)),
        ),
    )


def harmonics() -> Statement:
    """Return: a layer makes s − 1 complex lines beside DC, in conjugate pairs k and s − k."""
    turned = exp(-2 * pi * I * (k + s) * n / s)
    return Statement(
        "harmonics",
        "A layer of factor s has s − 1 complex lines beside the offset, k = 1 … s − 1; for real taps line s − k is "
        "the conjugate of line k, so ⌊s/2⌋ frequencies are left.",
        "s positive integer; real taps for the second part",
        r"c_{k+s} = c_k,\quad c_{s-k} = \overline{c_k}",
        (
            Step("line k + s is line k", turned, exp(-2 * pi * I * k * n / s)),
            Step("line s − k is the conjugate", exp(-2 * pi * I * (s - k) * n / s), exp(2 * pi * I * k * n / s)),
            no_zeros("the waves of two lines differ: e^{−j2πt} = 1 at integers only", _turns),
            Step("k = 1 … s − 1 are so many", sympy.summation(1, (k, 1, s - 1)), s - 1),
        ),
    )


def _turns(t: Any) -> Any:
    """Return |e^{−j2πt} − 1|² = 2 − 2cos 2πt, zero where e^{−j2πt} is 1."""
    return 2 - 2 * sympy.cos(2 * pi * t)


def equal_gains() -> Statement:
    """Return: no line if and only if the phase gains are equal."""
    total = (1 - exp(-2 * pi * I * k * s / s)) / (1 - x)
    other = sympy.Symbol("k'", integer=True)
    return Statement(
        "phase gains",
        "A layer makes no tone if and only if its s phase gains are equal.",
        "s positive integer; c_k = (μ/s) Σ_r g_r W^{kr}, W = e^{−j2π/s}",
        r"g_0 = \dots = g_{s-1} \iff c_1 = \dots = c_{s-1} = 0",
        (
            Step("equal gains add up to (1 − W^{ks})/(1 − x), x standing for W^k", total, sympy.Integer(0)),
            no_zeros("x is not 1 for 0 < k < s", _turns),
            Step(
                "the waves of k and k' are orthogonal for the same reason, so Σ_{k>0} |c_k|² = (μ²/s) Σ_r |g_r − ḡ|²",
                total.subs(k, k - other),
                sympy.Integer(0),
            ),
        ),
    )


def ones_kernel() -> Statement:
    """Return: the level of the lines of an all-ones kernel, and its phase."""
    B = (1 - x**n) / (1 - x)
    closed = B.subs(n, K).subs(x, exp(-2 * pi * I * NU))
    magnitude = dirichlet(K, k / s) / dirichlet(K, 0)
    return Statement(
        "all-ones level",
        "Line k of an all-ones kernel of length K has the level |c_k/c_0| = |sin(πkK/s)/(K sin(πk/s))| and the phase "
        "−π(K − 1)k/s, to which a negative quotient of sines adds π.",
        "K, s positive integers, s does not divide k; no padding (p samples of it turn the phase by 2πpk/s)",
        rf"\left|\frac{{c_k}}{{c_0}}\right| = {sympy.latex(ones_level(K, s, k))}",
        (
            Step("1 + x + … is (1 − x^n)/(1 − x): one term", B.subs(n, 1), sympy.Integer(1)),
            Step("and from n terms to n + 1", B.subs(n, n + 1) - B, x**n),
            Step("at x = e^{−j2πν} it is the Dirichlet kernel and its phase", closed, box_response(K)),
            Step("c_0 is its limit at 0", sympy.limit(dirichlet(K), NU, 0), dirichlet(K, 0)),
            Step("|c_k/c_0| is the quotient", sympy.Abs(magnitude), ones_level(K, s, k)),
        ),
    )


def ones_nulls() -> Statement:
    """Return: line k of an all-ones kernel vanishes if and only if s divides kK; all do if and only if s divides K."""
    rest = sympy.Symbol("r", **_positive)
    off = sin(pi * (n * s + rest) / s)
    return Statement(
        "all-ones nulls",
        "Line k of an all-ones kernel of length K vanishes if and only if s divides kK; all lines vanish if and only "
        "if s divides K.",
        "K, s positive integers, 0 < k < s",
        r"c_k = 0 \iff s \mid kK,\qquad c_1 = \dots = c_{s-1} = 0 \iff s \mid K",
        (
            Step("kK = ns: the sine of nπ is zero", sin(pi * (n * s) / s), sympy.Integer(0)),
            Step("kK = ns + r: a sine within 0 … π, up to its sign", off, (-1) ** n * sin(pi * rest / s)),
            sine_has_no_zero(),
            Step("K = qs: line k is null for every k", dirichlet(q * s, k / s), sympy.Integer(0)),
            Step("else line 1 stays: K = ns + r", sin(pi * (n * s + rest) / s), (-1) ** n * sin(pi * rest / s)),
        ),
    )


def nearest_neighbour() -> Statement:
    """Return: interpolation by the nearest neighbour kills every line."""
    return Statement(
        "nearest",
        "Nearest-neighbour interpolation by s makes no line: c_k = 0 for every k that s does not divide.",
        "s positive integer",
        r"H(k/s) = e^{-j\pi(s-1)k/s} \frac{\sin \pi k}{\sin(\pi k/s)} = 0",
        (Step("H(k/s), for every k", box_response(s, k / s), sympy.Integer(0)), sine_has_no_zero()),
    )


def linear_interpolation() -> Statement:
    """Return: linear interpolation is the box twice, and Torch's by even factors has a null more."""
    tap, late = n + 1, 2 * L - 1 - n
    B, longer = (1 - x**L) / (1 - x), (1 - x ** (L + 1)) / (1 - x)
    half = 1 - (L - n - sympy.Rational(1, 2)) / L
    half_late = 1 - (n + sympy.Rational(1, 2) - L) / L
    even, odd = sympy.Symbol("L", even=True, positive=True), sympy.Symbol("L", odd=True, positive=True)
    return Statement(
        "linear",
        "Linear interpolation by s is box_s²/s on the integer grid (odd s), and box_s²(1 + z⁻¹)/(2s) on Torch's "
        "half-sample grid (even s), whose null at half the output rate is of third order; it makes no line.",
        "s = L positive integer",
        r"H(z) = \mathrm{box}_s^2/s,\qquad H(z) = \mathrm{box}_s^2\,(1 + z^{-1})/(2s)",
        (
            Step("the triangle n + 1, 2L − 1 − n is box²: L = 1", (B**2).subs(L, 1), sympy.Integer(1)),
            Step(
                "from L to L + 1 box² grows by 2 (x^L + … + x^{2L−1}) + x^{2L}",
                longer**2 - B**2,
                2 * x**L * B + x ** (2 * L),
            ),
            Step("and the triangle by 2 at n = L", tap.subs(n, L) - late.subs(n, L), sympy.Integer(2)),
            Step("by 2 at L < n < 2L", late.subs(L, L + 1) - late, sympy.Integer(2)),
            Step("by 1 at n = 2L", late.subs(L, L + 1).subs(n, 2 * L), sympy.Integer(1)),
            Step("1 − |t|/L on the integer grid is the triangle over L", 1 - (L - 1 - n) / L, tap / L),
            Step(
                "on the half-sample grid it is the mean of two neighbours", half, (tap + tap.subs(n, n - 1)) / (2 * L)
            ),
            Step("on the right side too", half_late, (late + late.subs(n, n - 1)) / (2 * L)),
            Step("the null more", linear_response(even, sympy.Rational(1, 2)), sympy.Integer(0)),
            Step("no line, even s", linear_response(even, k / even), sympy.Integer(0)),
            Step("no line, odd s", linear_response(odd, k / odd), sympy.Integer(0)),
        ),
    )


def first_images() -> Statement:
    """Return: the first image of ×2 interpolation over the baseband is a power of a tangent."""
    near, far = f0 / 2, sympy.Rational(1, 2) - f0 / 2
    nearest = dirichlet(2, far) / dirichlet(2, near)
    half = linear_response(2, far) / linear_response(2, near) * exp(pi * I * (far - near))
    slope = tan(pi * f0 / 2)
    return Statement(
        "images of ×2",
        "Of a component f₀, in cycles per input sample, the first image stands at tan(πf₀/2) of it behind nearest "
        "neighbour ×2, at the square behind linear ×2 on whole samples, at the cube behind Torch's linear ×2.",
        "0 < f₀ < 1/2",
        r"|H(\tfrac12 - \tfrac{f_0}{2})| / |H(\tfrac{f_0}{2})| = \tan^p(\pi f_0/2),\quad p = 1, 2, 3",
        (
            Step("nearest", nearest, slope),
            Step("linear on whole samples: the box twice", nearest**2, slope**2),
            Step("Torch's linear", half, slope**3),
        ),
    )
