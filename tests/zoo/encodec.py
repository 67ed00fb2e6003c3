"""The EnCodec decoder of transformers, with random weights and no download: an audit target.

torchparity audit tests/zoo/encodec.py:decoder --sr 24000
"""

from torch import nn


def decoder() -> nn.Module:
    from transformers import EncodecConfig, EncodecModel

    model = EncodecModel(EncodecConfig())
    part = model.decoder
    assert isinstance(part, nn.Module)
    return part
