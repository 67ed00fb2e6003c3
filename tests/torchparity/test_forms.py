"""The same numbers in other forms: a layer that reads them wrongly is found, one that refuses them is remarked on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dspref import Nearest
from torchparity import check
from torchparity.cases import Case
from torchparity.forms import FORMS, in_form, reformed
from torchparity.job import Job


def up(x: Tensor) -> Tensor:
    return x.repeat_interleave(4, -1)


def test_every_form_hands_on_the_same_numbers() -> None:
    x = torch.randn(3, 2, 9)
    for form in FORMS:
        given = x[..., :1].expand(3, 2, 9) if form == "expanded" else x
        assert torch.equal(in_form(lambda x: x.clone(), form)(given), given)


@pytest.mark.parametrize(
    "form", [name for name in FORMS if name not in ("offset", "requiring a gradient", "under vmap")]
)
def test_layouts_are_not_contiguous(form: str) -> None:
    x = torch.ones(3, 2, 9)
    assert in_form(lambda x: x.is_contiguous(), form)(x) is False


def from_storage(x: Tensor) -> Tensor:
    """Read the memory of the input as if it were contiguous."""
    flat = torch.as_strided(x, x.shape, (x.shape[1] * x.shape[2], x.shape[2], 1))
    return up(flat)


def test_a_layer_that_reads_the_memory_and_not_the_tensor_is_wrong() -> None:
    verdict = check(from_storage, like="nearest x4", gradients=False)
    assert verdict.status == "wrong"
    assert verdict.reason.startswith("input ")
    assert "forms.in_form(f, " in verdict.repro


def test_a_layer_that_refuses_a_layout_passes_with_a_remark() -> None:
    def picky(x: Tensor) -> Tensor:
        if not x.is_contiguous():
            raise ValueError("contiguous signals only")
        return up(x)

    verdict = check(picky, like="nearest x4")
    assert verdict.status == "exact"
    (remark,) = verdict.remarks
    assert remark.startswith("input channels-last, ")
    assert remark.endswith(" refused: ValueError: contiguous signals only")


def test_a_layer_that_is_wrong_when_gradients_are_recorded_is_found() -> None:
    class Recorded(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return up(x) * (1.5 if torch.is_grad_enabled() else 1)

    verdict = check(Recorded(), like="nearest x4", gradients=False)
    assert verdict.status == "wrong"
    assert "input requiring a gradient" in verdict.reason


def test_every_form_is_an_outcome_of_its_own() -> None:
    job = Job((), up, Nearest(4), 2)
    parts = [o.part for o in reformed(job, Case("normal", (3, 2, 9), "float32", 0))]
    assert parts == [f"form: {form}" for form in FORMS]


def test_an_output_in_the_memory_of_the_input_is_remarked_on() -> None:
    view = check(lambda x: x[..., :], like="nearest x1")
    assert view.status == "exact"
    assert any("the output is a view of the input" in remark for remark in view.remarks)
    copied = check(lambda x: x.clone(), like="nearest x1")
    assert not any("view" in remark for remark in copied.remarks)


def test_the_repro_line_of_a_form_runs() -> None:
    verdict = check(from_storage, like="nearest x4", gradients=False)
    printed: list[object] = []
    exec(verdict.repro, {"f": from_storage, "print": lambda *values: printed.extend(values)})
    got, due = printed
    assert not np.isclose(float(got), float(due))  # type: ignore[arg-type]
