"""
A decoder before and after the cure
===================================

:func:`torchparity.nn.utils.tone_free_` keeps the taps of every upsampler on those that make no tone. The same weights,
the same input, before and after.
"""

# %%
# MelGAN as it is before training, narrow, and white noise, loud enough to be heard beside what its biases make: what
# comes out of it is mostly tones.

import matplotlib.pyplot as plt
import numpy as np
import torch

from dspref.designs import notch_cost
from dspref.sounds import player
from torchparity.models import melgan
from torchparity.nn.utils import tone_free_

sr = 22050
torch.manual_seed(1)
before = melgan(width=8).double().eval()
torch.manual_seed(1)
after = melgan(width=8).double().eval()
print(tone_free_(after))

# %%
# The response to ones, in the middle: a pattern of 256 samples, and a constant.

with torch.no_grad():
    for name, net in (("before", before), ("after", after)):
        middle = net(torch.ones(1, 80, 60, dtype=torch.float64))[0, 0, 30 * 256 : 40 * 256].numpy()
        print(f"{name}: peak to peak over mean {np.ptp(middle) / abs(middle.mean()):.1e}")

# %%
# The response to noise, its mean taken off, each re its own largest sample. Before, lines at multiples of 86 Hz and
# 689 Hz, and at a quarter and half of the rate, whatever comes in. After, the noise, with broad notches around these
# frequencies, and the little that maps make of it there: at a quarter of the rate some 12 dB over the floor.

x = 30 * torch.randn(1, 80, 240, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
with torch.no_grad():
    heard = {name: net(x)[0, 0, 20 * 256 : -20 * 256].numpy() for name, net in (("before", before), ("after", after))}
fig, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True)
for ax, (name, y) in zip(axes, heard.items(), strict=True):
    y = y - y.mean()
    ax.specgram(y / np.abs(y).max(), NFFT=1024, noverlap=768, Fs=sr, vmin=-140, vmax=-40)
    ax.set(title=name, xlabel="seconds")
axes[0].set(ylabel="frequency (Hz)")
fig.tight_layout()

# %%
# Each is made as loud as the other.

player(heard["before"] - heard["before"].mean(), sr, title="MelGAN before training, noise in, as drawn")

# %%
player(heard["after"] - heard["after"].mean(), sr, title="the same weights, tone-free")

# %%
# What it costs: the mean response of random taps, twice as many as the factor, with zeros of order 1 and 2 at the
# multiples of the input rate.

nu = np.linspace(0, 0.5, 1001)
fig, ax = plt.subplots(figsize=(8, 3.5))
for order in (1, 2):
    cost = notch_cost(16, 8, order=order)
    ax.plot(nu, np.maximum(cost.db(nu), -60), label=f"order {order}: -3 dB at {8 * cost.edge:.2f}/8")
ax.set(xlabel="cycles per output sample", ylabel="dB re taps as drawn", title="what the notch takes, 16 taps, ×8")
ax.legend()
fig.tight_layout()
