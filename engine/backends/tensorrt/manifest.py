"""What built a plan, beside it as `PLAN.json`: a plan of another TensorRT, another GPU or an unknown hand is not loaded.

It is read without TensorRT and without a GPU: `edgetui inspect PLAN` shows it anywhere.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from ...errors import Fix, PlanRefused, from_os_error
from ...schema.model_facts import TensorFacts
from ...schema.ready import ready
from ...schema.settings import TensorRtSettings
from ...system.hashing import sha256_of
from .card import CARD
from .installed import Gpu, Installation

_REBUILD = "build it again here: edgetui build MODEL --recipe R --backend tensorrt --out DIR"


class Manifest(Struct, frozen=True, kw_only=True):
    """Who built a plan, from what, for what."""

    format: int = 1
    edgetui: str
    module: str
    """`tensorrt` or `tensorrt_rtx`: their plans do not fit each other."""
    tensorrt: str
    """Its version."""
    cuda: str | None = None
    targets: tuple[str, ...] = ()
    """GPUs it runs on, e.g. `sm_87`; empty: not known."""
    gpu: str = ""
    """The GPU it was built on; empty: none was there."""
    board: str = ""
    os: str = ""
    """With JetPack's version on a Jetson."""
    onnx_sha256: str = ""
    plan_sha256: str = ""
    settings: TensorRtSettings = TensorRtSettings()
    """With the memory limits of the try that built it."""
    precision: str = ""
    inputs: tuple[TensorFacts, ...] = ()
    outputs: tuple[TensorFacts, ...] = ()
    layers: int | None = None
    """Of the network that was built; the plan fuses them."""
    dla_layers: int | None = None
    sparse_layers: int | None = None


_decoder = msgspec.json.Decoder(ready(Manifest))


def beside(plan: Path) -> Path:
    """Where the manifest of a plan lies."""
    return plan.with_name(plan.name + CARD.beside_plans[0])


def write(manifest: Manifest, plan: Path) -> None:
    """Put it beside the plan.

    Raises:
        OSError: it cannot be written.
    """
    beside(plan).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")


def read(plan: Path) -> Manifest | None:
    """The manifest of a plan; None: there is none that we understand."""
    try:
        return _decoder.decode(beside(plan).read_bytes())
    except (OSError, msgspec.DecodeError):
        return None


def facts_in_words(manifest: Manifest | None, plan: Path) -> dict[str, str]:
    """What is known of who built a plan, for people; what is not known is left out."""
    if manifest is None:
        told = ultralytics(plan) or {}
        return {"exported by": "Ultralytics", **{key: str(value) for key, value in told.items()}} if told else {}
    found = {
        "built with": f"{'TensorRT-RTX' if manifest.module == 'tensorrt_rtx' else 'TensorRT'} {manifest.tensorrt}",
        "for": ", ".join(manifest.targets),
        "on": ", ".join(filter(None, (manifest.board, manifest.gpu, manifest.os))),
        "precision": manifest.precision,
        "FP32 layers": tf32_word(manifest.settings, manifest.targets),
        "CUDA": manifest.cuda or "",
        "from ONNX": manifest.onnx_sha256[:12],
        "DLA layers": "" if manifest.dla_layers is None else f"{manifest.dla_layers} of {manifest.layers}",
        "2:4 sparse kernels": "allowed" if manifest.settings.sparse else "",
        "sparse layers": "" if manifest.sparse_layers is None else str(manifest.sparse_layers),
    }
    return {key: value for key, value in found.items() if value}


def tf32(settings: TensorRtSettings, targets: tuple[str, ...]) -> bool | None:
    """Whether FP32 layers may multiply with TF32; None: these GPUs are from before Ampere (sm_80) and have none."""
    able = not targets or any(int(target.removeprefix("sm_")) >= 80 for target in targets)
    return settings.tf32 if able else None


def tf32_word(settings: TensorRtSettings, targets: tuple[str, ...]) -> str:
    """The same in words: `TF32 allowed` or `no TF32`."""
    return "TF32 allowed" if tf32(settings, targets) else "no TF32"


def content(plan: Path) -> bytes:
    """The bytes for TensorRT: without the metadata that Ultralytics writes before them.

    Raises:
        PlanRefused: the plan is missing, empty, or cannot be read.
    """
    try:
        data = plan.read_bytes()
    except FileNotFoundError:
        raise PlanRefused(f"{plan} is not there", fix=_REBUILD) from None
    except OSError as error:
        raise from_os_error(error) from None
    if not data:
        raise PlanRefused(f"{plan.name} is empty", fix=_REBUILD)
    _, start = _prefix(data)
    return data[start:]


def ultralytics(plan: Path) -> dict[str, Any] | None:
    """The metadata that Ultralytics wrote before a plan; None: it did not make it."""
    with plan.open("rb") as file:
        head = file.read(4)
        length = int.from_bytes(head, "little")
        return _prefix(head + file.read(length))[0] if 2 <= length <= 1 << 20 else None


def _prefix(data: bytes) -> tuple[dict[str, Any] | None, int]:
    """Ultralytics' JSON and where the plan begins: four bytes of length, little-endian, then that much JSON."""
    length = int.from_bytes(data[:4], "little")
    if not 2 <= length <= len(data) - 4 or data[4:5] != b"{":
        return None, 0
    try:
        found = json.loads(data[4 : 4 + length])
    except ValueError:
        return None, 0
    return found, 4 + length


def check(plan: Path, found: Installation, gpu: Gpu | None, *, trust: bool) -> Manifest | None:
    """The manifest of a plan that fits this machine; None: it has none and is trusted. `gpu`: None where nobody can ask it.

    Raises:
        PlanRefused: it does not fit, was changed, or nobody knows who built it.
    """
    manifest = read(plan)
    if manifest is None:
        if trust:
            return None
        raise PlanRefused(
            f"edgetui did not build {plan.name}, and a plan can do whatever a program can",
            fix=(Fix("if you trust whoever built it, say {}", "trust"), _REBUILD),
        )
    kind = "tensorrt_rtx" if found.rtx else "tensorrt"
    reason = ""
    if manifest.module != kind:
        reason = f"for {manifest.module}, and this is {kind}"
    elif manifest.tensorrt != found.version:
        reason = f"with TensorRT {manifest.tensorrt}, and this is {found.version}"
    elif gpu is not None and manifest.targets and gpu.target not in manifest.targets:
        reason = f"for {', '.join(manifest.targets)}, and this GPU is {gpu.target} ({gpu.name})"
    if reason:
        raise PlanRefused(f"{plan.name} was built {reason}", fix=_REBUILD)
    try:
        digest = sha256_of([plan])
    except FileNotFoundError:
        raise PlanRefused(f"{plan} is not there", fix=_REBUILD) from None
    except OSError as error:
        raise from_os_error(error) from None
    if manifest.plan_sha256 != digest:
        raise PlanRefused(f"{plan.name} is not the file of its manifest: the checksum differs", fix=_REBUILD)
    return manifest
