"""A model loaded by the backend torch: inference on the CPU, or on a GPU with its copies.

Apart from `adapter.py`, which knows files and settings; here are tensors alone, and PyTorch is handed in.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from ...errors import ON_THE_CPU, BackendRefused, DataRefused, EdgetuiError, ModelRefused, PlanRefused, RunFailed, first_line
from ...graph.shapes import facts
from ...graph.walk import real_inputs
from ...network.call import Hints, ran_out_of_memory
from ...network.deployed import Deployed, deployed
from ...schema.model_facts import TensorFacts
from ..base import Session
from ..feeds import refuse_names
from . import compilation

if TYPE_CHECKING:
    from torch import Tensor

    from ..base import Feeds

HINTS = Hints(("export the model without it", ON_THE_CPU), out_of_memory="close other programs, or take a smaller input")
_DTYPES: dict[str, np.dtype[Any]] = {
    "float": np.dtype("float32"),
    "double": np.dtype("float64"),
    **{name: np.dtype(name) for name in ("float16", "int8", "uint8", "int16", "int32", "int64", "bool")},
}
_ALONE = 20
"""Inferences on the GPU that are timed without copies."""


class TorchSession(Session):
    """See `base.Session`."""

    def __init__(self, torch: ModuleType, model: ModelProto, device: str, *, compiled: bool) -> None:
        inputs = set(real_inputs(model.graph))
        self.inputs = tuple(facts(value) for value in model.graph.input if value.name in inputs)
        self.outputs = tuple(facts(value) for value in model.graph.output)
        self._torch, self._gpu = torch, device == "cuda"
        example = {tensor.name: _zeros(torch, tensor) for tensor in self.inputs}
        before = torch.cuda.memory_allocated() if self._gpu else 0
        module: Deployed = deployed(model, example, device, HINTS)
        self.nodes = module.nodes
        on = [example[tensor.name].to(device) for tensor in self.inputs]
        self._infer: Callable[..., tuple[Tensor, ...]] | None = compilation.compiled(torch, module, on) if compiled else module
        if self._gpu:
            torch.cuda.reset_peak_memory_stats()  # trying kernels is no part of the plan
        with torch.inference_mode():
            self._infer(*on)
        self._bytes = None
        if self._gpu:
            torch.cuda.synchronize()
            self._bytes = torch.cuda.max_memory_allocated() - before
        self._last: list[Tensor] = on

    def run(self, feeds: Feeds) -> dict[str, NDArray[np.generic]]:
        """One inference; output name to a fresh array.

        Raises:
            DataRefused: an array of `feeds` does not fit its input, or one is missing.
            BackendRefused, RunFailed: the inference failed.
        """
        device = "cuda" if self._gpu else "cpu"
        given = [tensor.to(device) for tensor in self._tensors(feeds)]
        assert self._infer is not None
        with translated_errors(), self._torch.inference_mode():
            made = self._infer(*given)
            arrays = [_array(self._torch, one) for one in made]
        self._last = given
        return dict(zip((tensor.name for tensor in self.outputs), arrays, strict=True))

    def timed(self, feeds: Feeds) -> Callable[[], None]:
        """A call that makes one inference on `feeds`. On a GPU: copies to it from pinned memory, the module, copies back, and a
        wait for the end; all buffers are made here.

        Raises:
            DataRefused: an array of `feeds` does not fit its input, or one is missing.
        """
        given = self._tensors(feeds)
        assert self._infer is not None
        mode, infer = self._torch.inference_mode, self._infer
        if not self._gpu:

            def once() -> None:
                with mode():
                    infer(*given)

        else:
            once = self._on_gpu(given)
        with translated_errors():
            once()
        return once

    def _on_gpu(self, given: list[Tensor]) -> Callable[[], None]:
        assert self._infer is not None
        torch, infer = self._torch, self._infer
        pinned = [tensor.pin_memory() for tensor in given]
        there = [tensor.to("cuda") for tensor in given]
        with torch.inference_mode():
            back = [torch.empty(one.shape, dtype=one.dtype, pin_memory=True) for one in infer(*there)]
        self._last = there
        stream = torch.cuda.current_stream()

        def once() -> None:
            with torch.inference_mode():
                for to, source in zip(there, pinned, strict=True):
                    to.copy_(source, non_blocking=True)
                for to, source in zip(back, infer(*there), strict=True):
                    to.copy_(source, non_blocking=True)
                stream.synchronize()

        return once

    def plan_bytes(self) -> int | None:
        """On a GPU what PyTorch's allocator gave for weights and one inference, at most; None: on the CPU it does not say."""
        return self._bytes

    def device_ms(self) -> float | None:
        """On a GPU the median of some inferences without copies, by CUDA events; None: the CPU computes where the data are. A
        small model's kernels wait for Python to launch them, and so does this figure: it can be as long as the latency.

        After `timed` or `run`, on what they were given last.
        """
        if not self._gpu or self._infer is None:
            return None
        torch, found = self._torch, []
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        with torch.inference_mode():
            for _ in range(_ALONE):
                begin.record()
                self._infer(*self._last)
                end.record()
                end.synchronize()
                found.append(float(begin.elapsed_time(end)))
        return statistics.median(found)

    def close(self) -> None:
        """Drop the module, and give the GPU's memory back; what torch.compile keeps of a model goes with the process."""
        self._infer = None
        self._last = []
        if self._gpu:
            self._torch.cuda.empty_cache()

    def _tensors(self, feeds: Feeds) -> list[Tensor]:
        if self._infer is None:
            raise BackendRefused("the plan was closed", fix="load it again")
        refuse_names(self.inputs, feeds)
        found = []
        for tensor in self.inputs:
            array = feeds[tensor.name]
            if tuple(array.shape) != tensor.shape:
                raise DataRefused(
                    f"input {tensor.name} is {list(array.shape)} where the model wants {list(tensor.shape)}",
                    fix="give samples of the model's own shape",
                )
            if array.dtype != _DTYPES[tensor.dtype]:
                raise DataRefused(
                    f"input {tensor.name} is given as {array.dtype} where the model wants {tensor.dtype}",
                    fix="give samples of that type",
                )
            found.append(self._torch.from_numpy(np.array(array)))
        return found


