"""What is inside a plan of ONNX Runtime: its nodes with their precision and time, from ONNX Runtime's own profiler.

The profiler's file is a format of its own: a JSON array of trace events, one a line, whole microseconds. It grows
by some 700 bytes for every node of every inference, so it is read line by line, and long graphs are inferred less often.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec
from msgspec import Struct

from ...schema.plan import LayerFacts
from ...schema.ready import ready

if TYPE_CHECKING:
    from ..base import Feeds

_WANTED_S = 1.0
_WARM, _MOST = 10, 300
_MOST_EVENTS = 60_000
_TIME = "_kernel_time"
_WORDS = {"float": "FP32", "float16": "FP16", "bfloat16": "BF16", "double": "FP64", "uint8": "INT8", "uint4": "INT4"}
_FLOATS = ("FP64", "FP32", "FP16", "BF16", "FP8")
_REDUCED = ("FP16", "BF16", "FP8", "INT8")
_ALWAYS_INSERTED = frozenset({"ReorderInput", "ReorderOutput", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"})
_MAY_BE_INSERTED = frozenset({"Cast", "Transpose"})
_INSERTED_NAME = re.compile(r"InsertedPrecisionFreeCast_.*|InsertedCast_.*|(Cast|Transpose)(_token_\d+)?")
_WAS_HALF = "InsertedPrecisionFreeCast_"
"""Begins the names of nodes that were FP16 in the model, and that ONNX Runtime computes in FP32 for want of a kernel."""
_IN_INTEGERS = frozenset(
    {
        "MatMulInteger", "ConvInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "QGemm",
        "QAttention",
    }
)  # fmt: skip
"""Compute in 8-bit integers whatever they make."""
_WITH_BODIES = frozenset({"If", "Loop", "Scan", "SequenceMap"})
_NO_ARITHMETIC = frozenset(
    {
        "Cast", "Concat", "Constant", "ConstantOfShape", "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "Pad",
        "Reshape", "Shape", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze", "Upsample",
    }
)  # fmt: skip


class _Args(Struct, frozen=True):
    op_name: str = ""
    node_index: str = ""
    input_type_shape: list[dict[str, list[int]]] = []
    output_type_shape: list[dict[str, list[int]]] = []


class _Event(Struct, frozen=True):
    cat: str
    name: str
    ts: int = 0
    dur: int = 0
    args: _Args = _Args()


_read_event = msgspec.json.Decoder(ready(_Event), strict=False).decode


class ProfiledPlan(NamedTuple):
    """What was found in a plan."""

    layers: tuple[LayerFacts, ...]
    inferences: int
    """Layers' times are means over so many."""
    inference_ms: float
    """Mean of an inference without the profiler, which costs some microseconds a node."""


class Profiled(Protocol):
    """A session that writes a profile where it was loaded with a file for it."""

    def timed(self, feeds: Feeds) -> Callable[[], None]:
        """See `base.Session`."""
        ...

    def end_profile(self) -> Path:
        """The file of the profile."""
        ...

    def close(self) -> None:
        """See `base.Session`."""
        ...


Load = Callable[["Path | None"], Profiled]
"""Loads the plan; with a path, under the profiler whose file begins with it."""


