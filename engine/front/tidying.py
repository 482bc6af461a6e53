"""Runs that are kept: tags and notes on them, deleting them and having them back.

Apart from `api.py`, which starts, follows and ends runs.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence

from msgspec import structs

from ..errors import StorageRefused, from_os_error
from ..runs.board_queue import Waiting, arrange, waiting
from ..runs.coming_after import who_comes_after
from ..runs.folder import RunDir
from ..runs.remarks import read_remarks, renoted, retagged, write_remarks
from ..runs.trash import Deleted, bring_back, deleted_runs, empty, put_aside, with_sizes
from ..schema.run_summary import Remarks
from .finished import Finished


class Tidying(Finished):
    """The part of the engine that keeps runs in order."""

    async def remarks(self, run: str) -> Remarks:
        """Tags and note of a run."""
        return await asyncio.to_thread(read_remarks, await self._find(run))

    async def tag(self, runs: Sequence[str], words: Sequence[str]) -> dict[str, Remarks]:
        """Put tags on runs, a group's id standing for its runs; one with a minus before it is taken away. Returns what is on
        each.

        Raises:
            UsageError: a word can be no tag.
            StorageRefused: there is no such run, or it cannot be written down.
        """
        folders = [await self._find(run) for run in await self._all(runs)]
        wanted = [(folder, retagged(read_remarks(folder), words)) for folder in folders]  # refused before any is written
        for folder, remarks in wanted:
            await asyncio.to_thread(write_remarks, folder, remarks)
        return {folder.name: remarks for folder, remarks in wanted}

    async def note(self, run: str, text: str) -> Remarks:
        """Put a note on a run in place of the one that it has; empty: none.

        Raises:
            UsageError: it is too long.
            StorageRefused: there is no such run, or it cannot be written down.
        """
        folder = await self._find(run)
        remarks = renoted(read_remarks(folder), text)
        await asyncio.to_thread(write_remarks, folder, remarks)
        return remarks

    async def refuse_going(self, runs: Sequence[str]) -> None:
        """Refuse where one of these runs has not ended.

        Raises:
            StorageRefused: it is running, or waits for the board.
        """
        for run in runs:
            await asyncio.to_thread(_ended, await self._find(run))

    async def delete(self, run: str, *, for_good: bool = False) -> None:
        """Move a run's folder into the trash, or remove it `for_good`. What other runs share with it in the cache stays.

        Raises:
            StorageRefused: it is running, or cannot be removed.
        """
        folder = await self._find(run)
        await asyncio.to_thread(_ended, folder)
        if for_good or not self.config.trash.keep_days:
            try:
                await asyncio.to_thread(shutil.rmtree, folder.path)
            except OSError as error:
                raise from_os_error(error) from None
            return
        await asyncio.to_thread(put_aside, self.home, folder)
        await asyncio.to_thread(empty, self.home, self.config.trash.keep_days, self.config.trash.limit_mb)

    async def restore(self, run: str) -> str:
        """Take a deleted run out of the trash again; returns its id. `last`: what was deleted last.

        Raises:
            StorageRefused: it is not there any more, several are meant, or there is a run of that name again.
        """
        return await asyncio.to_thread(bring_back, self.home, run)

    async def deleted(self) -> tuple[Deleted, ...]:
        """What is in the trash, what was deleted last first."""
        return await asyncio.to_thread(lambda: with_sizes(deleted_runs(self.home)))

    async def queue(self) -> Waiting:
        """Who has the board, who waits for it in which order, and who for the end of another run."""
        return await asyncio.to_thread(lambda: structs.replace(waiting(self.home), after=who_comes_after(self.home)))

    async def move(self, runs: Sequence[str], *, by: int = 0, after: str = "") -> Waiting:
        """Move runs that wait: by so many places (less than 0: earlier), or right `after` one that waits or works. What was
        started together is moved together. Returns the queue as it is then.

        Raises:
            StorageRefused: one of them does not wait.
        """
        return await asyncio.to_thread(self._move, [await self.queued_as(run) for run in runs], by, after)

    def _move(self, moved: Sequence[str], by: int, after: str) -> Waiting:
        now = waiting(self.home)
        for run in moved:
            if run not in now.waiting:
                why = "has the board" if run == now.holder else "does not wait for the board"
                raise StorageRefused(f"{run} {why}", fix="`edgetui queue` lists who waits")
        first = [run for run in now.waiting if run in moved] if by else list(dict.fromkeys(moved))
        others = [run for run in now.waiting if run not in moved]
        if by:
            place = len([run for run in others if now.waiting.index(run) < now.waiting.index(first[0])]) + by
        elif after in ("", now.holder):
            place = 0
        elif after in others:
            place = others.index(after) + 1
        else:
            raise StorageRefused(f"{after} neither waits nor works", fix="`edgetui queue` lists who does")
        place = max(0, min(place, len(others)))
        arrange(self.home, [*others[:place], *first, *others[place:]])
        return structs.replace(waiting(self.home), after=who_comes_after(self.home))

    async def queued_as(self, run: str) -> str:
        """Under which name it stands in the queue: a group under that of one of its runs."""
        found = await self.queue()
        there = (*found.waiting, found.holder)
        if run in there:  # also of what is no run: a sweep
            return run
        together = await self.together((await self.members(run))[0])
        return next((each for each in together if each in there), together[0])


def _ended(folder: RunDir) -> None:
    """Raises StorageRefused where the run has not."""
    if folder.alive():
        raise StorageRefused(f"run {folder.name} is running", fix=f"`edgetui cancel {folder.name}` first")
