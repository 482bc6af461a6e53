"""Work beside the screen: what it was for may have gone by the time it is done."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, cast

from textual.dom import DOMNode
from textual.worker import Worker

from ..engine.errors import EdgetuiError, from_os_error
from .leaving import WIDGET_GONE, stays
from .says_refusals import SaysRefusals


def in_background(node: DOMNode, work: Callable[[], Coroutine[Any, Any, None]], group: str) -> Worker[None]:
    """Do something while the screen goes on; it ends with `node`, and the newest of a group ends the one before.

    `work` is a function, for a coroutine that was ended before it began is a warning. What cannot be read is said, and what
    fails for want of widgets that have gone with their screen is no defect.
    """

    async def attempted() -> None:
        try:
            await work()
        except (EdgetuiError, OSError) as error:
            if stays(node):
                cast("SaysRefusals", node.app).refused(error)
        except WIDGET_GONE:
            if stays(node):
                raise

    return node.run_worker(attempted, group=group, exclusive=True)


def refusal(error: EdgetuiError | OSError) -> EdgetuiError:
    """What happened, in words that have a way out: a file that was looked at may have gone, or be something else now."""
    return from_os_error(error) if isinstance(error, OSError) else error
