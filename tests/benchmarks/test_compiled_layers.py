"""The five upsampling layers behind a compiler, and exported with free lengths: the same to rounding, and how fast.

Each takes seconds to minutes to compile, which is why the quick suite asks Torch's tracers alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from tests.torchparity.test_nn_tools import LAYERS, All, X, within

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
Show = Callable[[str], None]
ROUNDS = 9


def seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


@pytest.mark.parametrize("name", LAYERS)
def test_compiled_for_the_machine(name: str, benchmark: Any, show: Show) -> None:
    """One graph, by Inductor; times are taken in turn."""
    torch.manual_seed(0)
    layer = LAYERS[name]().eval().requires_grad_(False)
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True)
    alone = All()
    alone.layers = nn.ModuleDict({name: layer})
    within(alone, [compiled(X)], words="torch.compile, fullgraph, backend inductor", show=show)
    x = torch.randn(4, 4, 4000)
    runs: list[Callable[[Tensor], Any]] = [layer, compiled]
    times: list[list[float]] = []
    benchmark.pedantic(
        lambda: times.append([seconds(lambda run=run: run(x)) for run in runs]),  # type: ignore[misc]
        rounds=ROUNDS,
        warmup_rounds=2,
    )
    eager, fast = np.median(np.array(times[-ROUNDS:]), axis=0)
    show(f"compiled / eager, (4, 4, 4000), {name}: {fast / eager:.2f} of {1e3 * eager:.2f} ms")


def test_exported_with_free_batch_and_time(show: Show) -> None:
    torch.manual_seed(0)
    every, free = All().eval().requires_grad_(False), ({0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC},)
    other = torch.randn(3, 4, 31)
    program = torch.export.export(every, (X,), dynamic_shapes=free).module()
    within(every, program(X), words="torch.export, free lengths", show=show)
    within(every, program(other), other, words="torch.export, another length", show=show)


def test_onnx_with_free_batch_and_time(show: Show) -> None:
    torch.manual_seed(0)
    every, free = All().eval().requires_grad_(False), ({0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC},)
    program = torch.onnx.export(every, (X,), dynamo=True, verbose=False, dynamic_shapes=free)
    assert program is not None
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    words = f"onnxruntime {onnxruntime.__version__}, free lengths"
    for x in (X, torch.randn(3, 4, 31)):
        within(every, session.run(None, {session.get_inputs()[0].name: x.numpy()}), x, words=words, show=show)
