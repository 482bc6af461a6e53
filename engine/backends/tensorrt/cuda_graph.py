"""Work of one stream recorded once and launched as one: CUDA graphs.

pycuda does not know them: these are calls of CUDA's driver (cuda.h, "Graph Management"; CUDA 11.4 and later), on
the stream and in the context that pycuda made.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

_THREAD_LOCAL = 1
"""CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: other threads may go on allocating while this one records."""


class NotRecorded(Exception):
    """The stream's work cannot be a graph; says why."""


class CudaGraph:
    """A recording that can be launched again and again. Free it before what it reads and writes."""

    def __init__(self, driver: ctypes.CDLL, graph: ctypes.c_void_p, stream: int) -> None:
        """Takes `graph` over, also when this raises.

        Raises:
            NotRecorded: the driver cannot make it launchable.
        """
        self._driver = driver
        self._stream = ctypes.c_void_p(stream)
        self._ready = ctypes.c_void_p()
        try:
            _call(driver, "cuGraphInstantiateWithFlags", ctypes.byref(self._ready), graph, ctypes.c_ulonglong(0))
        finally:
            driver.cuGraphDestroy(graph)

    def launch(self) -> bool:
        """Put it into its stream; whether the driver took it."""
        return bool(self._ready) and self._driver.cuGraphLaunch(self._ready, self._stream) == 0

    def free(self) -> None:
        """Give it back; launching is refused from here on."""
        if self._ready:
            self._driver.cuGraphExecDestroy(self._ready)
            self._ready = ctypes.c_void_p()


def record(stream: int, issue: Callable[[], bool]) -> CudaGraph:
    """Record what `issue` puts into a stream (its handle); nothing of it is executed. The stream is as before when this raises.

    Raises:
        NotRecorded: something of it cannot be recorded, or the driver knows no graphs.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise NotRecorded(f"CUDA's driver cannot be called ({error})") from None
    handle, graph = ctypes.c_void_p(stream), ctypes.c_void_p()
    _call(driver, "cuStreamBeginCapture_v2", handle, ctypes.c_int(_THREAD_LOCAL))
    why = ""
    try:
        if not issue():
            why = "TensorRT does something in between that a graph cannot hold"
    except Exception as error:  # pycuda's, of a call that is refused while recording: its classes are known to it alone
        why = str(error).strip() or type(error).__name__
    ended = driver.cuStreamEndCapture(handle, ctypes.byref(graph))
    if why or ended or not graph:
        if graph:
            driver.cuGraphDestroy(graph)
        raise NotRecorded(why or f"cuStreamEndCapture: {_word(driver, ended)}")
    return CudaGraph(driver, graph, stream)


def _call(driver: ctypes.CDLL, name: str, *arguments: object) -> None:
    function = getattr(driver, name, None)
    if function is None:
        raise NotRecorded(f"this driver has no {name}")
    code = function(*arguments)
    if code:
        raise NotRecorded(f"{name}: {_word(driver, code)}")


def _word(driver: ctypes.CDLL, code: int) -> str:
    """`CUDA_ERROR_STREAM_CAPTURE_INVALIDATED` for 901."""
    text = ctypes.c_char_p()
    return text.value.decode() if driver.cuGetErrorName(code, ctypes.byref(text)) == 0 and text.value else f"error {code}"
