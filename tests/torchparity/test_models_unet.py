"""The article's networks at small sizes: their shapes, their options, and their sizes as published."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from torchparity.models.unet import UPSAMPLERS, UNet, decoder, rescale_convolutions


@pytest.mark.parametrize("kind", UPSAMPLERS)
def test_the_decoder_raises_the_rate_by_4_in_each_layer(kind: str) -> None:
    net = decoder(channels=2, depth=3, out=3, kind=kind)
    with torch.no_grad():
        assert net(torch.zeros(2, 8, 5)).shape == (2, 3, 320)
    assert sum(isinstance(m, nn.ReLU) for m in net.modules()) == 2
    assert not isinstance(list(net.modules())[-1], nn.ReLU)


@pytest.mark.parametrize("kind", UPSAMPLERS)
def test_the_u_net_keeps_time_and_has_what_it_is_asked_for(kind: str) -> None:
    for bias, first_relu in ((True, True), (False, False)):
        net = UNet(channels=3, depth=2, kind=kind, bias=bias, first_relu=first_relu)
        with torch.no_grad():
            assert net(torch.randn(2, 2, 48)).shape == (2, 8, 48)
        assert any(name.endswith("bias") for name, _ in net.named_parameters()) is bias
        assert sum(isinstance(m, nn.ReLU) for m in net.modules()) == (3 if first_relu else 1)


def test_skips_are_added_where_they_belong() -> None:
    """Silence all but one path from input to output, one by one: each depth has its own."""
    net = UNet(channels=2, depth=3, bias=False, rescale=0)
    x = torch.randn(1, 2, 64)
    with torch.no_grad():
        inner = net.encoder[0](x)
        net.get_parameter("decoder.1.2.weight").zero_()
        torch.testing.assert_close(net(x), net.decoder[2](inner), rtol=0, atol=0)
        net.get_parameter("encoder.0.0.weight").zero_()
        assert not net(x).any()


def test_at_the_articles_size_it_has_demucs_parameters_without_the_lstm() -> None:
    """The same convolutions: what the article's 648 million have besides is the LSTMs and the map behind them."""
    from torchparity.models.demucs import Demucs

    with torch.device("meta"):
        net, whole = UNet(), Demucs()
        rest = sum(p.numel() for part in (whole.lstm, whole.linear) for p in part.parameters())
    assert sum(p.numel() for p in net.parameters()) == sum(p.numel() for p in whole.parameters()) - rest


def test_rescaling_takes_the_deviation_to_its_mean_with_the_reference() -> None:
    torch.manual_seed(0)
    conv = nn.Conv1d(8, 8, 8).double()
    before = {name: p.detach().clone() for name, p in conv.named_parameters()}
    rescale_convolutions(conv, 0.1)
    scale = (0.1 / before["weight"].std()).sqrt()
    for name, p in conv.named_parameters():
        torch.testing.assert_close(p.detach(), before[name] * scale, rtol=1e-14, atol=0)
    torch.testing.assert_close(conv.weight.std(), (before["weight"].std() * 0.1).sqrt(), rtol=1e-14, atol=0)


def test_bad_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"upsampler: got 'cubic'|upsampler: got cubic"):
        decoder(channels=2, depth=1, kind="cubic")
    with pytest.raises(ValueError, match="input length: got 40; allowed: a multiple of 16"):
        UNet(channels=2, depth=2)(torch.zeros(1, 2, 40))
    for rescale in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="rescale: got"):
            UNet(channels=2, depth=1, rescale=rescale)
