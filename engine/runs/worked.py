"""How long a run's own stages took, by its events.

Apart from `folder.py`: what a run of a group waits for is told nowhere, only what each of its own stages took.
"""

from __future__ import annotations

from ..schema.events import AnyEvent, RunBegan, StageBegan, StageEnded, StageFailed
from ..schema.events import decode as decode_event
from ..system.plain_files import read_plain
from .folder import RunDir

_BORDERS = tuple(
    f'{{"kind":"{kind.__struct_config__.tag}"'.encode() for kind in (RunBegan, StageBegan, StageEnded, StageFailed)
)


def worked_s(folder: RunDir, end_s: float) -> float | None:
    """Seconds of stages that were done in this run, until `end_s` of it: none of those that came from the cache, nor while it
    waited, for the board or for others of its group. A stage that a group does together counts whole. None: nothing is told.
    """
    try:
        data = read_plain(folder.path / "events.jsonl")
    except OSError:
        return None
    worked, since = 0.0, None
    for event, before_s in _borders(data):
        if isinstance(event, StageBegan):
            since = event.t
            continue
        if since is not None:
            worked += _of_stage(event, (before_s if isinstance(event, RunBegan) else event.t) - since)
        since = None
    return round(worked + (max(0.0, end_s - since) if since is not None else 0.0), 3)


def _of_stage(event: AnyEvent, span_s: float) -> float:
    """Of a stage that ends with this event: what its process took where that is told, for it may have waited for others."""
    if isinstance(event, StageEnded):
        return 0.0 if event.cached else min(span_s, event.seconds or span_s)
    return max(0.0, span_s)


def _borders(data: bytes) -> list[tuple[AnyEvent, float]]:
    """Events that begin or end a stage, and when the event before each was told. The others, hours of readings, stay unread."""
    places = []
    for letters in _BORDERS:
        at = data.find(letters)
        while at >= 0:
            places.append(at)
            at = data.find(letters, at + 1)
    found = []
    for at in sorted(places):
        event = decode_event(data[at : data.find(b"\n", at)]) if data.find(b"\n", at) > 0 else None
        if event is not None and (not at or data[at - 1 : at] == b"\n"):
            before = (
                decode_event(data[data.rfind(b"\n", 0, at - 1) + 1 : at - 1]) if at and isinstance(event, RunBegan) else None
            )
            found.append((event, before.t if before is not None else event.t))
    return found
