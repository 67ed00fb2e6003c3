"""
What interpolation filters away
===============================

No tones, but the spectrum has valleys: nearest-neighbour and linear interpolation are low-pass filters that nobody
asked for, and after three layers little is left near the top.
"""

# %%
# Three layers of ×2 at 32 kHz (the article's Fig. 6 to 8): where nothing passes at all, and what is lost before that.

import matplotlib.pyplot as plt
import numpy as np

from dspref import parse
from dspref.sounds import player
from dspref.spectrum import droop_db, edge_db, nulls, output_psd

sr = 32000
chains = {
    "nearest": parse("nearest x2 | nearest x2 | nearest x2"),
    "linear": parse("linear x2 | linear x2 | linear x2"),
}
for name, chain in chains.items():
    print(f"{name}: nulls at", ", ".join(f"{float(null.hz(sr)):.0f} Hz (order {null.order})" for null in nulls(chain)))
    print(f"{name}: 3 dB down at {float(edge_db(chain, -3.0)) * sr:.0f} Hz, of {sr / 16:.0f} Hz that came in")

# %%
# White noise at the input comes out with the square of that: predicted, and measured on one signal.

rng = np.random.default_rng(0)
freq = np.linspace(0, 0.5, 513)
fig, ax = plt.subplots(figsize=(8, 4))
heard = {}
for colour, (name, chain) in zip(("tab:blue", "tab:orange"), chains.items(), strict=True):
    heard[name] = y = chain(rng.normal(size=(1, 40000)))[0, 64:-64]
    window = np.hanning(1024)
    frames = np.lib.stride_tricks.sliding_window_view(y, 1024)[::512] * window
    density = (abs(np.fft.rfft(frames)) ** 2).mean(0) / (window**2).sum()
    ax.plot(freq * sr, 10 * np.log10(density), color=colour, lw=0.6, alpha=0.6, label=f"{name}, measured")
    due = output_psd(chain, freq)
    ax.plot(freq * sr, 10 * np.log10(np.maximum(due, 1e-9)), color=colour, ls="--", label=f"{name}, predicted")
ax.set(
    xlabel="frequency (Hz)",
    ylabel="dB re the input's density",
    ylim=(-80, 15),
    title="white noise through three layers",
)
ax.legend()
fig.tight_layout()

# %%
# How much is lost at 1 kHz, in dB:

for name, chain in chains.items():
    print(f"{name}: {float(droop_db(chain, 1000 / sr)):.2f} dB")

# %%
# The colour of the noise is the filter's.

player(heard["nearest"][: 2 * sr], sr, title="white noise, three times nearest ×2")

# %%
player(heard["linear"][: 2 * sr], sr, title="white noise, three times linear ×2")
