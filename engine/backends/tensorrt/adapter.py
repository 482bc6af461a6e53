"""TensorRT and TensorRT-RTX: plans for NVIDIA's GPUs, built and run through whichever version this Python has.

The files of this folder are all that knows TensorRT. They import it, and pycuda, inside functions.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from .... import __version__
from ...errors import ON_THE_CPU, BackendRefused, Fix, PlanRefused
from ...schema.plan import PlanFacts
from ...schema.settings import BackendSettings, TensorRtSettings
from ...schema.stamps import BackendStamp
from ...system import boards
from ...system.hashing import sha256_of
from ...system.memory import read_memory
from ...system.reporter import Reporter
from ...system.tensorrt_here import device_nodes
from ..base import Alone, Backend
from . import manifest as trt_manifest
from . import memory_limits
from .build_messages import BuildRequest
from .inspector_json import islands
from .installed import Gpu, Installation, NoGpu, detect, gpu, need_gpu
from .manifest import Manifest

if TYPE_CHECKING:
    from ..base import MakeInputs, Session
    from .session import TrtSession


class TensorRt(Backend):
    """See `base.Backend`."""

    name = "tensorrt"
    suffix = ".plan"

    def __init__(self, caches: Path | None = None) -> None:
        """`caches`: the folder of timing caches, a file for each board and version; None: none are kept."""
        self._caches = caches
        self._loaded: list[TrtSession] = []
        """Sessions of this process, open or closed; they know whether a CUDA graph was refused."""

    def check(self, settings: BackendSettings, *, execute: bool) -> None:
        """Refuse early what cannot be done here.

        Raises:
            BackendRefused: no TensorRT, no GPU to run on, or one that this TensorRT does not run on.
        """
        found = detect(settings.tensorrt.target)
        if found.out_of_process:
            if not device_nodes():
                raise BackendRefused("there is no NVIDIA GPU for trtexec here", fix=("run it where there is one", ON_THE_CPU))
            return
        if settings.tensorrt.target and not execute:
            return
        here = need_gpu() if execute else gpu()
        if isinstance(here, NoGpu):
            raise BackendRefused(
                f"there is no GPU here to build for ({here.why})",
                fix=Fix("name one, e.g. {}", "target", "sm_86")
                if found.builds_for_others
                else ("build on the board itself", Fix("install TensorRT-RTX and name a GPU, e.g. {}", "target", "sm_86")),
            )
        refused = None if settings.tensorrt.target else found.refuse(here.target)
        if refused is not None:
            raise refused

    def stamp(self, settings: BackendSettings) -> BackendStamp:
        """Which TensorRT, on what, for the result.

        Raises:
            BackendRefused: there is none.
        """
        asked = settings.tensorrt
        found = detect(asked.target)
        here = gpu()
        on = f"built for {asked.target}" if asked.target else f"{here.name} {here.target}" if isinstance(here, Gpu) else ""
        target = asked.target or (here.target if isinstance(here, Gpu) else "")
        targets = (target,) if target else ()
        words = [found.label, on, trt_manifest.tf32_word(asked, targets)]
        if asked.optimization_level is not None:
            words.append(f"optimisation level {asked.optimization_level}")
        if asked.cuda_graph and not asked.target:
            words.append("CUDA graph" if self._records(found) else "no CUDA graph")
        return BackendStamp(
            name=self.name,
            version=found.version,
            provider=", ".join(filter(None, words)),
            tf32=trt_manifest.tf32(asked, targets),
        )

    def _records(self, found: Installation) -> bool:
        if found.out_of_process:
            from .trtexec_options import records_graphs

            return records_graphs(found.api.command)
        return not any(session.remark for session in self._loaded)

    @property
    def out_of_process(self) -> bool:
        """See `base.Backend`. Asked once and kept: it does not change in a process."""
        return detect().out_of_process

    def target(self) -> str:
        """`tensorrt`, or `tensorrt-flags` before strong typing: precisions are then said by builder flags, not in the graph.

        Raises:
            BackendRefused: there is no TensorRT.
        """
        return "tensorrt" if detect().strongly_typed else "tensorrt-flags"

    def reader(self, settings: BackendSettings) -> str | None:
        """What `graph.lint` calls the TensorRT that will read the model.

        Raises:
            BackendRefused: there is no TensorRT.
        """
        return "tensorrt-rtx" if detect(settings.tensorrt.target).rtx else self.target()

    def build(self, onnx: Path, out: Path, settings: BackendSettings, say: Reporter) -> str:
        """Write the plan of `onnx` to `out` and its manifest beside it.

        Raises:
            BackendRefused: TensorRT refuses the model, or memory does not suffice; the message names the node.
            RunFailed: TensorRT crashed.
            OSError: the plan cannot be written.
        """
        asked = settings.tensorrt
        found = detect(asked.target)
        here = None if asked.target else gpu()
        device = here if isinstance(here, Gpu) else None
        cache = self._cache(found, device) if asked.timing_cache else None
        asked = msgspec.structs.replace(asked, sparse=_sparse(onnx, asked, say))
        request = BuildRequest(
            onnx=str(onnx),
            out=str(out),
            module=found.module,
            settings=asked,
            here=device.target if device else "",
            cache=str(cache) if cache is not None else "",
        )
        say.note(f"building {onnx.name} with {found.label}" + (f" for {asked.target}" if asked.target else ""))
        built, limits = memory_limits.build_with_retries(request, None if asked.target else free_mib(device), say)
        board = boards.detect()
        trt_manifest.write(
            Manifest(
                edgetui=__version__,
                module="tensorrt_rtx" if found.rtx else "tensorrt",
                tensorrt=found.version,
                cuda=device.cuda if device else None,
                targets=(asked.target,) if asked.target else (device.target,) if device else (),
                gpu=device.name if device else "",
                board=board.name,
                os=board.os,
                onnx_sha256=sha256_of([onnx]),
                plan_sha256=sha256_of([out]),
                settings=limits.within(asked),
                precision=built.precision,
                inputs=built.inputs,
                outputs=built.outputs,
                layers=built.layers,
                dla_layers=built.dla_layers,
                sparse_layers=built.sparse_layers,
            ),
            out,
        )
        if asked.target:
            say.warn(f"the plan is for {asked.target} and is not run here: copy it with its .json to that machine")
        sparse = ", 2:4 sparse kernels allowed" if asked.sparse else ""
        return f"plan of {out.stat().st_size / 1e6:.2f} MB from {built.layers} layers, {built.precision}{sparse}"

    def describe(self, plan: Path) -> PlanFacts:
        """With what its manifest says."""
        manifest = trt_manifest.read(plan)
        known = msgspec.structs.replace(super().describe(plan), built=trt_manifest.facts_in_words(manifest, plan))
        return msgspec.structs.replace(known, inputs=manifest.inputs, outputs=manifest.outputs) if manifest else known

    def look_inside(self, plan: Path, settings: BackendSettings, inputs: MakeInputs, alone: Alone) -> PlanFacts:
        """By its inspector and profiler; a CUDA graph would hide the layers from them."""
        del inputs
        known = self.describe(plan)
        plain = msgspec.structs.replace(settings, tensorrt=TensorRtSettings(trust=settings.tensorrt.trust))
        try:
            session = self.load(plan, plain)
        except (BackendRefused, PlanRefused) as error:
            return known.without_layers(error.refusal)
        try:
            with alone():
                layers = session.layers()
            slow = islands(layers)
            return msgspec.structs.replace(
                known,
                inputs=session.inputs,
                outputs=session.outputs,
                layers=tuple(msgspec.structs.replace(layer, island=layer in slow) for layer in layers),
                islands=len(slow),
                device_bytes=session.plan_bytes(),
            )
        finally:
            session.close()

    def refuse_plan(self, plan: Path, settings: BackendSettings) -> None:
        """Refuse what does not fit this machine, by what stands beside it.

        Raises:
            PlanRefused: so it is, or edgetui did not build it and `trust` is off.
            BackendRefused: no TensorRT, or no GPU.
        """
        found = detect()
        trt_manifest.check(plan, found, None if found.out_of_process else need_gpu(), trust=settings.tensorrt.trust)

    def load(self, plan: Path, settings: BackendSettings, *, cooperative: bool = False) -> Session:
        """Load a plan that fits this machine. `cooperative` changes nothing: a stream that waits keeps nothing busy.

        Raises:
            PlanRefused: it does not fit, or edgetui did not build it and `trust` is off.
            BackendRefused: no TensorRT, no GPU, or no memory for it.
        """
        del cooperative
        found = detect()
        if found.out_of_process:
            return self._by_command(plan, found, settings.tensorrt)
        self.refuse_plan(plan, settings)
        from .session import open_session

        session = open_session(found, trt_manifest.content(plan), settings.tensorrt, plan.name)
        self._loaded.append(session)
        return session

    def _by_command(self, plan: Path, found: Installation, asked: TensorRtSettings) -> Session:
        from .trtexec import TrtExecSession

        manifest = trt_manifest.check(plan, found, None, trust=asked.trust)
        if manifest is None:
            raise PlanRefused(
                f"{plan.name} has no manifest, and trtexec does not tell a plan's inputs", fix="build it with `edgetui build`"
            )
        return TrtExecSession(found.api.command, plan, manifest.inputs, manifest.outputs, cuda_graph=asked.cuda_graph)

    def _cache(self, found: Installation, device: Gpu | None) -> Path | None:
        """One file for each board and version: Orins have one architecture, but not one clock nor one memory bus. TensorRT-RTX
        times nothing when it builds, so it keeps none.
        """
        if self._caches is None or found.rtx or (device is None and not found.out_of_process):
            return None
        board = boards.detect()
        place = board.name if board.jetson or device is None else device.name
        words = [found.version, re.sub(r"[^a-z0-9]+", "-", place.lower()).strip("-"), device.target if device else ""]
        return self._caches / f"tensorrt-{'-'.join(filter(None, words))}.cache"


def _sparse(onnx: Path, asked: TensorRtSettings, say: Reporter) -> bool:
    """Whether sparse kernels may be used: what the settings say, else what the weights are."""
    if asked.sparse is not None:
        return asked.sparse
    from ...graph.pattern import two_of_four

    count = two_of_four(onnx)
    if count:
        say.note(f"{count} weights have two zeros in every four: 2:4 sparse kernels are allowed")
    return bool(count)


def free_mib(device: Gpu | None) -> float | None:
    """Memory that a build may have: the system's on a Jetson, whose GPU has none of its own; else the GPU's; None: no GPU."""
    if boards.detect().jetson:
        return read_memory().available_mib
    if device is None:
        return None
    from .session import device_free_mib

    return device_free_mib()
