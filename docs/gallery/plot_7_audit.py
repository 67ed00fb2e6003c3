"""
Audit of a decoder
==================

A Torch module is followed call by call, its lines are predicted, and then it is fed with a constant and with noise:
does every peak have a layer?
"""

# %%
# A decoder as people write it: transposed convolutions, a last one by interpolation.

import matplotlib.pyplot as plt
import torch
from torch import nn

from dspref.plot import plot_spectrogram
from dspref.sounds import player
from torchparity.audit import audit
from torchparity.report import to_text

torch.manual_seed(0)
decoder = nn.Sequential(
    nn.Conv1d(8, 32, 7, padding=3),
    nn.LeakyReLU(0.2),
    nn.ConvTranspose1d(32, 16, 8, stride=4, padding=2),
    nn.LeakyReLU(0.2),
    nn.Upsample(scale_factor=2),
    nn.Conv1d(16, 1, 7, padding=3),
    nn.Tanh(),
)
sr = 16000
result = audit(decoder, name="decoder", sr=sr)
print(to_text(result))

# %%
# One of the signals that were measured, with the predicted lines at the right edge, by layer:

noise = next(run for run in result.runs if run.input == "noise")
fig, ax = plt.subplots(figsize=(8, 4))
plot_spectrogram(noise.signal, sr, lines=result.lines, ax=ax)
fig.tight_layout()

# %%
player(noise.signal, sr, title="the decoder's output for noise")
