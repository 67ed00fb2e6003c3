"""
Cures, and what they cost
=========================

What keeps tones below a budget: taps whose phases are equal, interpolation followed by a convolution, or an
initialisation that begins without tones.
"""

# %%
# A filter that is meant to be free of images leaks a little; the nearest taps with equal phases do not.

import matplotlib.pyplot as plt
import numpy as np

from dspref import TransposedConv, advise, leakage
from dspref.designs import tone_free
from dspref.sounds import player

rng = np.random.default_rng(5)
s, sr = 4, 16000
drawn = rng.normal(size=8) / np.sqrt(8)
cured = tone_free(drawn, s)
print(f"worst line: {leakage(drawn, s).worst_dbc:.1f} dBc as drawn;", leakage(cured, s).worst_dbc, "when cured")
print(f"change of the taps: {np.linalg.norm(cured - drawn) / np.linalg.norm(drawn):.2f} of their norm")

# %%
# Taps before and after: every phase is shifted as a whole.

fig, ax = plt.subplots(figsize=(8, 3.5))
ax.stem(np.arange(8) - 0.1, drawn, linefmt="C0-", markerfmt="C0o", label="as drawn")
ax.stem(np.arange(8) + 0.1, cured, linefmt="C1-", markerfmt="C1s", label="equal phases")
ax.set(xlabel="tap", title="nearest taps without tones, ×4")
ax.legend()
fig.tight_layout()

# %%
# The same signal through both.

x = 1 + 0.05 * rng.normal(size=(1, 8000))
player(TransposedConv(drawn[None, None], stride=s)(x)[0], sr, title="as drawn")

# %%
player(TransposedConv(cured[None, None], stride=s)(x)[0], sr, title="equal phases")

# %%
# For a whole network: what meets −90 dBc, and for how long.

advice = advise((8, 8, 2, 2), 22050, tone_budget_db=-90)
for choice in advice.choices:
    print(f"{choice.name}: {choice.words}", "(outlives training)" if choice.guaranteed else "(at first)")
print("above it:", *(choice.name for choice in advice.rejected), sep="\n  ")