def look(load: Load, feeds: Feeds) -> ProfiledPlan:
    """The nodes of a plan in the order they run, with the milliseconds of each.

    Raises:
        PlanRefused: it is for another machine, or broken.
        BackendRefused: it cannot be executed.
        OSError: there is no room for the profiler's file.
    """
    with tempfile.TemporaryDirectory(prefix="edgetui-") as folder:
        plain = load(None)
        _, plain_s = _infer(plain.timed(feeds), _MOST)
        plain.close()
        trial, _ = _profile(load, feeds, Path(folder) / "trial", 1)
        nodes = len(next(_inferences(trial)))
        trace, count = _profile(load, feeds, Path(folder) / "trace", _MOST_EVENTS // max(1, nodes))
        before = sum(1 for _ in _inferences(trace)) - count
        return ProfiledPlan(layers(islice(_inferences(trace), before, None)), count, plain_s * 1000)


def _profile(load: Load, feeds: Feeds, prefix: Path, most: int) -> tuple[Path, int]:
    """Infer under the profiler; its file, and how many inferences at its end count. Those before have warmed up."""
    session = load(prefix)
    try:
        count, _ = _infer(session.timed(feeds), most)
        return session.end_profile(), count
    finally:
        session.close()


def _infer(once: Callable[[], None], most: int) -> tuple[int, float]:
    """Warm up, then infer for about a second, `most` times at most; how often, and the mean seconds."""
    warm, began = max(1, min(most, _WARM)), time.perf_counter()
    for _ in range(warm):
        once()
    each_s = (time.perf_counter() - began) / warm
    count, began = max(1, min(most, _MOST, round(_WANTED_S / each_s))), time.perf_counter()
    for _ in range(count):
        once()
    return count, (time.perf_counter() - began) / count


def _inferences(trace: Path) -> Iterator[list[_Event]]:
    """The nodes' events of each inference, in the order they ended."""
    events: list[_Event] = []
    with trace.open("rb") as file:
        for line in file:
            text = line.strip().rstrip(b",")
            if not text.startswith(b"{"):  # the array's brackets
                continue
            event = _read_event(text)
            if event.cat == "Node" and event.name.endswith(_TIME):
                events.append(event)
            elif event.name == "model_run":
                yield _outermost(events)
                events = []


def _outermost(events: list[_Event]) -> list[_Event]:
    """Without the nodes inside a loop or a branch: their time is in that of the node they belong to."""
    spans = [(event.ts, event.ts + event.dur, event) for event in events if event.args.op_name in _WITH_BODIES]
    if not spans:
        return events
    return [
        event
        for event in events
        if not any(begin <= event.ts and event.ts + event.dur <= end and event is not whole for begin, end, whole in spans)
    ]


def layers(inferences: Iterable[Sequence[_Event]]) -> tuple[LayerFacts, ...]:
    """One layer a node, with the mean of its time; FP32 islands are marked."""
    count = 0
    seen: dict[tuple[str, str], _Event] = {}
    spent_us: dict[tuple[str, str], int] = {}
    for events in inferences:
        count += 1
        for event in events:
            key = (event.args.node_index, event.name)
            seen.setdefault(key, event)
            spent_us[key] = spent_us.get(key, 0) + event.dur
    found = [_layer(event, spent_us[key] / count / 1000) for key, event in seen.items()]
    reduced = any(made in _REDUCED for event in seen.values() for made in _words(event.args.output_type_shape))
    if not reduced and not any(layer.name.startswith(_WAS_HALF) for layer in found):
        return tuple(found)
    return tuple(msgspec.structs.replace(layer, island=True) if _in_fp32(layer) else layer for layer in found)


def _layer(event: _Event, milliseconds: float) -> LayerFacts:
    name, kind = event.name.removesuffix(_TIME), event.args.op_name
    reads, makes = _words(event.args.input_type_shape), _words(event.args.output_type_shape)
    inserted = kind in _ALWAYS_INSERTED or (kind in _MAY_BE_INSERTED and _INSERTED_NAME.fullmatch(name) is not None)
    return LayerFacts(
        name=name,
        kind=kind,
        precision=_precision(kind, reads, makes),
        inputs=tuple(dict.fromkeys(reads)),
        milliseconds=milliseconds,
        reformat=inserted,
    )


def _precision(kind: str, reads: Sequence[str], makes: Sequence[str]) -> str:
    """What a node computes in: what it makes, but comparing and counting floats is done in floats."""
    if kind in _IN_INTEGERS:
        return "INT8"
    made, read = (words[0] if words else "" for words in (makes, reads))
    return read if read in _FLOATS and made in ("BOOL", "INT32", "INT64") and kind not in _NO_ARITHMETIC else made


def _in_fp32(layer: LayerFacts) -> bool:
    return layer.precision == "FP32" and not layer.reformat and layer.kind not in _NO_ARITHMETIC


def _words(tensors: Sequence[dict[str, list[int]]]) -> list[str]:
    """Element types in the words that plans of other backends use."""
    return [_WORDS.get(kind, kind.upper()) for tensor in tensors for kind in tensor]
