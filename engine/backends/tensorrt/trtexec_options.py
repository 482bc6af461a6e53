"""Which version a `trtexec` is and which options it has, from its own help: asked before anything is built with it."""

from __future__ import annotations

import enum
import functools
import re
from pathlib import Path
from types import ModuleType

from ...errors import ON_THE_CPU, BackendRefused
from ...system import commands

_LONGEST_HELP_S = 30


@functools.cache
def options(command: Path) -> tuple[str, frozenset[str]]:
    """(version, names of options) of a trtexec, from its help.

    Raises:
        OSError: it cannot be started.
        BackendRefused: it gives no answer.
    """
    status, text = commands.run([str(command), "--help"], _LONGEST_HELP_S, errors=True)
    if status is None:
        raise BackendRefused(
            f"`{command} --help` gives no answer within {_LONGEST_HELP_S:g} s",
            fix=("end what uses the GPU", ON_THE_CPU),
        )
    number = re.search(r"TensorRT v(\d+)", text)
    return _version(int(number[1])) if number else "unknown", frozenset(re.findall(r"--(\w+)", text))


def records_graphs(command: Path) -> bool:
    """Whether it can time inferences as a CUDA graph; where it cannot record one, it says so in its log and goes on without.

    Raises:
        OSError: it cannot be started.
    """
    return "useCudaGraph" in options(command)[1]


def _version(number: int) -> str:
    """`8502` is 8.5.2; from 10 on `100300` is 10.3.0."""
    major, minor = (number // 10000, number // 100 % 100) if number >= 100000 else (number // 1000, number // 100 % 10)
    return f"{major}.{minor}.{number % 100}"


def as_module(command: Path) -> tuple[ModuleType, str]:
    """What answers the questions that are asked of TensorRT's module by name, and the version."""
    version, known = options(command)
    api = ModuleType("trtexec")
    names = ["STRONGLY_TYPED"] if "stronglyTyped" in known else ["EXPLICIT_BATCH"]
    vars(api)["NetworkDefinitionCreationFlag"] = enum.IntEnum("NetworkDefinitionCreationFlag", names)
    vars(api)["command"] = command
    return api, version
