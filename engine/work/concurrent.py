"""Batches through sessions, as many at once as they bear; answers come in the order of the batches. Part of the pipeline."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from ..backends.base import Session
from ..data.samples import Array, Batch

_Answers = list[dict[str, Array]]
"""Outputs of each session."""


def infer_all(sessions: tuple[Session, ...], batches: Iterator[Batch]) -> Iterator[tuple[Batch, _Answers]]:
    """Each batch and what the sessions make of it, in the order of the batches; a few are ahead, never all.

    Where the sessions bear several at once, as many batches are inferred at once; else the next one is read meanwhile.
    """
    at_once = min(session.max_concurrency for session in sessions)
    if at_once == 1:
        for part in _read_ahead(batches):
            yield part, _infer(sessions, part)
        return
    waiting: deque[tuple[Batch, Future[_Answers]]] = deque()
    with ThreadPoolExecutor(at_once) as pool:
        for part in batches:
            waiting.append((part, pool.submit(_infer, sessions, part)))
            if len(waiting) >= 2 * at_once:
                done, answers = waiting.popleft()
                yield done, answers.result()
        for done, answers in waiting:
            yield done, answers.result()


def _infer(sessions: tuple[Session, ...], part: Batch) -> _Answers:
    return [session.run(part.feeds) for session in sessions]


def _read_ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, batches, None)
        while (part := coming.result()) is not None:
            coming = reader.submit(next, batches, None)
            yield part
