"""A GPU's driver as pycuda shows it, whose device memory is the host's; `driver.taken` counts what is not given back."""

from __future__ import annotations

import ctypes
from collections import Counter
from types import ModuleType

import fake_cuda_graphs
import numpy as np


def make(capability: tuple[int, int] = (8, 7), free_mib: int = 4096) -> ModuleType:
    """A fresh `pycuda.driver`."""
    driver = ModuleType("pycuda.driver")
    driver.taken = Counter()
    driver.did = []
    driver.late = 0
    """Streams that were destroyed when there was no context any more."""
    driver.trouble = {}
    """`synchronize`: what CUDA says when somebody waits for a stream; `stream`, `context`: when one is made."""
    taken, did = driver.taken, driver.did.append

    class Error(Exception):
        pass

    class MemoryError(Error):  # noqa: A001
        pass

    class Primary:
        def push(self) -> None:
            taken["pushed"] += 1

        def detach(self) -> None:
            taken["context"] -= 1

    class Context:
        @staticmethod
        def pop() -> None:
            taken["pushed"] -= 1

    class Device:
        def __init__(self, number: int) -> None:
            assert number == 0

        @staticmethod
        def count() -> int:
            return 1

        def name(self) -> str:
            return "Orin"

        def compute_capability(self) -> tuple[int, int]:
            return capability

        def total_memory(self) -> int:
            return 8 << 30

        def retain_primary_context(self) -> Primary:
            if "context" in driver.trouble:
                raise Error(driver.trouble["context"])
            taken["context"] += 1
            return Primary()

    class Stream:
        handle = 4711

        def __init__(self) -> None:
            if "stream" in driver.trouble:
                raise Error(driver.trouble["stream"])
            taken["stream"] += 1

        def __del__(self) -> None:
            if "stream" in driver.trouble:
                return
            taken["stream"] -= 1
            driver.late += not taken["context"]

        def synchronize(self) -> None:
            assert not fake_cuda_graphs.recording(self.handle)
            if "synchronize" in driver.trouble:
                raise Error(driver.trouble["synchronize"])
            did("synchronize")

    class Event:
        def record(self, stream: Stream) -> None:
            did("record")

        def time_since(self, earlier: Event) -> float:
            return 0.5

    class Host:
        def __init__(self, size: int, kind: np.dtype) -> None:
            self.memory = ctypes.create_string_buffer(max(1, size * kind.itemsize))
            address = ctypes.addressof(self.memory)
            self.__array_interface__ = {"shape": (size,), "typestr": kind.str, "data": (address, False), "version": 3}
            taken["host"] += 1

        def free(self) -> None:
            taken["host"] -= 1

    class DeviceAllocation:
        def __init__(self, size: int) -> None:
            if size > free_mib << 20:
                raise MemoryError("cuMemAlloc failed: out of memory")
            self.memory = ctypes.create_string_buffer(size)
            taken["device"] += 1

        def __int__(self) -> int:
            return ctypes.addressof(self.memory)

        def free(self) -> None:
            taken["device"] -= 1

    def pagelocked_empty(shape: tuple[int, ...], kind: np.dtype) -> np.ndarray:
        return np.asarray(Host(shape[0], np.dtype(kind)))

    def copy(word: str, to: int, source: int, size: int) -> None:
        did(word)
        ctypes.memmove(to, source, size)

    def memcpy_htod_async(device: DeviceAllocation, host: np.ndarray, stream: Stream) -> None:
        fake_cuda_graphs.enqueue(stream.handle, lambda: copy("copy in", int(device), host.ctypes.data, host.nbytes))

    def memcpy_dtoh_async(host: np.ndarray, device: DeviceAllocation, stream: Stream) -> None:
        fake_cuda_graphs.enqueue(stream.handle, lambda: copy("copy out", host.ctypes.data, int(device), host.nbytes))

    for part in (Error, MemoryError, Context, Device, Stream, Event, pagelocked_empty, memcpy_htod_async, memcpy_dtoh_async):
        setattr(driver, part.__name__, part)
    driver.init = lambda: None
    driver.library = fake_cuda_graphs.Library(taken, did)
    driver.get_driver_version = lambda: 12060
    driver.mem_alloc = DeviceAllocation
    driver.mem_get_info = lambda: (free_mib << 20, 8 << 30)
    return driver
