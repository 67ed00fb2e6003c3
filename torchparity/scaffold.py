"""A test file for a layer of your own, ready to run."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from torch import nn

from dspref.arrays import NotAnalysable, complaint
from dspref.chain import Chain
from dspref.spec import spec
from torchparity.arithmetic import DTYPES
from torchparity.calls import Misbehaved, Refused, Run, call, own_channels, private_copy
from torchparity.describe import describe
from torchparity.plan import as_chain
from torchparity.probe import probe
from torchparity.subjects import subject
from torchparity.target import TargetError, load_layer

_LONGEST = 256

_TEMPLATE = '''"""Checks of an upsampling layer, output by output, against an exact reference.

Run it with pytest, in the folder from which the target can be loaded.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchparity import assert_upsampler
from torchparity.target import load_layer

TARGET = {target}
LIKE = {like}{why}


def make():
    """Return the layer with the same weights every time."""
    torch.manual_seed(0)
    return load_layer(TARGET)


@pytest.mark.parametrize("gradients", [False, True], ids=["outputs", "gradients"])
@pytest.mark.parametrize("dtype", {dtypes})
def test_layer(dtype, gradients):
    """Hold outputs, and gradients too, to the rounding of each dtype."""
    assert_upsampler(make(), like=LIKE, dtype=dtype, gradients=gradients)


@settings(max_examples=10, deadline=None)
@given(lengths=st.lists(st.integers({shortest}, {longest}), min_size=1, max_size=3))
def test_any_length(lengths):
    """Hold outputs to it for signals of any length."""
    assert_upsampler(make(), like=LIKE, lengths=lengths, gradients=False)
'''


def scaffold(target: str, like: str | None = None) -> str:
    """Return a test file for a layer.

    Parameters
    ----------
    target : str
        ``pkg.mod:name`` or ``path/file.py:name``: a module, a function of a signal, or what makes one, as for
        `torchparity.target.load_layer`.
    like : str, optional
        What the layer should be, in words; by default what it is found to be. Read the words: a test can only
        tell that the layer still is what they say.

    Returns
    -------
    str
        Python that passes under pytest while the layer is right, and fails with a verdict once it is not.

    Raises
    ------
    TargetError
        If the target gives no layer, or is an .onnx file.
    SpecError
        If `like` cannot be read.
    NotAnalysable
        If the layer can neither be described nor probed and `like` is not given, or if it takes no signal.

    Examples
    --------
    >>> for line in scaffold("torch.nn:Identity", like="nearest:1").splitlines()[12:14]:
    ...     print(line)
    TARGET = "torch.nn:Identity"
    LIKE = "nearest x1"
    """
    if target.endswith(".onnx"):
        hint = f"torchparity verify {target} checks it"
        raise TargetError(complaint("target", target, "a layer of Torch, for which there are gradients", hint))
    layer = load_layer(target)
    words = _found(layer) if like is None else spec(as_chain(like) or Chain([]))
    shortest, dtypes = _taken(layer)
    return _TEMPLATE.format(
        target=_quoted(target),
        like="None" if words is None else _quoted(words),
        why="  # no words for it: its form and its rounding are checked, not its weights" if words is None else "",
        dtypes=json.dumps(dtypes),
        shortest=shortest,
        longest=shortest + 63,
    )


def _found(layer: Any) -> str | None:
    """Return what a layer is, in words; None if there are none, but impulses tell its form."""
    try:
        if not isinstance(layer, nn.Module):
            raise NotAnalysable("a function has no description")
        found = describe(layer)
    except NotAnalysable as undescribed:
        try:
            probe(layer)
        except NotAnalysable as error:
            raise NotAnalysable(f"not described ({undescribed}) and not probed ({error}): say --like") from error
        return None
    return spec(found if isinstance(found, Chain) else Chain([found]))


def _taken(layer: Any) -> tuple[int, tuple[str, ...]]:
    """Return the fewest samples that a layer takes, and the dtypes in which it takes them.

    A module is converted to every dtype; a function with weights of its own has but one.
    """
    if isinstance(layer, nn.Module):
        return _shortest_of_widths(private_copy(layer, "float32", allowed=DTYPES)), DTYPES
    run, refusal = subject(layer).run, NotAnalysable("")
    found = {}
    for dtype in DTYPES:
        try:
            found[dtype] = _shortest(run, 2, dtype)
        except NotAnalysable as error:
            refusal = error
    if not found:
        raise refusal
    return max(found.values()), tuple(found)


def _shortest_of_widths(layer: nn.Module) -> int:
    """Return the fewest samples that a module takes, of as many channels as it says, else as its kernels are wide."""
    kernels = [size for p in layer.parameters() if p.ndim == 3 for size in p.shape[:2]]
    refusals = []
    for channels in dict.fromkeys((own_channels(layer, 2), *kernels)):
        try:
            return _shortest(layer, channels, "float32")
        except NotAnalysable as error:
            refusals.append(error)
    raise refusals[0]


def _shortest(run: Run, channels: int, dtype: str) -> int:
    """Return the fewest samples that a function takes."""
    refusal = Refused("")
    for time in range(1, _LONGEST):
        try:
            y = call(run, np.zeros((1, channels, time), np.float32), model=dtype)
        except Refused as error:
            refusal = error
        except Misbehaved:  # it takes them; what comes back is for the tests to tell
            return time
        else:
            if y.shape[-1]:
                return time
    got = f"refused with {channels} channels at every length below {_LONGEST} ({refusal})"
    raise NotAnalysable(complaint("input", got, "a signal (batch, channel, time)"))


def _quoted(text: str) -> str:
    """Return a string literal as formatters have it: in double quotes, unless that takes more escapes."""
    return repr(text) if '"' in text and "'" not in text else json.dumps(text, ensure_ascii=False)
