"""What reads a decoder says the same of it wherever its weights lie: expected spectra, and an audit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("scipy", reason="an audit measures spectra by SciPy")

from dspref.expected.forecast import NotPredicted
from torchparity.audit import audit
from torchparity.audited import Expectation
from torchparity.expecting import expectations
from torchparity.nn import SubpixelConv1d
from torchparity.nn.init import tone_free_init_
from torchparity.nn.utils import project_, remove_tone_free, tone_free_

pytestmark = [
    pytest.mark.device,
    pytest.mark.filterwarnings("ignore:Attempting to run cuBLAS:UserWarning"),  # Torch's own, in a thread's first call
]


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def begun(model: Any) -> None:
    """Draw the weights anew, tone-free, on the CPU: each device has random numbers of its own."""
    for layer in (model[0], model[4], model[6]):
        tone_free_init_(layer)


STATES: dict[str, Callable[[Any], object]] = {
    "plain": lambda model: None,
    "kept": tone_free_,
    "kept, order 2": lambda model: tone_free_(model, order=2),
    "baked": lambda model: (tone_free_(model), remove_tone_free(model)),
    "projected": project_,
    "drawn so": begun,
}


def decoder(state: str, device: str) -> nn.Module:
    """Return a decoder in one of `STATES`, to which it came on its device, but for what is drawn."""
    torch.manual_seed(6)
    model = nn.Sequential(
        *(nn.ConvTranspose1d(16, 32, 16, 8, padding=4), nn.LeakyReLU(0.2)),
        *(nn.Conv1d(32, 32, 3, padding=1), nn.LeakyReLU(0.2)),
        *(nn.ConvTranspose1d(32, 16, 4, 2, padding=1), nn.LeakyReLU(0.2)),
        *(SubpixelConv1d(16, 8, 3, 2, padding=1), nn.LeakyReLU(0.2)),
        nn.Conv1d(8, 1, 7, padding=3),
    )
    if state == "drawn so":
        begun(model)
    model.to(device)
    if state != "drawn so":
        STATES[state](model)
    return model


def words(of: Expectation) -> list[NotPredicted]:
    """Return what is not predicted, without levels."""
    return [replace(each, db=None) for each in of.not_predicted]


def powers(of: Expectation) -> list[float]:
    assert of.expected is not None
    return [*(comb.power for comb in of.expected.combs), *of.expected.covariance]


@pytest.mark.parametrize("state", STATES)
def test_expected_spectra_are_those_of_the_same_weights_on_a_cpu(state: str, device: str) -> None:
    """Up to the rounding of their projection: the power of the taps is measured."""
    for found, due in zip(*(expectations(decoder(state, where), 16) for where in (device, "cpu")), strict=True):
        assert (found.input, found.remarks, words(found)) == (due.input, due.remarks, words(due))
        assert any("tone-free" in remark for remark in found.remarks) == (state != "plain")
        np.testing.assert_allclose(powers(found), powers(due), rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("state", ["plain", "kept", "baked"])
def test_an_audit_says_the_same_as_on_a_cpu(state: str, device: str) -> None:
    """Which lines stand; of a constant's floor, which is rounding, each device has its own."""
    found, due = (audit(decoder(state, where), sr=24000) for where in (device, "cpu"))
    standing = [[(run.input, line.freq) for run in made.runs for line in run.standing] for made in (found, due)]
    assert standing[0] == standing[1] != []
    noise = [[f for f in made.findings if "noise" in f.text] for made in (found, due)]
    assert noise[0] == noise[1] != []
    assert any(line.freq for run in found.runs if run.input == "constant" for line in run.standing) == (
        state == "plain"
    )
