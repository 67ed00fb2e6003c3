"""What silencing does to combs, seen on Torch's modules: all patterns of signs, and random draws of a wide network."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from dspref.arrays import Array
from dspref.chain import Pointwise
from dspref.expected import Drawn, Source, Step
from dspref.expected.explain import explain
from dspref.expected.silencing import Silenced
from torchparity.nn import PixelShuffle1d
from torchparity.sampled import sampled

SIGMAS = 4.5

SIGMA = {"weight": 0.8, "bias": 0.5}


def lines(net: nn.Module, x: Tensor, silent: str) -> Array:
    """Return ``E abs(c_k)²``, k = 0 … 3, over all signs of the weights, with the biases of one module at zero."""
    shapes = {name: p.shape for name, p in net.named_parameters()}
    bits = sum(map(math.prod, shapes.values()))
    assert bits == 12
    signs = 1.0 - 2 * (torch.arange(2**bits)[:, None] >> torch.arange(bits) & 1)
    parts = torch.split(signs.double(), [math.prod(shape) for shape in shapes.values()], dim=1)
    drawn = {
        name: (name != f"{silent}.bias") * SIGMA[name.split(".")[-1]] * part.reshape(-1, *shape)
        for (name, shape), part in zip(shapes.items(), parts, strict=True)
    }
    y = np.asarray(vmap(lambda weights: functional_call(net, weights, (x,)))(drawn))[:, 0, 0]
    steady = y[:, y.shape[1] // 2 // 4 * 4 :][:, :4]
    return np.asarray((np.abs(np.fft.fft(steady) / 4) ** 2).mean(axis=0))


def test_silencing_does_what_it_does_to_all_patterns_of_signs() -> None:
    """Each comb without the constant, or the biases of one layer, to 1e−11; what is taken adds up to the comb."""
    net = nn.Sequential(nn.Conv1d(1, 1, 2), nn.ConvTranspose1d(1, 1, 4, 2), nn.Conv1d(1, 2, 1), PixelShuffle1d(2))
    w, b = (sigma**2 for sigma in SIGMA.values())
    steps: list[Step] = [
        Drawn("conv", 1, 1, 2, weight=w, bias=b),
        Drawn("convt", 1, 1, 4, 2, weight=w, bias=b),
        Drawn("shuffle", 1, 1, 1, 2, weight=w, bias=b),
    ]
    ones = 0.9 * torch.ones(1, 1, 16, dtype=torch.float64)
    found = explain(steps, Source(1, constant=0.9))
    whole, trials = lines(net, ones, ""), {"input": lines(net, 0 * ones, "")}
    trials |= {str(i + 1): lines(net, ones, str(i)) for i in range(3)}
    assert [account.comb.divisor for account in found.accounts] == [1, 2, 4]
    for account, k in zip(found.accounts, (0, 2, 1), strict=True):
        assert account.comb.power == pytest.approx(whole[k], rel=1e-11)
        assert {cause.silenced[0].where for cause in account.causes} == set(trials)
        for cause in account.causes:
            assert cause.after == pytest.approx(trials[cause.silenced[0].where][k], rel=1e-11)
        assert sum(whole[k] - trial[k] for trial in trials.values()) == pytest.approx(whole[k], rel=1e-11)


def network(silent: int | None) -> nn.Module:
    net = nn.Sequential(
        nn.Conv1d(8, 64, 3),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose1d(64, 64, 8, 4),
        nn.ReLU(),
        nn.Conv1d(64, 64, 3),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose1d(64, 8, 4, 2),
    )
    if silent is not None:
        bias = net[silent].bias
        assert isinstance(bias, Tensor)
        nn.init.zeros_(bias)
    return net


def test_silenced_biases_of_drawn_networks() -> None:
    """With the biases of layer 5 at zero the comb at sr/2 falls as it should, within the errors of 40 draws."""
    steps: list[Step] = [
        Drawn("conv", 8, 64, 3),
        Pointwise("leaky", (0.2,)),
        Drawn("convt", 64, 64, 8, 4),
        Pointwise("relu"),
        Drawn("conv", 64, 64, 3),
        Pointwise("leaky", (0.2,)),
        Drawn("convt", 64, 8, 4, 2),
    ]
    account = explain(steps, Source(8, constant=1.0)).accounts[1]
    assert account.comb.divisor == 2
    cause = next(each for each in account.causes if each.silenced == (Silenced("biases", "5"),))
    assert cause.lowers_db is not None
    for silent, due in ((None, cause.before), (4, cause.after)):
        made = sampled(partial(network, silent), [4, 2], draws=40, inputs="ones", seed=5)
        mean, error = made.levels.mean[1], made.levels.error[1]
        assert abs(mean - due) <= SIGMAS * error
        if silent is not None:
            assert mean + SIGMAS * error < cause.before  # sharp enough to tell one from the other
