"""ONNX files run through onnxruntime, on one thread of the CPU; what it refuses is told in its own words."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dspref.arrays import Array, complaint, did_you_mean

AXES = ("batch", "channels", "time")

_NEEDED = "pip install 'dspref[onnx]'"
_SILENT = 4


class OnnxRefused(ValueError):
    """What onnxruntime does not load or run: the message carries its words."""


class OnnxFile:
    """An ONNX model of one input (batch, channel, time) and one output, as a function of a tensor.

    Parameters
    ----------
    source : path of an .onnx file, or onnx.ModelProto

    Raises
    ------
    OnnxRefused
        If it can't be loaded, or has several inputs or outputs. Called, it raises it too: for an input of
        another dtype, of a length or batch other than one that the file holds fast, and for whatever onnxruntime
        refuses to compute.

    Examples
    --------
    >>> import onnx.parser
    >>> text = 'g (float[n, 1, t] x) => (float[n, 1, u] y) { y = Relu (x) }'
    >>> model = onnx.parser.parse_model('<ir_version: 10, opset_import: ["": 21]> ' + text)
    >>> OnnxFile(model)(torch.tensor([[[-1.0, 2.0]]]))
    tensor([[[0., 2.]]])
    """

    def __init__(self, source: Any) -> None:
        self.source = _path(source) if isinstance(source, (str, os.PathLike)) else source
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1:
            got = f"{len(inputs)} inputs and {len(outputs)} outputs"
            raise OnnxRefused(complaint(self.words, got, "one of each", "cut the model at the signal"))
        if len(inputs[0].shape) != 3:
            raise OnnxRefused(complaint(f"input of {self.words}", f"shape {inputs[0].shape}", "(batch, channel, time)"))
        self.dtype = inputs[0].type.removeprefix("tensor(").removesuffix(")").replace("double", "float64")
        self.dtype = "float32" if self.dtype == "float" else self.dtype
        self.sizes: dict[str, int] = {k: n for k, n in zip(AXES, inputs[0].shape, strict=True) if isinstance(n, int)}

    @property
    def words(self) -> str:
        """What it is: "ONNX file up.onnx"."""
        return f"ONNX file {self.source.name}" if isinstance(self.source, Path) else "ONNX model"

    @cached_property
    def model(self) -> Any:
        """The model, as ``onnx.ModelProto``."""
        import onnx

        return onnx.load(self.source) if isinstance(self.source, Path) else self.source

    @property
    def weights(self) -> dict[str, Array]:
        """The initialisers by name."""
        from onnx import numpy_helper

        return {tensor.name: numpy_helper.to_array(tensor) for tensor in self.model.graph.initializer}

    @cached_property
    def _session(self) -> Any:
        return session(str(self.source) if isinstance(self.source, Path) else self.source, self.words)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the output for a tensor (batch, channel, time)."""
        given = str(x.dtype).removeprefix("torch.")
        if given != self.dtype:
            hint = f"check it with dtype='{self.dtype}'"
            raise OnnxRefused(complaint(f"input of {self.words}", given, self.dtype, hint))
        for name, size in zip(AXES, x.shape, strict=True):
            if size != self.sizes.get(name, size):
                hint = "export it with dynamic_shapes to take others"
                raise OnnxRefused(complaint(f"{name} of {self.words}", size, f"{self.sizes[name]} alone", hint))
        (y,) = answers(self._session, np.ascontiguousarray(x.detach().cpu().numpy()))
        return torch.from_numpy(y)


def said(sizes: Mapping[str, int]) -> tuple[str, ...]:
    """Return the remark on sizes that are held fast; none for channels, which every layer holds fast.

    Examples
    --------
    >>> said({"channels": 2, "time": 11})
    ('exported for time 11 alone: dynamic_shapes= lets it take others',)
    """
    held = [f"{axis} {size}" for axis, size in sizes.items() if axis != "channels"]
    return (f"exported for {', '.join(held)} alone: dynamic_shapes= lets it take others",) if held else ()


def session(source: Any, words: str = "ONNX model") -> Any:
    """Return an onnxruntime session on one thread, which gives the same answer every time."""
    try:
        import onnxruntime
    except ImportError:
        raise OnnxRefused(complaint(words, "no onnxruntime", "onnxruntime", _NEEDED)) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _SILENT
    content = source if isinstance(source, str) else source.SerializeToString()
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no class of their own
        raise OnnxRefused(complaint(words, f"refused by onnxruntime: {_plain(error)}", "what it loads")) from error


def answers(made: Any, x: Array) -> list[Array]:
    """Return what a session gives for an input, all of its outputs."""
    import onnxruntime

    quiet = onnxruntime.RunOptions()
    quiet.log_severity_level = _SILENT
    try:
        return [np.array(y) for y in made.run(None, {made.get_inputs()[0].name: x}, quiet)]
    except Exception as error:
        raise OnnxRefused(f"refused by onnxruntime: {_plain(error)}") from error


def _plain(error: Exception) -> str:
    return " ".join(str(error).split())


def _path(source: str | os.PathLike[str]) -> Path:
    """Return the path of an .onnx file that is there."""
    path = Path(source)
    if path.suffix != ".onnx":
        raise OnnxRefused(
            complaint("file", str(path), "a path that ends in .onnx", "pkg.mod:name is a target in words")
        )
    if not path.is_file():
        near = did_you_mean(path.name, [p.name for p in path.parent.glob("*.onnx")])
        raise OnnxRefused(complaint("file", str(path), "a file that is there", near))
    return path