def _zeros(torch: ModuleType, tensor: TensorFacts) -> Tensor:
    kind = _DTYPES.get(tensor.dtype)
    if kind is None:
        raise ModelRefused(f"input {tensor.name} is of type {tensor.dtype}", fix="export with numbers as inputs")
    sizes = [size for size in tensor.shape if isinstance(size, int)]
    if len(sizes) < len(tensor.shape):
        raise PlanRefused(
            f"input {tensor.name} has axes without a size",
            fix="build it with `edgetui build --backend torch --shape NAME=1x3x224x224`",
        )
    made: Tensor = torch.from_numpy(np.zeros(sizes, kind))
    return made


def _array(torch: ModuleType, made: Tensor) -> NDArray[np.generic]:
    """A fresh array; numpy has no bfloat16."""
    on_host = made.cpu()
    return np.array((on_host.float() if on_host.dtype == torch.bfloat16 else on_host).numpy())


@contextmanager
def translated_errors() -> Iterator[None]:
    """What PyTorch raises, as an error that a person can act on."""
    try:
        yield
    except EdgetuiError:
        raise
    except Exception as error:
        # PyTorch raises RuntimeError and subclasses of it for all that a device cannot do.
        text = first_line(error)
        if ran_out_of_memory(error):
            raise RunFailed("memory ran out in PyTorch", fix=HINTS.out_of_memory) from None
        raise BackendRefused(f"PyTorch cannot execute the model ({text})", fix=("export it again", ON_THE_CPU)) from error
