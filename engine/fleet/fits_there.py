"""Whether plans will load on a machine, as far as it says what it is: by the manifest beside a plan of TensorRT, and by the
processor that ONNX Runtime's plan was made for. Nothing is executed there.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..backends.tensorrt import manifest as manifests
from ..backends.tensorrt.manifest import Manifest
from ..system.boards import TARGETS

Facts = Mapping[str, Sequence[str]]
"""As `far_folder.FarLook.facts`."""


def misfits(plan: Path, facts: Facts, where: str) -> Iterator[str]:
    """Why a plan will not load there, each in a sentence without a full stop; nothing where it fits or where nobody knows."""
    manifest = manifests.read(plan)
    if manifest is not None:
        yield from _of_tensorrt(plan.name, manifest, facts, where)
        return
    machine = next(iter(facts.get("machine", ())), "")
    if machine and machine != platform.machine():
        yield (
            f"{plan.name} was made for this machine's processor ({platform.machine()}), and {where} it is {machine}: use the "
            "lowered file, from which a plan is made there"
        )


def _of_tensorrt(name: str, manifest: Manifest, facts: Facts, where: str) -> Iterator[str]:
    gpus = targets_of(facts)
    if gpus and manifest.targets and not set(gpus) & set(manifest.targets):
        yield f"{name} was built for {', '.join(manifest.targets)}, and the GPU {where} is {gpus[0]}: it will not load there"
    versions = sorted({version for text in facts.get("nvinfer", ()) if (version := _version(text))})
    if versions and manifest.module == "tensorrt" and not any(_same(manifest.tensorrt, version) for version in versions):
        there = ", ".join(versions)
        yield f"{name} was built with TensorRT {manifest.tensorrt}, and {where} it is {there}: it will not load there"


def targets_of(facts: Facts) -> tuple[str, ...]:
    """GPUs as plans name them (`sm_87`), of a machine that says its chip or its GPU's capability; several where a chip's was
    renamed.
    """
    compatible = " ".join(facts.get("compatible", ()))
    chips = [target for chip, named in TARGETS.items() if chip in compatible for target in named]
    return (*chips, *(f"sm_{text.replace('.', '')}" for text in facts.get("gpu", ()) if text.replace(".", "").isdigit()))


def _version(library: str) -> str:
    """`10.3.0` of `libnvinfer.so.10.3.0`; empty: the name has less."""
    text = library.removeprefix("libnvinfer.so.")
    return text if text.count(".") >= 2 else ""


def _same(built: str, there: str) -> bool:
    """Versions of a package may have a fourth part that the library's name has not."""
    return built.split(".")[:3] == there.split(".")[:3]
