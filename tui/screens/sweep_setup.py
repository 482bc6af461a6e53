"""The form of a new sweep: what it goes over, a row each, and the wish; refused while it is still on screen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Label, Static

from ...engine.advice.sweep_answer import parse_want
from ...engine.errors import EdgetuiError
from ...engine.front.sweep_words import counts, devices, rounds, setting
from ..background import in_background, refusal
from ..fix_words import on_screen
from .dialog import Dialog
from .safe_dismiss import dismiss_once


class FormRow(NamedTuple):
    """One line that is typed."""

    name: str
    """As the command line has the flag."""
    help: str
    example: str
    check: Callable[[str], object] = str
    """Raises why what is typed cannot be, as far as that is told by the words alone."""


def _each_setting(text: str) -> None:
    for each in text.split():
        setting(each)


ROWS = (
    FormRow("want", "limits: the cheapest row within them is the answer", "fps>=30 power_w<=12", parse_want),
    FormRow("modes", "power modes by name or number, all, or none: the mode stays as it is", "15W,25W"),
    FormRow("batch", "batches with commas between, of a model that has its batch free", "1,2,4", partial(counts, flag="batch")),
    FormRow("streams", "how many infer with the plan at once", "1,2", partial(counts, flag="streams")),
    FormRow("threads", "threads inside an operator", "1,2,4", partial(counts, flag="threads")),
    FormRow("device", "where TensorRT builds for (gpu, dla0, dla1), or PyTorch computes (cpu, cuda)", "gpu,dla0", devices),
    FormRow(
        "set",
        "settings of the backend, each with its values, a space between them",
        "graph=all,basic cuda_graph=on,off",
        _each_setting,
    ),
    FormRow("rounds", "how often each row is measured, 2 to 20; where two rows are alike there are more", "5", rounds),
)
KEYS = "enter says how long it takes     tab next row     esc leave it"


class SweepSetup(Dialog[None]):
    """Enter hands over what stands in the rows, and closes when that is taken; escape closes.

    What its words alone tell to be wrong is said as it is typed. What is taken is looked at by the engine, so a refusal comes a
    moment later; both are shown below the rows.
    """

    DEFAULT_CSS = """
    SweepSetup { align: center middle; }
    SweepSetup > Vertical { width: 80; max-width: 100%; height: auto; border: round $accent; padding: 0 1; }
    SweepSetup > Vertical { background: $surface; }
    SweepSetup Horizontal { height: 1; }
    SweepSetup Label { width: 10; color: $text-muted; }
    SweepSetup Input { background: $panel; width: 1fr; }
    SweepSetup #sweep-help { height: 2; margin: 1 0 0 0; color: $text-muted; }
    SweepSetup #sweep-refused { color: $error; height: auto; max-height: 5; }
    """
    HELP = (
        "What the sweep goes over, a row each; an empty row means what stands in it in grey. Tab and the arrows go to the\n"
        "next row; below the rows stands what this one takes, an example, and what is wrong with what is typed.\n"
        "Enter says how long the sweep takes, and asks before it begins. `edgetui sweep` has flags of the same names."
    )
    EXAMPLE = "fps>=30 in the row want, 1,2,4 in threads, then enter: the cheapest threads that reach 30 frames a second."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", "leave"),
        Binding("down,j", "app.focus_next", "next row", show=False),
        Binding("up,k", "app.focus_previous", "row before", show=False),
    ]

    def __init__(
        self,
        heading: str,
        typed: Mapping[str, str],
        usual: Mapping[str, str],
        take: Callable[[dict[str, str]], Awaitable[None]],
    ) -> None:
        """`typed`: what stands in the rows at first. `usual`: what an empty row means. `take`: raises why not."""
        super().__init__()
        self.heading, self.typed, self.usual, self.take = heading, typed, usual, take

    def compose(self) -> ComposeResult:
        """A row each, what the one with the cursor means, what was refused."""
        with Vertical() as frame:
            frame.border_title, frame.border_subtitle = self.heading, KEYS
            for row in ROWS:
                with Horizontal():
                    yield Label(row.name)
                    line = Input(
                        self.typed.get(row.name, ""),
                        placeholder=self.usual.get(row.name, ""),
                        id=f"sweep-{row.name}",
                        select_on_focus=False,
                        compact=True,
                    )
                    line.cursor_blink = False  # a caret that blinks is bytes on the link
                    yield line
            yield Static("", id="sweep-help", markup=False)
            yield Static("", id="sweep-refused", markup=False)

    def on_descendant_focus(self) -> None:
        """Say what the row takes, and what is wrong with it."""
        row = self._here
        if row is not None:
            self.query_one("#sweep-help", Static).update(f"{row.help}, e.g. {row.example}")
            self._look_at(row)

    @property
    def _here(self) -> FormRow | None:
        focused = self.focused.id if self.focused is not None else ""
        return next((row for row in ROWS if f"sweep-{row.name}" == focused), None)

    def on_input_changed(self) -> None:
        """Say at once what cannot be."""
        if self._here is not None:
            self._look_at(self._here)

    def _look_at(self, row: FormRow) -> bool:
        """Say what is wrong with a row; False: something is."""
        wrong = ""
        try:
            row.check(self.query_one(f"#sweep-{row.name}", Input).value)
        except EdgetuiError as error:
            wrong = on_screen(error)
        self.query_one("#sweep-refused", Static).update(wrong)
        return not wrong

    def said(self) -> dict[str, str]:
        """What stands in the rows."""
        return {row.name: self.query_one(f"#sweep-{row.name}", Input).value for row in ROWS}

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Have it looked at."""
        event.stop()
        for row in ROWS:
            if not self._look_at(row):
                self.query_one(f"#sweep-{row.name}", Input).focus()
                return
        in_background(self, self._take, "take")

    async def _take(self) -> None:
        try:
            await self.take(self.said())
        except (EdgetuiError, OSError) as error:
            self.query_one("#sweep-refused", Static).update(on_screen(refusal(error)))
            return
        dismiss_once(self)

    def action_give_up(self) -> None:
        """Close."""
        dismiss_once(self)
