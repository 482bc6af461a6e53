"""The part of CUDA's driver library (`libcuda.so.1`) that records streams as graphs; handles are numbers.

`taken` counts graphs that are not given back. `refuse` names a call that fails, e.g. `cuStreamEndCapture`.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Callable
from types import ModuleType

Work = Callable[[], object]
_recording: dict[int, list[Work]] = {}
INVALIDATED = 901


def enqueue(stream: int, work: Work) -> None:
    """Do what is put into a stream, or only note it while the stream is recorded."""
    if stream in _recording:
        _recording[stream].append(work)
    else:
        work()


def loading(driver: ModuleType) -> Callable[..., object]:
    """What loads shared libraries, but the fake one in place of CUDA's driver."""
    load = ctypes.CDLL
    return lambda name, *more, **named: driver.library if name == "libcuda.so.1" else load(name, *more, **named)


def recording(stream: int) -> bool:
    return stream in _recording


class Library:
    def __init__(self, taken: Counter, did: Callable[[str], None]) -> None:
        self.taken, self.did = taken, did
        self.refuse = ""
        self.held: dict[int, list[Work]] = {}
        self.number = 0

    def _keep(self, work: list[Work], kind: str) -> int:
        self.number += 1
        self.held[self.number] = work
        self.taken[kind] += 1
        return self.number

    def cuStreamBeginCapture_v2(self, stream: ctypes.c_void_p, mode: ctypes.c_int) -> int:  # noqa: N802
        assert mode.value == 1
        assert stream.value not in _recording
        if self.refuse == "cuStreamBeginCapture_v2":
            return INVALIDATED
        _recording[stream.value] = []
        return 0

    def cuStreamEndCapture(self, stream: ctypes.c_void_p, graph: object) -> int:  # noqa: N802
        work = _recording.pop(stream.value)
        if self.refuse == "cuStreamEndCapture":
            return INVALIDATED
        graph._obj.value = self._keep(work, "graph")
        return 0

    def cuGraphInstantiateWithFlags(self, ready: object, graph: ctypes.c_void_p, flags: ctypes.c_ulonglong) -> int:  # noqa: N802
        assert flags.value == 0
        if self.refuse == "cuGraphInstantiateWithFlags":
            return INVALIDATED
        ready._obj.value = self._keep(self.held[graph.value], "launchable graph")
        return 0

    def cuGraphDestroy(self, graph: ctypes.c_void_p) -> int:  # noqa: N802
        del self.held[graph.value]
        self.taken["graph"] -= 1
        return 0

    def cuGraphExecDestroy(self, ready: ctypes.c_void_p) -> int:  # noqa: N802
        del self.held[ready.value]
        self.taken["launchable graph"] -= 1
        return 0

    def cuGraphLaunch(self, ready: ctypes.c_void_p, stream: ctypes.c_void_p) -> int:  # noqa: N802
        assert stream.value not in _recording
        if self.refuse == "cuGraphLaunch":
            return INVALIDATED
        self.did("launch")
        for work in self.held[ready.value]:
            work()
        return 0

    def cuGetErrorName(self, code: int, text: object) -> int:  # noqa: N802
        text._obj.value = {INVALIDATED: b"CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"}[code]
        return 0
