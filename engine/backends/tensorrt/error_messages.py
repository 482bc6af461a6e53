"""What TensorRT refused, in words: its parser's error objects and its builder's log.

It is a table of the messages of its versions, and grows with them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...errors import ON_THE_CPU, Fix
from .build_messages import Refused

if TYPE_CHECKING:
    import tensorrt

_ELSEWHERE = ("export the model without it", ON_THE_CPU)
_NO_PLUGIN = re.compile(r"Plugin not found|No importer registered|getPluginCreator could not find", re.IGNORECASE)
_MEMORY = re.compile(
    r"out ?of ?memory|insufficient memory|Requested amount of GPU memory|OutOfMemory|cudaErrorMemoryAllocation|bad_alloc|"
    r"MEM_ALLOC_FAILED|cudaError ?2\b",
    re.IGNORECASE,
)
_NO_KERNEL = re.compile(r"[Cc]ould not find any implementation for node (?:\{?)([^\s}.]+)")
_NO_ROOM = re.compile(r"within workspace limit")
_NO_GPU = re.compile(r"cudaError ?(35|100)\b|CUDA driver version is insufficient|no CUDA-capable device|CUDA initialization")
_TOO_OLD = re.compile(r"compute capability|SM version|Target GPU SM", re.IGNORECASE)


def parsing(parser: tensorrt.OnnxParser) -> Refused:
    """Why the parser did not take the graph: the first error, with its node and operator."""
    count = parser.num_errors
    if not count:
        return Refused.of("TensorRT cannot read the model", "export it again", ON_THE_CPU)
    error = parser.get_error(0)
    # Before TensorRT 9 an error knows the number of its node only.
    name, operator = (getattr(error, word, str)() for word in ("node_name", "node_operator"))
    where = f"node {name or error.node()}" + (f" ({operator})" if operator else "")
    reason = _plain(str(error.desc()))
    if _NO_PLUGIN.search(reason):
        what = f"TensorRT has neither an operator nor a plugin for {where}"
        return Refused.of(what, "LD_PRELOAD the library of the plugin", *_ELSEWHERE, node=name)
    more = f", and {count - 1} more" if count > 1 else ""
    return Refused.of(f"TensorRT cannot read {where}: {reason}{more}", *_ELSEWHERE, node=name)


def building(errors: Sequence[str]) -> Refused:
    """Why no plan came out: by what the builder logged as errors."""
    text = "\n".join(errors)
    if _MEMORY.search(text):
        return Refused.of(
            "TensorRT ran out of memory while it built the plan",
            "close other programs, add swap, or give smaller limits in edgetui.toml, [backend.tensorrt]",
            again=True,
        )
    if found := _NO_KERNEL.search(text):
        return Refused.of(
            f"TensorRT found no kernel for {found[1]} within its limits",
            "give it more workspace_mb; where a step of the recipe changed it, leave it out with `exclude` or `keep`",
            again=True,
        )
    if _NO_ROOM.search(text):
        return Refused.of("TensorRT found no kernel within its limits", "give it more workspace_mb", again=True)
    if _NO_GPU.search(text):
        return Refused.of(
            "TensorRT cannot build here: there is no GPU it can use",
            "build on the board",
            Fix("with TensorRT-RTX and {}", "target", "sm_86"),
        )
    if "no optimization profile" in text:
        return Refused.of(
            "a size in the model depends on the values of an input (a shape tensor), for which it has no optimization profile",
            "make that input a constant in the export",
            ON_THE_CPU,
        )
    if _TOO_OLD.search(text):
        return Refused.of(f"TensorRT does not build for that GPU: {_plain(text)}", Fix("name another {}", "target"))
    first = _plain(errors[0]) if errors else "it did not say why"
    return Refused.of(f"TensorRT built no plan: {first}", *_ELSEWHERE)


def _plain(text: str) -> str:
    """The message without TensorRT's own places in its sources, on one line."""
    text = re.sub(r"^\[[\w.:]+::\d+\] |^\w+::\w+: |Error Code \d+: |In \w+ at \S+:\d+", "", text.strip())
    text = re.sub(r"^In node .*?\): |^[\w/.]+\.c(?:c|pp):\d+ In function \w+: ?|^\[\d+\] ", "", text)
    return " ".join(text.split())[:240].rstrip(" (.")
