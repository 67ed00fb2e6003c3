"""The article's MelGAN, and random networks of a chain."""

import pytest
import torch
from torch import nn

from dspref import Chain, parse
from dspref.presets import preset
from dspref.spec import spec
from dspref.systems import SYSTEMS
from torchparity.describe import describe
from torchparity.models import melgan, random_network


def test_melgan_is_the_article_s() -> None:
    network = melgan()
    ups = [m for m in network.modules() if isinstance(m, nn.ConvTranspose1d)]
    assert [(m.kernel_size, m.stride) for m in ups] == [((16,), (8,)), ((16,), (8,)), ((4,), (2,)), ((4,), (2,))]
    assert [m.negative_slope for m in network.modules() if isinstance(m, nn.LeakyReLU)] == [0.2] * 29
    with torch.no_grad():
        assert network(torch.ones(1, 80, 10)).shape == (1, 1, 2560)
        assert melgan(channels=2, width=1, out=3)(torch.ones(1, 2, 10)).shape == (1, 3, 2560)
    convolutions = [m for m in network.modules() if isinstance(m, (nn.Conv1d, nn.ConvTranspose1d))]
    assert all(hasattr(m, "parametrizations") for m in convolutions)


@pytest.mark.parametrize(
    "name",
    [
        *("fig6-nearest", "fig6-linear", "fig7-subpixel", "fig8-transposed", "fig8-linear", "demucs", "dac-44k"),
        *(known.name for known in SYSTEMS),
    ],
)
def test_random_networks_have_the_architecture_they_are_made_for(name: str) -> None:
    chain = preset(name).chain
    described = describe(random_network(chain))
    assert isinstance(described, Chain)
    assert spec(described) == spec(chain)


@pytest.mark.parametrize(("words", "refused"), [("convt k4 s2 | relu | glu", "relu"), ("convt k4 s2 g2", "2")])
def test_random_networks_refuse_what_one_channel_cannot_do(words: str, refused: str) -> None:
    with pytest.raises(ValueError, match=f"got {refused}; allowed"):
        random_network(parse(words))
