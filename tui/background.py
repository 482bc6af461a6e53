"""Work beside the screen: what it was for may have gone by the time it is done."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, cast

from textual.app import App
from textual.dom import DOMNode
from textual.screen import Screen
from textual.worker import Worker

from ..engine.errors import EdgetuiError, from_os_error
from .says_refusals import SaysRefusals
from .screens.safe_dismiss import WIDGET_GONE, is_open


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


def stays(node: DOMNode) -> bool:
    """Whether the screen that it stands on is open; an app has many."""
    if isinstance(node, App):
        return True
    screen = next((each for each in node.ancestors_with_self if isinstance(each, Screen)), None)
    return screen is not None and is_open(screen)


def refusal(error: EdgetuiError | OSError) -> EdgetuiError:
    """What happened, in words that have a way out: a file that was looked at may have gone, or be something else now."""
    return from_os_error(error) if isinstance(error, OSError) else error
