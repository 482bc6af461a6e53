"""The stages of a run: their names, their order and the keys of their outputs in the cache. Light: nothing is computed here.

A key is a hash of what goes in, the settings, and the versions that matter; equal keys mean equal outputs.
"""

from __future__ import annotations

import hashlib
import json
import os
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from .rundir import Asked
from .spec import AnyStep, QuantizeInt8, RunSpec, TrainFinetune

FORMAT = 4
"""Raised when the meaning of a stage's output changes."""
PACKAGES = ("edgetui", "numpy", "onnx", "onnxruntime", "onnxscript", "pillow")
TENSORRT = ("tensorrt", "tensorrt-rtx", "tensorrt-rtx-cu13-bindings")
"""What a plan of TensorRT is tied to, and nothing else is."""
_LIBRARIES = ("usr/lib/aarch64-linux-gnu", "usr/lib/x86_64-linux-gnu", "usr/lib64", "usr/local/lib")
TORCH = ("torch",)
"""What a step that trains, and the backend torch, are tied to, and nothing else is."""


class Stage(Struct, frozen=True, kw_only=True):
    """One stage of a run."""

    name: str
    kind: str
    """inspect, normalise, step, lower, build, verify, measure or evaluate."""
    key: str
    step: int = -1
    """Place in the recipe's active steps, for kind `step`."""


def versions() -> dict[str, str]:
    """Package versions that outputs depend on, from the installed metadata."""
    found = {}
    for name in PACKAGES + TENSORRT + TORCH:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "none"
    return found


def machine() -> str:
    """What a plan is tied to: the processor's name and abilities."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    wanted = ("model name", "flags", "Features", "CPU part")
    return "|".join(dict.fromkeys(line for line in lines if line.startswith(wanted)))


def nvidia() -> list[str]:
    """Whether a GPU is here and which TensorRT the system has, by the names of device nodes and libraries: a JetPack brings
    TensorRT without a Python package's metadata, and a driver may go.
    """
    root = Path(os.environ.get("EDGETUI_ROOT") or "/")
    nodes = [node for node in ("dev/nvidia0", "dev/nvhost-gpu", "dev/nvgpu") if (root / node).exists()]
    libraries = (path.name for folder in _LIBRARIES for path in (root / folder).glob("libnvinfer.so.*"))
    return [*nodes, *sorted(libraries)]


def stage_names(spec: RunSpec) -> list[tuple[str, str, int]]:
    """(name, kind, place in the recipe) in order. A method that occurs again gets a number."""
    found = [("inspect", "inspect", -1), ("normalise", "normalise", -1)]
    seen: dict[str, int] = {}
    for place, step in enumerate(spec.recipe.active):
        seen[step.method] = seen.get(step.method, 0) + 1
        again = seen[step.method]
        found.append((step.method if again == 1 else f"{step.method}#{again}", "step", place))
    found += [("lower", "lower", -1), ("build", "build", -1)]
    if spec.backend.target:
        return found
    found.append(("verify", "verify", -1))
    if spec.measure:
        found.append(("measure", "measure", -1))
        if spec.dataset or spec.calibration:
            found.append(("evaluate", "evaluate", -1))
    return found


def plan_stages(asked: Asked) -> tuple[Stage, ...]:
    """All stages with their keys; each key holds the one before it."""
    spec = asked.spec
    shapes = msgspec.to_builtins(spec.shapes)
    common = {name: version for name, version in asked.versions.items() if name not in TENSORRT + TORCH}
    key = _hash(FORMAT, common, asked.model_sha256, shapes)
    data = [
        asked.dataset_hash,
        asked.calibration_hash,
        msgspec.to_builtins(spec.dataset),
        msgspec.to_builtins(spec.calibration),
        spec.seed,
    ]
    backend = msgspec.to_builtins(spec.backend)
    tied = {"tensorrt": TENSORRT, "torch": TORCH}.get(spec.backend.name, ())
    here = [*(asked.versions.get(name) for name in tied), *nvidia()] if tied else []
    planned = []
    for name, kind, place in stage_names(spec):
        settings: list[object] = []
        if kind == "step":
            step = spec.recipe.active[place]
            settings = [msgspec.to_builtins(step), data if needs_samples(step) else None]
            if step.method.startswith("train."):
                settings += [asked.versions.get(name) for name in TORCH]
        elif kind == "inspect":
            settings = [
                spec.backend.name,
                here,
                spec.backend.target,
                backend["torch"] if spec.backend.name == "torch" else None,
                data[:-1],  # all but the seed: it refuses and warns of data
                [step.method for step in spec.recipe.active],
            ]
        elif kind == "lower":
            settings = [spec.backend.name, machine(), here]
        elif kind == "build":
            settings = [_built_with(backend), here]
        elif kind == "measure":
            settings = [asked.run, spec.preset, msgspec.to_builtins(spec.workload), data]
        elif kind in ("verify", "evaluate"):
            settings = [data, spec.recipe.least_cosine if kind == "verify" else None]
        own = _hash(key, name, settings)
        if kind not in ("inspect", "verify", "measure"):
            key = own
        planned.append(Stage(name=name, kind=kind, key=own, step=place))
    return tuple(planned)


def _built_with(backend: dict[str, Any]) -> dict[str, Any]:
    """Settings of a backend without those that change how a plan is run and not the plan: a build may take half an hour."""
    run_only = ("cuda_graph", "trust")
    return {**backend, "tensorrt": {key: value for key, value in backend["tensorrt"].items() if key not in run_only}}


def needs_samples(step: AnyStep) -> bool:
    """Whether a step reads calibration samples if there are any."""
    return isinstance(step, QuantizeInt8 | TrainFinetune) or step.method == "precision.fp16"


def _hash(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:24]
