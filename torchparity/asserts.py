"""A check as an assertion, for tests of your own."""

from __future__ import annotations

from typing import Any

from torchparity.calls import Run
from torchparity.parity import check
from torchparity.plan import Like
from torchparity.verdict import Verdict


def assert_upsampler(f: Run, like: Like = None, **options: Any) -> Verdict:
    """Assert that a module or function does what it should, output by output.

    Parameters
    ----------
    f : nn.Module, or function of a tensor (batch, channel, time)
    like : layer, Chain or str, optional
        What `f` should be, as for `torchparity.check`.
    **options
        Of `torchparity.check`: ``dtype``, ``seed``, ``lengths``, ….

    Returns
    -------
    Verdict
        "exact" or "within bound".

    Raises
    ------
    AssertionError
        With the verdict as its text: what differs where, and a line to paste that shows it.
    NotAnalysable, ValueError, TypeError
        As `torchparity.check`.

    Examples
    --------
    >>> from torch import nn
    >>> assert_upsampler(nn.Upsample(scale_factor=4), like="nearest x4").status
    'exact'
    >>> try:
    ...     _ = assert_upsampler(nn.ConvTranspose1d(1, 1, 4, stride=2), like="convt k3 s2")
    ... except AssertionError as error:
    ...     print(str(error).splitlines()[0])
    wrong: stage 0: 'convt k3 s2' promised, 'convt k4 s2' found
    """
    __tracebackhide__ = True
    verdict = check(f, like, **options)
    if not verdict.ok:
        raise AssertionError(str(verdict))
    return verdict
