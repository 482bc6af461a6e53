"""A loaded plan and its inference in six steps: context, device memory, copy in, execute, copy out, synchronise.

This alone needs pycuda and a GPU. Everything is allocated when the plan is loaded, the host's side in pinned
memory, and all copies and kernels are in one stream of its own; the timed call allocates nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BackendRefused, PlanRefused
from ...schema.model_facts import TensorFacts
from ...schema.plan import LayerFacts
from ...schema.settings import TensorRtSettings
from ..base import Session
from ..feeds import dtype_of, refuse_unfit
from .cuda_graph import CudaGraph, NotRecorded, record
from .installed import Installation
from .layers import look
from .logger import Log, Monitored, logger, register_plugins
from .tensors import sizes, type_word

if TYPE_CHECKING:
    import tensorrt

    from ..base import Feeds

MIB = 1 << 20
_TIMED_ALONE = 50
"""Inferences over which the share of the GPU in an inference is found."""


@dataclass
class Buffer:
    """One input or output: the same bytes on the host, pinned, and on the device."""

    facts: TensorFacts
    is_input: bool
    host: NDArray[np.generic]
    device: Any


def _cuda() -> ModuleType:
    return importlib.import_module("pycuda.driver")


_open_contexts: list[Any] = []


@contextmanager
def _primary_context() -> Iterator[None]:
    """The device's primary context, current in this thread; sessions of one process share it, the last one gives it back."""
    driver = _cuda()
    if not _open_contexts:
        with _in_words("CUDA does not start"):
            driver.init()
            context = driver.Device(0).retain_primary_context()
            context.push()
    else:
        context = _open_contexts[-1]
    _open_contexts.append(context)
    try:
        yield
    finally:
        _open_contexts.pop()
        if not _open_contexts:
            driver.Context.pop()
            context.detach()


@contextmanager
def _in_words(what: str) -> Iterator[None]:
    """CUDA's own errors as ours.

    Raises:
        BackendRefused: CUDA refused something.
    """
    driver = _cuda()
    try:
        yield
    except driver.MemoryError as error:
        raise BackendRefused(
            f"there is not enough device memory ({what}: {error})", fix="close other programs, then try again"
        ) from None
    except driver.Error as error:
        raise BackendRefused(f"{what} ({error})", fix="see the run's log.txt; `edgetui doctor` checks the GPU") from None


def device_free_mib() -> float:
    """Memory of the GPU that nobody has taken, in MiB."""
    with _primary_context():
        free_bytes, _ = _cuda().mem_get_info()
    return float(free_bytes) / MIB


def open_session(found: Installation, plan: bytes, settings: TensorRtSettings, name: str) -> TrtSession:
    """Load the bytes of a plan; everything is freed again when that fails.

    Raises:
        PlanRefused: TensorRT does not take the plan.
        BackendRefused: there is not enough device memory, or an output's size is known only after an inference.
    """
    with ExitStack() as stack:
        with _in_words(f"{name} cannot be loaded"):
            session = TrtSession(found, plan, settings, name, stack)
        session.keep(stack.pop_all())
    return session


