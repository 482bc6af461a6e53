"""Load one plan of the backend NAME alone in this process, and print what that cost as JSON: a `Task` on standard input. What
is refused is printed instead, with exit status 1.

An empty line says that all is imported; then it waits for the task, as only one plan is loaded at a time. It reads no data and
no run: each import more is one that every run waits for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from ..backends.base import Backend, Session
from ..backends.cards import adapter_of, open_backend
from ..errors import EdgetuiError
from ..measure.probe import probe
from ..schema.escalation import RULE
from ..schema.figures import Metrics
from ..schema.ready import ready
from ..schema.settings import BackendSettings
from ..system.parent_death import die_with_parent


class Feed(Struct, frozen=True, kw_only=True):
    """One input's array."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """numpy's, byte order included; `object`: texts."""
    data: bytes = b""
    texts: tuple[str, ...] = ()


class Task(Struct, frozen=True, kw_only=True):
    """What is to be loaded and inferred."""

    home: str
    plan: str
    settings: BackendSettings
    feeds: tuple[Feed, ...]


def packed(feeds: Mapping[str, NDArray[np.generic]]) -> tuple[Feed, ...]:
    """Arrays as they go over a pipe."""
    return tuple(_packed(name, array) for name, array in feeds.items())


def _packed(name: str, array: NDArray[np.generic]) -> Feed:
    if array.dtype.kind in "OU":
        return Feed(name=name, shape=array.shape, dtype="object", texts=tuple(str(text) for text in array.ravel()))
    return Feed(name=name, shape=array.shape, dtype=array.dtype.str, data=array.tobytes())


def unpacked(feeds: tuple[Feed, ...]) -> dict[str, NDArray[np.generic]]:
    """What `packed` took."""
    flat = {
        feed.name: np.array(feed.texts, object) if feed.dtype == "object" else np.frombuffer(feed.data, feed.dtype).copy()
        for feed in feeds
    }
    return {feed.name: flat[feed.name].reshape(feed.shape) for feed in feeds}


def _loader(backend: Backend, plan: Path, settings: BackendSettings) -> Callable[[], Session] | None:
    """What loads two plans that are one, imported before the clock starts; None: the backend loads the plan."""
    if plan.name != RULE:
        return None
    from .two_plans import load_plan  # with decoders, which no other plan needs

    return partial(load_plan, backend, plan, settings)


def main() -> int:
    """Probe; 0 when figures were printed."""
    die_with_parent()
    adapter_of(sys.argv[1])
    fd = os.dup(1)
    os.dup2(2, 1)
    os.write(fd, b"\n")
    given = sys.stdin.buffer.read()
    if not given:
        return 1
    task = msgspec.msgpack.decode(given, type=ready(Task))
    try:
        backend, plan = open_backend(task.settings, Path(task.home)), Path(task.plan)
        found = probe(backend, plan, task.settings, unpacked(task.feeds), _loader(backend, plan, task.settings))
    except EdgetuiError as error:
        os.write(fd, msgspec.json.encode(error.refusal))
        return 1
    os.write(fd, msgspec.json.encode(Metrics(load_ms=found.load_ms, first_ms=found.first_ms, memory_mb=found.memory)))
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # nobody waits for Python to be taken down
