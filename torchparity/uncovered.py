"""Words for what is not covered, and what is not looked into."""

from __future__ import annotations

from torch import nn

OPAQUE = {
    "scaled_dot_product_attention": "attention",
    "bmm": "attention",
    "softmax": "softmax",
    "max_pool1d": "max pooling",
    "adaptive_avg_pool1d": "adaptive pooling",
    "to": "a change of type",
    "complex": "complex numbers",
    "upsample_bicubic2d": "cubic interpolation",
    "lstm": "LSTM",
    "gru": "GRU",
    "lstm_cell": "LSTM",
    "gru_cell": "GRU",
    "rnn_tanh": "RNN",
    "rnn_relu": "RNN",
    "group_norm": "GroupNorm",
    "layer_norm": "LayerNorm",
    "rms_norm": "RMSNorm",
    "batch_norm": "BatchNorm",
    "instance_norm": "InstanceNorm",
    "stft": "STFT",
    "istft": "inverse STFT",
    "conv1d": "a convolution whose kernel is not drawn",
    "conv2d": "a convolution in two dimensions",
    "conv_transpose1d": "a convolution whose kernel is not drawn",
    "conv_transpose2d": "a convolution in two dimensions",
    "dropout": "dropout",
    **{f"fft_{kind}": "FFT" for kind in ("fft", "ifft", "rfft", "irfft")},
    "upsample_linear1d": "interpolation by no whole factor, or with aligned corners",
    "upsample_nearest1d": "interpolation by no whole factor",
    "mean": "an average",
    "add": "a sum of signals of different shapes",
    "mul": "a product of two signals",
    "div": "a quotient of two signals",
}
"""Calls that are not looked into, and words for them and others that are not covered."""

CLOSED: dict[type[nn.Module], str] = {nn.MultiheadAttention: "attention"}
"""Modules that are not looked into."""
