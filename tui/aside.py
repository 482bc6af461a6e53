"""Work beside the screen: what it was for may have gone by the time it is done."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from textual.app import App
from textual.dom import DOMNode
from textual.worker import Worker

from ..engine.errors import EdgetuiError, from_os_error
from .flags import rows_for_flags
from .screens.leaving import GONE, stands


def aside(node: DOMNode, work: Callable[[], Coroutine[Any, Any, None]], group: str) -> Worker[None]:
    """Do something while the screen goes on; it ends with `node`, and the newest of a group ends the one before.

    `work` is a function, for a coroutine that was ended before it began is a warning.
    """
    return node.run_worker(work, group=group, exclusive=True)


def refusal(error: EdgetuiError | OSError) -> EdgetuiError:
    """What happened, in words that have a way out: a file that was looked at may have gone, or be something else now."""
    return from_os_error(error) if isinstance(error, OSError) else error


class AsideApp(App[int]):
    """An app that asks beside the screen, and says what went wrong there."""

    def complain(self, error: EdgetuiError) -> None:
        """Say what happened and what to do."""
        self.notify(f"error: {rows_for_flags(str(error))}", severity="error", timeout=8, markup=False)

    def attempt(self, work: Callable[[], Coroutine[Any, Any, None]], group: str) -> None:
        """Do something with the engine beside the screen; the newest of a group ends the one before."""
        screen = self.screen

        async def attempted() -> None:
            try:
                await work()
            except (EdgetuiError, OSError) as error:
                self.complain(refusal(error))
            except GONE:
                # the answer came after the screen that had asked was left: there is nothing to show it on
                if stands(screen):
                    raise

        aside(self, attempted, group)
