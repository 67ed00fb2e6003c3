"""
Replicas: one tone becomes eight
================================

Stretching repeats the spectrum of what comes in. Whatever the filter does not remove stays as *images* of the signal,
at k·r ± f.
"""

# %%
# A component of 600 Hz enters three layers of ×2 at 4 kHz and leaves at 32 kHz. Its replicas, with the layer that makes
# each, from the architecture alone:

from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np

from dspref import measure_lines, parse
from dspref.sounds import player
from dspref.spectrum import replicas

sr, f = 32000, Fraction(600, 4000)
chains = {
    "nearest": parse("nearest x2 | nearest x2 | nearest x2"),
    "linear": parse("linear x2 | linear x2 | linear x2"),
}
n = np.arange(8000)
tone = np.cos(2 * np.pi * float(f) * n)

# %%
# Run the chains on that tone, and measure at the same places.

fig, ax = plt.subplots(figsize=(8, 4))
for marker, (name, chain) in zip("os", chains.items(), strict=True):
    found = replicas(chain, f, amplitude=0.5)
    y = chain(tone[None])[0, 80:-80]
    measured = measure_lines(y, [replica.freq for replica in found])
    due = [20 * np.log10(abs(replica.amplitude.item())) for replica in found]
    worst = max(abs(a - b.level_db) for a, b in zip(due, measured, strict=True))
    print(f"{name}: {len(found)} replicas, measured and predicted differ by {worst:.1e} dB at most")
    hz = [float(replica.freq * sr) for replica in found]
    ax.stem(hz, [replica.relative_db for replica in found], bottom=-100, linefmt="C7:", markerfmt=marker, label=name)
    for replica in found:
        print(f"  {float(replica.freq * sr):6.0f} Hz  {replica.relative_db:6.1f} dB  layer {replica.owner or '–'}")
ax.set(
    xlabel="frequency (Hz)", ylabel="dB re the component", ylim=(-100, 5), title="600 Hz, through three layers of ×2"
)
ax.legend()
fig.tight_layout()

# %%
# Without a filter all replicas are as loud as the tone; nearest neighbour leaves some, linear interpolation fewer.

bare = parse("stretch x2 | stretch x2 | stretch x2")
player(8 * bare(tone[None])[0, : 2 * sr], sr, title="600 Hz, stretched three times")

# %%
player(chains["nearest"](tone[None])[0, : 2 * sr], sr, title="600 Hz, three times nearest ×2")

# %%
player(chains["linear"](tone[None])[0, : 2 * sr], sr, title="600 Hz, three times linear ×2")
