"""
Tones of a transposed convolution
=================================

A constant goes in and a tone comes out. A transposed convolution adds a copy of its kernel for every input sample, s
samples apart; where the copies overlap unevenly, the output repeats every s samples.
"""

# %%
# The smallest case: three ones, stride 2 (the article's Fig. 3). Inside, every other sample gets two stamps.

import matplotlib.pyplot as plt
import numpy as np

from dspref import Chain, TransposedConv, measure_lines, tone_lines
from dspref.sounds import player

layer = TransposedConv(np.ones((1, 1, 3), int), stride=2)
print(layer(np.ones((1, 6), int)))

# %%
# In the middle of that signal are 2, 1, 2, 1: an offset of 3/2 and a tone of amplitude 1/2 at half the output rate.
# :func:`dspref.tone_lines` gives both without running anything, from :math:`c_k = \mu H(k/s)/s`.

for line in tone_lines(Chain([layer])):
    print(line.freq, line.amplitude)

# %%
# Random taps of a vocoder's length, 16 samples at stride 8: full overlap, and still a tone at every multiple of the
# input rate, since the eight phases have different sums.

rng = np.random.default_rng(7)
sr, s = 16000, 8
random = Chain([TransposedConv(rng.normal(size=(1, 1, 16)) / 4, stride=s)])
x = 1 + 0.02 * rng.normal(size=(1, 4000))
y = random(x)[0, 64:-64]
lines = tone_lines(random)
measured = measure_lines(y, [line.freq for line in lines])
predicted_db = [20 * np.log10(abs(line.amplitude.item())) for line in lines]
for line, due, seen in zip(lines, predicted_db, measured, strict=True):
    print(f"{float(line.hz(sr)):6.0f} Hz: predicted {due:6.1f} dB, measured {seen.level_db:6.1f} dB")

# %%
# The spectrum of the output, and the prediction on top.

size = 1024
frames = np.lib.stride_tricks.sliding_window_view(y, size)[:: size // 2] * np.hanning(size)
power = (abs(np.fft.rfft(frames)) ** 2).mean(0) / np.hanning(size).sum() ** 2
fig, ax = plt.subplots(figsize=(8, 4))
ax.plot(np.fft.rfftfreq(size, 1 / sr), 10 * np.log10(power), lw=0.8, label="output")
ax.plot([float(line.hz(sr)) for line in lines], predicted_db, "o", mfc="none", label="predicted lines")
ax.set(xlabel="frequency (Hz)", ylabel="dB re amplitude 1", title="noise around a constant, convt k16 s8")
ax.legend()
fig.tight_layout()

# %%
# What it sounds like: the tones stand over the noise.

player(y, sr, title="convt k16 s8, random taps, of a constant with a little noise")
