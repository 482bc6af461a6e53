"""Work beside the screen: what it was for may have gone by the time it is done."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from textual.dom import DOMNode
from textual.worker import Worker


def aside(node: DOMNode, work: Callable[[], Coroutine[Any, Any, None]], group: str) -> Worker[None]:
    """Do something while the screen goes on; it ends with `node`, and the newest of a group ends the one before.

    `work` is a function, for a coroutine that was ended before it began is a warning.
    """
    return node.run_worker(work, group=group, exclusive=True)
