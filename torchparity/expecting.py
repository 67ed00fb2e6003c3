"""What weights that are not trained yet are expected to do: of a module, or of an architecture in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import nn

from dspref.arrays import NotAnalysable
from dspref.chain import Chain
from dspref.expected.forecast import NotPredicted, forecast
from dspref.expected.network import Source
from dspref.expected.outlined import default_channels, network_of
from torchparity.audited import Expectation
from torchparity.walked import walked

SOURCES: dict[str, Callable[[int], Source]] = {
    "silence": lambda channels: Source(channels),
    "constant": lambda channels: Source(channels, constant=1.0),
    "noise": lambda channels: Source(channels, covariance=(1.0,)),
}
"""Inputs by name, of power 1 in every channel but for silence."""


def expectations(
    module: nn.Module, channels: int, *, length: int | None = None, where: str = "module"
) -> tuple[Expectation, ...]:
    """Return what a module is expected to do before training, for each of `SOURCES`.

    Weights are looked at for the law that they are drawn from, and not otherwise.

    Parameters
    ----------
    module : nn.Module
        From (batch, channel, time) to one tensor.
    channels : int
        Of its input.
    length : int, optional
        Input samples to follow; found, if not given, which may take long.
    where : str
        What it is called, where all of it is refused.
    """
    try:
        found = walked(module, channels=channels, length=length)
    except (NotAnalysable, ValueError, TypeError) as error:
        return _refused(error, where)
    return _forecasts(found.network, channels, found.remarks, where)


def expected_of(chain: Chain, *, where: str = "architecture") -> tuple[Expectation, ...]:
    """Return what an architecture in words is expected to do, with 512 channels that each layer halves.

    Parameters
    ----------
    chain : Chain
    where : str
        What it is called, where all of it is refused.

    Examples
    --------
    >>> from dspref import parse
    >>> [e.input for e in expected_of(parse("conv k7 p3 | leaky | convt k8 s4 p2"))]
    ['silence', 'constant', 'noise']
    """
    widths = default_channels(chain)
    remark = f"channels {', '.join(map(str, widths))} are assumed, weights of Torch's default, and no residual stacks"
    try:
        net = network_of(chain, widths)
    except (NotAnalysable, ValueError) as error:
        return _refused(error, where)
    return _forecasts(net, widths[0], (remark,), where)


def _forecasts(net: Any, channels: int, remarks: Iterable[str], where: str) -> tuple[Expectation, ...]:
    found: list[Expectation] = []
    for name, source in SOURCES.items():
        try:
            seen = forecast(net, source(channels))
        except (NotAnalysable, ValueError) as error:
            found.extend(_refused(error, where, (name,)))
            continue
        found.append(Expectation(name, seen.expected, seen.not_predicted, tuple(remarks)))
    return tuple(found)


def _refused(error: Exception, where: str, inputs: Iterable[str] = tuple(SOURCES)) -> tuple[Expectation, ...]:
    return tuple(Expectation(name, None, (NotPredicted("network", where, str(error)),)) for name in inputs)
