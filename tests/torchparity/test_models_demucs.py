"""Demucs at the article's sizes, and at work at a small one."""

from __future__ import annotations

import pytest
import torch

from torchparity.models.demucs import Demucs


@pytest.mark.parametrize(("context", "count", "article"), [(1, 648_548_208, 648), (3, 703_148_208, 703)])
def test_parameters_are_those_of_the_articles_table(context: int, count: int, article: int) -> None:
    with torch.device("meta"):
        net = Demucs(encoder_context=context)
    assert sum(p.numel() for p in net.parameters()) == count
    assert count // 10**6 == article


@pytest.mark.parametrize("context", [1, 3])
def test_it_gives_sources_of_the_length_of_the_input(context: int) -> None:
    net = Demucs(channels=2, depth=3, encoder_context=context, sources=3, audio=1).eval()
    time = net.valid_length(500)
    assert time >= 500
    assert net.valid_length(time) == time
    with torch.no_grad():
        assert net(torch.randn(2, 1, time)).shape == (2, 3, 1, time)
    with pytest.raises(ValueError, match=f"input length: got {time + 1}; allowed: a valid length, as"):
        net(torch.zeros(1, 1, time + 1))


def test_an_even_context_is_refused() -> None:
    with pytest.raises(ValueError, match="encoder_context: got 2; allowed: an odd length"):
        Demucs(channels=2, depth=1, encoder_context=2)
