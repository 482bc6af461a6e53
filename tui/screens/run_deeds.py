"""What the list of runs does to runs: take up, end, delete and have back, tag, note, move in the queue."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen

from ...engine.errors import StorageRefused
from ..desk import AtDesk
from ..widgets.keybar import key_name
from ..widgets.lazyrows import LazyRows
from .run_columns import queue_words
from .safe_dismiss import SafeDismiss

if TYPE_CHECKING:
    from ...engine.schema.run_summary import RunSummary


OF_RUNS = {f"runs.{name}" for name in ("open", "mark", "compare", "filter", "sort", "layers")}
"""Names of keys that would do nothing while there are no runs."""


class RunRows(LazyRows):
    """Runs; what enter does with one stands first among the keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "open", id="runs.open", tooltip="Show the run in the workbench")
    ]


class RunDeeds(AtDesk, SafeDismiss, Screen[None]):
    """A screen with a run under a cursor, and marked ones."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "resume", "resume", id="runs.resume", tooltip="Take an interrupted, failed or cancelled run up again"),
        Binding("c", "cancel", "cancel", id="runs.cancel", tooltip="End a run that is going; asks first"),
        Binding("t", "tag", "tag", id="runs.tag", show=False, tooltip="Put tags on the marked runs, or this one"),
        Binding("a", "note", "note", id="runs.note", show=False, tooltip="Write a note on this run"),
        Binding(
            "D", "delete", "delete", id="runs.delete", show=False, tooltip="Delete the marked runs, or this one; asks first"
        ),
        Binding("u", "restore", "undo", id="runs.restore", show=False, tooltip="Take back what was deleted or edited last"),
        Binding(
            "left_curly_bracket",
            "earlier(-1)",
            "earlier",
            id="runs.earlier",
            show=False,
            tooltip="In the queue: one place earlier",
        ),
        Binding(
            "right_curly_bracket", "earlier(1)", "later", id="runs.later", show=False, tooltip="In the queue: one place later"
        ),
        Binding(
            "A",
            "after",
            "after this",
            id="runs.after",
            show=False,
            tooltip="Those marked come right after this one in the queue",
        ),
    ]
    marked: set[str]
    runs: Sequence[RunSummary]

    def idle_keys(self) -> frozenset[str]:
        """Names of keys that would do nothing for the run under the cursor: the row of keys leaves them out."""
        run = self.summary()
        going = run is not None and run.state in ("running", "queued")
        ended = run is not None and run.state in ("crashed", "failed", "cancelled")
        idle = {name for name, of_use in (("runs.resume", ended), ("runs.cancel", going)) if not of_use}
        if run is None and self.runs:  # the filter finds none: what clears it stands there
            return frozenset(idle | OF_RUNS - {"runs.filter"} | {"runs.back"})
        return frozenset(idle if self.runs else idle | OF_RUNS)

    @abstractmethod
    async def fill(self) -> None:
        """Read the list again."""

    @abstractmethod
    def write(self) -> None:
        """Draw the list again."""

    @abstractmethod
    def summary(self) -> RunSummary | None:
        """What is known of the run under the cursor."""

    @abstractmethod
    def chosen(self) -> list[str]:
        """The marked runs, else the one under the cursor."""

    @abstractmethod
    async def take_up(self, run: str) -> None:
        """Take a run up again, in the workbench."""

    def action_resume(self) -> None:
        """Take the run up again."""
        run = self.summary()
        if run is not None:
            self.run_in_background(partial(self.take_up, run.run), "resume")

    def action_cancel(self) -> None:
        """Ask, then end the run."""
        run = self.summary()
        if run is None or run.state not in ("running", "queued"):
            self.notify("this run is not going", timeout=2)
            return
        work = partial(self.desk.engine.cancel, run.run)
        self._ask(f"End the run {run.run}?", "Finished stages stay in the cache; r takes it up again.", work)

    def action_delete(self) -> None:
        """Ask, then remove the runs."""
        runs = self.chosen()
        if not runs:
            return
        going = next((run for run in self.runs if run.run in runs and run.state in ("running", "queued")), None)
        if going is not None:
            key = key_name(self.desk.config.ui.keys.get("runs.cancel", "c"), self.desk.graph)
            self.desk.show_error(StorageRefused(f"run {going.run} is {going.state}", fix=f"{key} on it ends it first"))
            return
        days = self.desk.config.trash.keep_days
        back = "it" if len(runs) == 1 else "them"
        cost = f"u has {back} back, within {days:g} days." if days else "Events, log, result and artifacts are gone for good."
        what = f"the run {runs[0]}" if len(runs) == 1 else f"{len(runs)} marked runs"
        self._ask(f"Remove {what}?", cost, partial(self._delete, runs))

    async def _delete(self, runs: Sequence[str]) -> None:
        engine = self.desk.engine
        await engine.refuse_going(runs)
        for run in runs:
            await engine.delete(run)
            self.marked.discard(run)
        if self.desk.config.trash.keep_days:
            self._back_with(partial(self._have_back, tuple(runs)))
            many = runs[0] if len(runs) == 1 else f"{len(runs)} runs"
            self.notify(f"{many} removed; u has it back" if len(runs) == 1 else f"{many} removed; u has them back", timeout=4)

    def _back_with(self, undo: Callable[[], Coroutine[Any, Any, str]]) -> None:
        """Kept by the desk, for the screen may be left."""
        self.desk.undone_by.append(undo)

    def action_restore(self) -> None:
        """Take back what was deleted or edited last here, else what whoever deleted."""
        self._do(self._restore)

    async def _restore(self) -> None:
        undone_by = self.desk.undone_by
        undo = undone_by.pop() if undone_by else partial(self._have_back, ("last",))
        self.notify(await undo(), timeout=3)

    async def _have_back(self, runs: Sequence[str]) -> str:
        back = [await self.desk.engine.restore(run) for run in runs]
        return f"{back[0] if len(back) == 1 else f'{len(back)} runs'} back again"

    def action_tag(self) -> None:
        """Ask for tags."""
        from .dialogs import Ask

        runs, run = self.chosen(), self.summary()
        if not runs or run is None:
            return
        here = f"on it: {' '.join(run.tags)}" if len(runs) == 1 and run.tags else "none yet" if len(runs) == 1 else ""
        what = run.run if runs == [run.run] else f"{len(runs)} runs"

        def take(text: str | None) -> None:
            if text:
                self._do(partial(self._tag, runs, text.split()))

        self.app.push_screen(Ask(f"Tags for {what}; -tag takes one away. {here}".rstrip(), "", example="field rain -old"), take)

    async def _tag(self, runs: Sequence[str], words: Sequence[str]) -> None:
        before = {run.run: run.tags for run in self.runs if run.run in runs}
        edited = (await self.desk.engine.tag(runs, words)).items()
        self._back_with(partial(self._tag_back, {run: (before.get(run, ()), new.tags) for run, new in edited}))

    async def _tag_back(self, edited: Mapping[str, tuple[Sequence[str], Sequence[str]]]) -> str:
        for run, (old, new) in edited.items():
            words = [*(f"-{tag}" for tag in new if tag not in old), *(tag for tag in old if tag not in new)]
            if words:
                await self.desk.engine.tag([run], words)
        return f"tags of {next(iter(edited)) if len(edited) == 1 else f'{len(edited)} runs'} as they were"

    def action_note(self) -> None:
        """Ask for a note."""
        from .dialogs import Ask

        run = self.summary()
        if run is None:
            return

        def take(text: str | None) -> None:
            if text:
                self._do(partial(self._note, run.run, "" if text == "-" else text))

        ask = Ask("A note on this run; - takes it away", run.note.replace("\n", " "), example="with the fan off")
        self.app.push_screen(ask, take)

    async def _note(self, run: str, text: str) -> None:
        before = next((each.note for each in self.runs if each.run == run), "")
        await self.desk.engine.note(run, text)
        self._back_with(partial(self._note_back, run, before))

    async def _note_back(self, run: str, text: str) -> str:
        await self.desk.engine.note(run, text)
        return f"the note on {run} as it was"

    def action_earlier(self, by: int) -> None:
        """Move the run that waits."""
        run = self.summary()
        if run is not None:
            self._do(partial(self._move, [run.run], by, ""))

    def action_after(self) -> None:
        """The marked runs after the one under the cursor."""
        run = self.summary()
        runs = [each for each in self.chosen() if run is not None and each != run.run]
        if run is None or not runs:
            self.notify("mark runs that wait, then go to the one that they shall come after", timeout=3)
            return
        self._do(partial(self._move, runs, 0, run.run))

    async def _move(self, runs: Sequence[str], by: int, after: str) -> None:
        engine = self.desk.engine
        found = await engine.move(runs, by=by, after=(await engine.queued_as(after)) if after else "")
        moved = [await engine.queued_as(run) for run in runs]
        rows = max(3, self.app.size.height // 5)
        self.notify(queue_words(found.waiting, moved, rows), title="the queue", timeout=4)

    def _ask(self, question: str, cost: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        from .dialogs import Confirm

        def answer(yes: bool | None) -> None:
            if yes:
                self._do(work)

        self.app.push_screen(Confirm(question, cost), answer)

    def _do(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Change something in the background, then read the list again."""

        async def done() -> None:
            try:
                await work()
            finally:
                await self.fill()

        self.run_in_background(done, "runs-do")
