"""A PyTorch module as an ONNX file; from there on it is a model as any other.

By torch.export where this PyTorch can (from 2.5 on), else by tracing. What comes out is held against the module on inputs that
are drawn: exporters have been wrong.
"""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import helper

from ..errors import ModelRefused, first_line
from ..graph.load import load
from ..graph.walk import real_inputs
from ..schema.model_facts import TensorFacts
from ..schema.module_sources import PROGRAM, Factory, factory
from .outside_modules import made_by, program_of

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.export import ExportedProgram

_NEAR = 1e-3
"""Of the largest value, that rounding in another order may make."""
_LARGEST_ID = 2
"""Of whole numbers that are drawn: ids of any table."""


def to_onnx(source: str, weights: str, inputs: Sequence[TensorFacts], outputs: Sequence[str], out: Path, seed: int = 0) -> None:
    """Write the module that a factory makes, or a `.pt2` file holds, to `out`.

    Args:
        source: `package.module:function`, `file.py:function` or the path of a `.pt2` file.
        weights: a file of them for a factory's module; empty: it has its own.
        inputs: name, type and shape of each argument, in the order of the module's; none: as the `.pt2` file has them.
        outputs: names in the order of what the module returns; none: the exporter's.
        out: a new file.
        seed: draws what a factory draws.

    Raises:
        ModelRefused: there is no such module, it cannot be exported, or the file gives other results.
    """
    made = factory(source)
    if made is None and not source.endswith(PROGRAM):
        raise ModelRefused(
            f"{source} is no factory and no {PROGRAM} file", fix="write `package.module:function`, or `file.py:function`"
        )
    import torch

    torch.manual_seed(seed)
    names = [one.name for one in inputs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of exporters, about themselves
        if made is not None:
            module, example = made_by(made, weights), tuple(_drawn(one) for one in inputs)
            _export(module, example, names, outputs, out, made)
        else:
            program = program_of(Path(source))
            module, example = program.module(), _example(program)
            _export(program, example, names, outputs, out, None)
        _refuse_other(module, example, out, source)


def _drawn(one: TensorFacts) -> Tensor:
    import torch

    kind = np.dtype(helper.tensor_dtype_to_np_dtype(_element(one.dtype)))
    draw, shape = np.random.default_rng(0), tuple(axis for axis in one.shape if isinstance(axis, int))
    values = draw.random(shape) if kind.kind == "f" else draw.integers(0, _LARGEST_ID, shape)
    return torch.from_numpy(np.asarray(values.astype(kind)))


def _element(dtype: str) -> int:
    from onnx import TensorProto

    return int(TensorProto.DataType.Value(dtype.upper()))


def _example(program: ExportedProgram) -> tuple[Tensor, ...]:
    """Drawn inputs of the shapes that a program was exported with."""
    given = program.example_inputs
    if given is None or given[1] or not all(hasattr(value, "dtype") for value in given[0]):
        raise ModelRefused(
            "the program takes other arguments than tensors by place, or says no example of them",
            fix="export it with a tuple of tensors",
        )
    import torch

    return tuple(torch.rand_like(value) if value.is_floating_point() else value for value in given[0])


def _export(
    module: nn.Module | ExportedProgram,
    example: tuple[Tensor, ...],
    names: Sequence[str],
    outputs: Sequence[str],
    out: Path,
    made: Factory | None,
) -> None:
    import torch

    named = {"input_names": list(names) or None, "output_names": list(outputs) or None}
    failures = []
    ways: list[Mapping[str, Any]] = [{"dynamo": True, "external_data": False, "verbose": False}, {"dynamo": False}]
    known = inspect.signature(torch.onnx.export).parameters
    quiet = logging.getLogger("torch.onnx")
    before = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        for way in ways if "dynamo" in known else [{}]:
            if made is None and not way.get("dynamo"):
                continue  # a program is no module that could be traced
            try:
                torch.onnx.export(module, example, str(out), **named, **{key: v for key, v in way.items() if key in known})
            except Exception as error:  # both raise what they meet in somebody else's code
                failures.append(first_line(error))
            else:
                return
    finally:
        quiet.setLevel(before)
    raise ModelRefused(
        f"PyTorch cannot export {made or 'the program'} to ONNX ({'; '.join(failures)})",
        fix="check the shapes of its inputs, or export it yourself and name the ONNX file",
    )


def _refuse_other(module: nn.Module, example: tuple[Tensor, ...], out: Path, source: str) -> None:
    """Hold the file against the module, on one drawn input."""
    import onnxruntime as ort
    import torch
    from torch.utils import _pytree as tree

    with torch.no_grad():
        wanted = [value.numpy() for value in tree.tree_leaves(module(*example)) if hasattr(value, "numpy")]
    session = ort.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    names = real_inputs(load(out).graph)
    if len(names) != len(example):
        raise ModelRefused(
            f"{source} uses {len(names)} of its {len(example)} inputs", fix="leave those out that change nothing"
        )
    found = session.run(None, {name: value.numpy() for name, value in zip(names, example, strict=True)})
    same = len(found) == len(wanted) and all(
        ours.shape == theirs.shape and np.abs(ours - theirs).max(initial=0) <= _NEAR * max(np.abs(theirs).max(initial=0), 1e-6)
        for ours, theirs in zip(found, wanted, strict=True)
    )
    if not same:
        raise ModelRefused(
            f"the ONNX export of {source} gives other results than the module", fix="export it yourself and name the ONNX file"
        )
