"""Which TensorRT this machine has and whether an NVIDIA GPU is here, by names of files and packages: nothing is imported.

The one reader of this: cards, keys of stages, the doctor and `backends/tensorrt` ask here. Whether it can be used is known to
`backends/tensorrt/installed.py` alone, which imports it.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from .root_files import system_root

PACKAGES = ("tensorrt", "tensorrt-rtx", "tensorrt-rtx-cu13-bindings")
"""By their names in the package index."""
_LIBRARIES = ("usr/lib/aarch64-linux-gnu", "usr/lib/x86_64-linux-gnu", "usr/lib64", "usr/local/lib")
_TRTEXEC = ("usr/src/tensorrt/bin/trtexec", "usr/local/tensorrt/bin/trtexec", "opt/tensorrt/bin/trtexec")
_PACKAGE_FOLDERS = ("usr/lib", "usr/local/lib")
_NODES = ("dev/nvidia0", "dev/nvhost-gpu", "dev/nvgpu")
_OLD_NODE = "dev/nvmap"
"""Boards of JetPack 4 have this one alone; drivers without a GPU have it as well, so it is in no key."""


def _root() -> Path:
    return Path(system_root() or "/")


def device_nodes() -> bool:
    """Whether the system has a node of an NVIDIA GPU. Opens nothing."""
    return any((_root() / node).exists() for node in (*_NODES, _OLD_NODE))


def fingerprint() -> list[str]:
    """Device nodes and TensorRT's libraries by name, for keys: a JetPack brings TensorRT without a Python package's metadata,
    and a driver may go.
    """
    nodes = [node for node in _NODES if (_root() / node).exists()]
    libraries = (path.name for folder in _LIBRARIES for path in (_root() / folder).glob("libnvinfer.so.*"))
    return [*nodes, *sorted(libraries)]


def packages() -> dict[str, str]:
    """Packages of TensorRT that this Python has, with their versions."""
    from importlib import metadata  # slow to import, and read by every command

    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def system_pythons() -> dict[str, str]:
    """The system's own interpreters that have TensorRT, e.g. `python3.10`, and where: JetPack binds it to them."""
    found: dict[str, str] = {}
    for base in _PACKAGE_FOLDERS:
        for folder in sorted((_root() / base).glob("python3*/dist-packages/tensorrt")):
            if re.fullmatch(r"python3(\.\d+)?", name := folder.parents[1].name):
                found.setdefault(name, f"/{base}/{name}/dist-packages/tensorrt")
    return found


def trtexec() -> Path | None:
    """TensorRT's own command: on PATH, or where JetPack puts it."""
    named = shutil.which("trtexec")
    if named:
        return Path(named)
    return next((_root() / place for place in _TRTEXEC if os.access(_root() / place, os.X_OK)), None)
