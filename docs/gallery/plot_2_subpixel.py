"""
Sub-pixel convolution, and its biases
=====================================

A sub-pixel convolution computes s output samples for each input sample by s filters that take turns. Where the filters
answer a constant differently, or have different biases, their turns are a tone.
"""

# %%
# The same numbers as a transposed convolution: the s filters interleaved are its kernel, so the same law holds.

import matplotlib.pyplot as plt
import numpy as np

from dspref import Chain, SubpixelConv, tone_lines
from dspref.designs import icnr
from dspref.sounds import player

sr, s = 16000, 4
rng = np.random.default_rng(3)
w = rng.normal(size=(s, 1, 3)) / np.sqrt(3)
drawn = SubpixelConv(w, s, padding=1)
print("gains of the four phases:", drawn.normal.phase_gains.ravel().round(3))

# %%
# ICNR begins with four equal filters: equal gains, no tone, until training makes them differ.

equal = SubpixelConv(icnr(w[:1], s), s, padding=1)
print("gains of the four phases:", equal.normal.phase_gains.ravel().round(3))

# %%
# A bias before the shuffle is one number for each phase: it makes a tone even of silence.

biased = SubpixelConv(icnr(w[:1], s), s, padding=1, bias=rng.normal(size=s) / 4)


def levels(layer, offset):
    """Return frequencies in Hz, and levels in dB re amplitude 1, of the lines of one layer."""
    lines = tone_lines(Chain([layer]), offset=offset)
    amplitudes = np.array([abs(line.amplitude.item()) for line in lines])
    return [float(line.hz(sr)) for line in lines], 20 * np.log10(np.maximum(amplitudes, 1e-6))


fig, ax = plt.subplots(figsize=(8, 4))
cases = (("drawn", drawn, 1), ("ICNR", equal, 1), ("ICNR and biases, silence", biased, 0))
for marker, (name, layer, offset) in zip("os^", cases, strict=True):
    ax.plot(*levels(layer, offset), marker, label=name, mfc="none", ms=9)
ax.set(xlabel="frequency (Hz)", ylabel="dB re amplitude 1", title="lines of a sub-pixel convolution; −120 dB: none")
ax.legend()
fig.tight_layout()

# %%
# Silence, through the layer with biases:

player(biased(np.zeros((1, 4000)))[0], sr, title="silence, through a sub-pixel convolution with biases")