class TrtSession(Session):
    """See `base.Session`."""

    def __init__(self, found: Installation, plan: bytes, settings: TensorRtSettings, name: str, stack: ExitStack) -> None:
        """`stack` frees what was taken so far if this raises; see `open_session`."""
        self._api = found.api
        self._log = Log()
        self._error = _cuda().Error
        self._stack: ExitStack | None = None
        stack.enter_context(_primary_context())
        self._listener = logger(self._api, self._log, Monitored(lambda _: None))
        register_plugins(self._api, self._listener)
        # What TensorRT and CUDA made is held here alone: a local name would outlive the CUDA context in a traceback.
        self._held: dict[str, Any] = {"runtime": self._api.Runtime(self._listener)}
        stack.callback(self._held.pop, "runtime")
        self._deserialize(plan, name, settings.dla_core)
        stack.callback(self._held.pop, "engine")
        self._held["context"] = self.engine.create_execution_context()
        stack.callback(self._held.pop, "context")
        if not self.context:
            raise BackendRefused(f"there is not enough device memory for {name}", fix="close other programs, then try again")
        self._held["stream"] = _cuda().Stream()
        stack.callback(self._held.pop, "stream")
        self._buffers: list[Buffer] = []
        for facts, is_input in list(_tensors(self._api, self.engine)):
            self._buffers.append(self._buffer(facts, is_input, stack))
        self.inputs = tuple(b.facts for b in self._buffers if b.is_input)
        self.outputs = tuple(b.facts for b in self._buffers if not b.is_input)
        self._execute = self._executor(self.context)
        self._name, self._wants_graph = name, settings.cuda_graph
        self._whole: CudaGraph | None = None
        self._alone: CudaGraph | None = None

    def _deserialize(self, plan: bytes, name: str, dla_core: int | None) -> None:
        runtime: tensorrt.Runtime = self._held["runtime"]
        if dla_core is not None:
            runtime.DLA_core = dla_core
        engine = runtime.deserialize_cuda_engine(plan)
        if not engine:
            del runtime
            why = self._log.errors[0].strip()[:200] if self._log.errors else "it did not say why"
            raise PlanRefused(f"TensorRT cannot load {name} ({why})", fix="build it again here with `edgetui build`")
        self._held["engine"] = engine

    @property
    def _stream(self) -> Any:  # noqa: ANN401 - pycuda's
        return self._held.get("stream") or _closed()

    def keep(self, stack: ExitStack) -> None:
        """What frees everything, from last to first."""
        self._stack = stack

    def _buffer(self, facts: TensorFacts, is_input: bool, stack: ExitStack) -> Buffer:
        driver = _cuda()
        shape = tuple(int(size) for size in facts.shape if isinstance(size, int))
        if -1 in shape:
            raise BackendRefused(
                f"the size of {facts.name} is known only after an inference", fix="export the model with fixed sizes"
            )
        kind = dtype_of(facts)
        if kind is None:
            raise PlanRefused(
                f"{facts.name} holds {facts.dtype}, a type that numpy lacks",
                fix="export the model with 32-bit inputs and outputs",
            )
        with _in_words(f"memory for {facts.name}"):
            pinned = driver.pagelocked_empty((max(1, prod(shape)),), kind)
            stack.callback(pinned.base.free)
            device = driver.mem_alloc(max(1, pinned.nbytes))
            stack.callback(device.free)
        return Buffer(facts, is_input, pinned[: prod(shape)].reshape(shape), device)

    def _executor(self, context: tensorrt.IExecutionContext) -> Callable[[], bool]:
        """Asynchronous execution by tensor addresses (8.5 and later), or by a list of bindings."""
        handle = int(self._stream.handle)
        if hasattr(context, "execute_async_v3"):
            for buffer in self._buffers:
                context.set_tensor_address(buffer.facts.name, int(buffer.device))
            return lambda: bool(context.execute_async_v3(handle))
        older: Any = context
        addresses = [int(buffer.device) for buffer in self._buffers]
        return lambda: bool(older.execute_async_v2(addresses, handle))

    def run(self, feeds: Feeds) -> dict[str, NDArray[np.generic]]:
        """One inference; output name to a fresh array.

        Raises:
            DataRefused: an array of `feeds` does not fit its input, or one is missing.
            BackendRefused: the inference failed.
        """
        self._fill(feeds)
        self._once()
        return {b.facts.name: b.host.copy() for b in self._buffers if not b.is_input}

    def timed(self, feeds: Feeds) -> Callable[[], None]:
        """A call that copies `feeds` in, infers, copies out and synchronises; the context is warm when this returns.

        Where a CUDA graph is wanted it is recorded here, after one inference without it: TensorRT puts off some of its own
        setting up until then, which a graph cannot hold.

        Raises:
            DataRefused: an array of `feeds` does not fit its input, or one is missing.
        """
        self._fill(feeds)
        self._once()
        if self._wants_graph and self._whole is None and not self.remark:
            self._record()
        if self._whole is None:
            return self._once
        self._replay()
        return self._replay

    def layers(self) -> tuple[LayerFacts, ...]:
        """What is inside the plan, with the mean milliseconds of each layer."""
        zeros = {b.facts.name: np.zeros_like(b.host) for b in self._buffers if b.is_input}
        return look(self._api, self.engine, self.context, self.timed(zeros))

    def _fill(self, feeds: Feeds) -> None:
        if self._stack is None:  # the memory to be filled is gone
            _closed()
        refuse_unfit(self.inputs, feeds)
        for buffer in self._buffers:
            if buffer.is_input:
                np.copyto(buffer.host, feeds[buffer.facts.name], casting="same_kind")

    def _once(self) -> None:
        try:
            done = self._issue()
            self._stream.synchronize()
        except self._error as error:
            raise _failed(error) from None
        self._check(done)

    def _issue(self) -> bool:
        """Copies in, execution and copies out, put into the stream."""
        driver, stream = _cuda(), self._stream
        for buffer in self._buffers:
            if buffer.is_input:
                driver.memcpy_htod_async(buffer.device, buffer.host, stream)
        done = self._execute()
        for buffer in self._buffers:
            if not buffer.is_input:
                driver.memcpy_dtoh_async(buffer.host, buffer.device, stream)
        return done

    def _check(self, done: bool) -> None:
        if not done:
            why = self._log.errors[-1].strip()[:200] if self._log.errors else "it did not say why"
            raise BackendRefused(f"TensorRT could not run the plan ({why})", fix="see the run's log.txt")

    def _record(self) -> None:
        """Both graphs, the whole inference and the execution alone, or neither and a remark."""
        assert self._stack is not None
        handle = int(self._stream.handle)
        try:
            whole = record(handle, self._issue)
            self._stack.callback(whole.free)
            alone = record(handle, self._execute)
            self._stack.callback(alone.free)
        except NotRecorded as refused:
            self.remark = f"{self._name} is timed without a CUDA graph: {refused}"
            return
        self._whole, self._alone = whole, alone

    def _replay(self) -> None:
        assert self._whole is not None
        done = self._whole.launch()
        if done:
            try:
                self._stream.synchronize()
            except self._error as error:
                raise _failed(error) from None
        elif self._stack is None:
            _closed()
        self._check(done)

    def device_ms(self) -> float:
        """Milliseconds that an inference takes on the GPU without the copies, by CUDA events: the median of some.

        After `timed` or `run`; apart from them, so that events are no part of what is timed there.
        """
        driver = _cuda()
        begin, end = driver.Event(), driver.Event()
        execute = self._alone.launch if self._alone is not None else self._execute
        found = []
        with _in_words("the inference failed"):
            for _ in range(_TIMED_ALONE):
                begin.record(self._stream)
                execute()
                end.record(self._stream)
                self._stream.synchronize()
                found.append(float(end.time_since(begin)))
        return float(np.median(found))

    @property
    def engine(self) -> tensorrt.ICudaEngine:
        """TensorRT's own object, for those who look inside."""
        engine: tensorrt.ICudaEngine = self._held["engine"]
        return engine

    @property
    def context(self) -> tensorrt.IExecutionContext:
        """TensorRT's own object, for those who look inside."""
        context: tensorrt.IExecutionContext = self._held["context"]
        return context

    def plan_bytes(self) -> int | None:
        """Device memory of its activations, as the plan says; weights are not in it."""
        engine: Any = self._held["engine"]
        size = getattr(engine, "device_memory_size_v2", None)
        return int(engine.device_memory_size if size is None else size)

    def close(self) -> None:
        """Free all memory, on the host and on the device, then the context, the plan and CUDA; a second time does nothing.

        Raises:
            BackendRefused: CUDA failed in between; all is freed that can be.
        """
        if self._stack is None:
            return
        stack, self._stack = self._stack, None
        self._execute = _closed
        with _in_words(f"{self._name} could not be closed"), stack:
            self._stream.synchronize()


def _failed(error: Exception) -> BackendRefused:
    """A timed call makes this itself: a context manager would cost it microseconds."""
    return BackendRefused(f"the inference failed on the GPU ({error})", fix="see the run's log.txt; build the plan again here")


def _closed() -> bool:
    raise BackendRefused("the plan was closed", fix="load it again")


def _tensors(api: ModuleType, engine: tensorrt.ICudaEngine) -> Iterator[tuple[TensorFacts, bool]]:
    """Inputs and outputs in the plan's order: by names (8.5 and later), or by the numbers of bindings."""
    if hasattr(engine, "num_io_tensors"):
        for number in range(engine.num_io_tensors):
            name = engine.get_tensor_name(number)
            facts = TensorFacts(
                name=name, dtype=type_word(engine.get_tensor_dtype(name)), shape=sizes(engine.get_tensor_shape(name))
            )
            yield facts, engine.get_tensor_mode(name) == api.TensorIOMode.INPUT
        return
    older: Any = engine
    for number in range(older.num_bindings):
        kind = type_word(older.get_binding_dtype(number))
        facts = TensorFacts(name=older.get_binding_name(number), dtype=kind, shape=sizes(older.get_binding_shape(number)))
        yield facts, bool(older.binding_is_input(number))
