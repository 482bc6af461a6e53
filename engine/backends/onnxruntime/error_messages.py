"""What ONNX Runtime refused, in words.

Apart from `adapter.py` because it is a table of the messages of its versions, and grows with them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ...errors import ON_A_BOARD, BackendRefused, DataRefused, EdgetuiError, PlanRefused
from ...graph.plugins import known
from ...graph.walk import ONNX_DOMAINS

_PLACE = r"\S+\.(?:cc|h):\d+ .*?\) "
"""A place in its sources."""


def runtime_errors() -> tuple[type[Exception], ...]:
    """The exceptions of ONNX Runtime, which have no base class of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return tuple(kind for kind in vars(state).values() if isinstance(kind, type) and issubclass(kind, Exception))


def translated(error: Exception) -> EdgetuiError:
    """What ONNX Runtime refused, without its codes and C++ file names."""
    text = str(error)
    for pattern, say in _PATTERNS:
        if match := re.search(pattern, text, re.DOTALL):
            return say(match)
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    text = re.sub(_PLACE, "", text)
    return BackendRefused(
        f"onnxruntime cannot execute the model: {' '.join(text.split())[:300]}",
        fix="export it again, with another opset or exporter",
    )


def _node(name: str, operator: str) -> str:
    return f"node {name} ({operator})" if name else f"a node without a name ({operator})"


def _unknown(domain: str, operator: str, where: str) -> BackendRefused:
    fix = "export the model without it"
    if domain in ONNX_DOMAINS and known(operator):  # an opset of ONNX says nothing of others
        fix += ", or for an opset that onnxruntime knows"
    return BackendRefused(f"onnxruntime does not know {where}", fix=(fix, ON_A_BOARD))


def _without_kernel(name: str, operator: str) -> BackendRefused:
    """It declares some of TensorRT's plugins itself, and computes none of them."""
    if not known(operator):
        return _unknown("", operator, _node(name, operator))
    return BackendRefused(
        f"onnxruntime has no CPU kernel for {_node(name, operator)} with these types",
        fix="export that operator in float32; where a step of the recipe changed it, leave it out with `exclude` or `keep`",
    )


_PATTERNS: tuple[tuple[str, Callable[[re.Match[str]], EdgetuiError]], ...] = (
    (
        r'In Node, \("([^"]*)", (\w+), "([^"]*)".*No Op registered for',
        lambda m: _unknown(m[3], m[2], _node(m[1], f"{m[3]}:{m[2]}" if m[3] else m[2])),
    ),
    (
        r"([\w.]*):(\w+)\(-?\d+\) is not a registered function/op",
        lambda m: _unknown(m[1], m[2], f"the operator {m[1]}:{m[2]}"),
    ),
    (
        r"Could not find an implementation for (\w+)\(\d+\) node with name '([^']*)'",
        lambda m: _without_kernel(m[2], m[1]),
    ),
    (
        r"Opset (\d+) is under development.*till opset (\d+)",
        lambda m: BackendRefused(
            f"the model needs opset {m[1]} and this onnxruntime knows opsets up to {m[2]}",
            fix=f"export it with opset {m[2]} or lower, or install a newer onnxruntime",
        ),
    ),
    (
        r"INVALID_PROTOBUF|No graph was found|does not have a graph",
        lambda _: PlanRefused("this is not an ONNX file, or a truncated one", fix="export or build it again"),
    ),
    (
        r'External data path .*?"([^"]*)"',
        lambda m: PlanRefused(f"the model's weights are not there: {m[1]}", fix="copy that file beside the model again"),
    ),
    (
        r"Got invalid dimensions for input: (\S+) .*?index: (\d+) Got: (\d+) Expected: (\d+)",
        lambda m: DataRefused(
            f"input {m[1]} has {m[3]} along axis {m[2]} where the model wants {m[4]}",
            fix="give samples of the model's own shape",
        ),
    ),
    (
        r"Invalid rank for input: (\S+) Got: (\d+) Expected: (\d+)",
        lambda m: DataRefused(
            f"input {m[1]} has {m[2]} axes where the model wants {m[3]}", fix="give samples of the model's own shape"
        ),
    ),
    (
        r"Unexpected input data type. Actual: \(tensor\((\w+)\)\) ?, expected: \(tensor\((\w+)\)\)",
        lambda m: DataRefused(f"an input is given as {m[1]} where the model wants {m[2]}", fix="give samples of that type"),
    ),
    (
        r"Numpy_type \d+ can't be converted",
        lambda _: DataRefused("an input is given as a type that no model has", fix="give samples of the model's own type"),
    ),
    (
        r".*while running (\w+) node\. Name:'([^']*)' Status Message: (.*)",
        lambda m: BackendRefused(
            f"onnxruntime stopped at {_node(m[2], m[1])}: {' '.join(re.sub(_PLACE, '', m[3]).split())[:200]}",
            fix="give samples as the model expects them: inputs that choose a branch or an index may be out of its range",
        ),
    ),
    (
        r"Required inputs \((.*?)\) are missing",
        lambda m: DataRefused(f"no samples for input {m[1].strip('[]')}", fix="give one array for each input"),
    ),
)
