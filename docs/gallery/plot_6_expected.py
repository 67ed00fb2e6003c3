"""
The spectrum of a network that has not been trained
===================================================

Weights are random before training, and their law is known. So the mean spectrum over all initialisations follows from
the architecture: lines, bands that hold 90 % of all draws, and the floor.
"""

# %%
# A small vocoder in words, with the channels of each layer; it is fed with white noise.

import matplotlib.pyplot as plt
import numpy as np

from dspref import Pointwise
from dspref.expected import Drawn, Source, expected_spectrum
from dspref.expected.architectures import melgan
from dspref.expected.pictures import plot_expected

steps = [
    Drawn("conv", 16, 64, 7),
    Pointwise("leaky", (0.2,)),
    Drawn("convt", 64, 32, 16, factor=8, padding=4),
    Pointwise("leaky", (0.2,)),
    Drawn("convt", 32, 16, 4, factor=2, padding=1),
    Pointwise("leaky", (0.2,)),
    Drawn("conv", 16, 1, 7),
]
sr = 16000
found = expected_spectrum(steps, Source(16, covariance=(1.0,)))
for comb in found.combs:
    low, high = (comb.quantile_db(q) for q in (0.05, 0.95))
    print(f"every {float(comb.every_hz(sr)):6.0f} Hz: {comb.db:6.1f} dB; 90 % of draws: {low:.1f} … {high:.1f} dB")

# %%
# The picture: points for lines, bars for the bands of one draw, and the floor.

fig, ax = plt.subplots(figsize=(8, 4))
plot_expected(found, sr, ax=ax, title="expected before training, white noise in")
fig.tight_layout()

# %%
# The MelGAN of the article, without any input: its biases alone make the first three combs.

silent = expected_spectrum(melgan(), Source(80))
ones = expected_spectrum(melgan(), Source(80, constant=1.0))
fig, ax = plt.subplots(figsize=(8, 4))
for marker, (name, expected) in zip("o+", (("silence", silent), ("ones", ones)), strict=True):
    names = [f"{float(comb.every_hz(22050)):g}" for comb in expected.combs]
    ax.plot(names, [comb.db for comb in expected.combs], marker, ms=10, mfc="none", label=name)
ax.set(xlabel="comb: multiples of (Hz)", ylabel="dB re amplitude 1", title="MelGAN, expected lines")
ax.legend()
fig.tight_layout()
print(np.round([comb.db for comb in silent.combs], 1))
