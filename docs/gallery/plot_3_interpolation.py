"""
Interpolation makes no tones
============================

Nearest-neighbour and linear interpolation are a stretch and a filter like the others, with one difference: their
phases have equal gains. A constant stays a constant.
"""

# %%
# The filter of each, and what its phases add up to:

import matplotlib.pyplot as plt
import numpy as np

from dspref import Chain, Linear, Nearest, TransposedConv, tone_lines
from dspref.sounds import player
from dspref.spectrum import droop_db

s = 4
layers = {"nearest": Nearest(s), "linear": Linear(s)}
for name, layer in layers.items():
    print(name, *layer.normal.h.ravel(), "phases:", *layer.normal.phase_gains.ravel())

# %%
# That is the same as zeros of H at all multiples of the input rate, where copies of 0 Hz would appear. Random taps have
# no such zeros.

rng = np.random.default_rng(1)
taps = rng.normal(size=8)
layers["random taps"] = TransposedConv((taps / taps.sum() * s)[None, None], stride=s)
freq = np.linspace(0, 0.5, 1001)
fig, ax = plt.subplots(figsize=(8, 4))
for name, layer in layers.items():
    ax.plot(freq, np.maximum(droop_db(layer, freq).ravel(), -80), label=name)
for k in range(1, s // 2 + 1):
    ax.axvline(k / s, color="grey", ls=":", lw=1)
ax.set(xlabel="cycles per output sample", ylabel="dB re DC", title="filters of ×4, and where tones would be (dotted)")
ax.legend()
fig.tight_layout()

# %%
# So the lines of both are nothing, exactly: taps are whole numbers and quarters.

for name, layer in layers.items():
    amplitudes = [abs(line.amplitude.item()) for line in tone_lines(Chain([layer]))[1:]]
    print(f"{name}: {[round(float(a), 3) for a in amplitudes]}")

# %%
# Noise around a constant, by linear interpolation: noise, and no tone.

y = Linear(s)(1 + 0.1 * rng.normal(size=(1, 8000)))[0]
player(y, 16000, title="noise around a constant, linear ×4")
