"""A fleet of boards that are state folders of this machine: what waits costs, what a large model costs, and a storm.

`--part idle`: processor time and memory of a worker that waits; `transfer`: 100 MB to three boards, with the largest memory of
the scheduler meanwhile; `storm`: many short runs while two workers and the scheduler are killed and one link is cut.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from edgetui.engine.fleet.bundles import pack_path
from edgetui.engine.fleet.link import FleetLink
from fleet_storm import storm
from fleets import LoopbackFleet


def figures(process: psutil.Process) -> str:
    """Memory of a process."""
    told = process.memory_full_info()
    return f"{told.rss / 1e6:.0f} MB resident, {told.pss / 1e6:.0f} of them its share"


async def idle(fleet: LoopbackFleet, seconds: float) -> None:
    """A worker that waits for work."""
    fleet.add("one", "two", "three")
    began = time.monotonic()
    await fleet.fleet.bring_up()
    print(f"three boards up after {time.monotonic() - began:.1f} s")
    named = {"worker": fleet.worker("one")}
    named |= {word: fleet.processes(f"{word}")[0] for word in ("scheduler_process", "fleet.keeper")}
    await asyncio.sleep(5)
    before = {word: sum(process.cpu_times()[:2]) for word, process in named.items()}
    await asyncio.sleep(seconds)
    for word, process in named.items():
        share = 100 * (sum(process.cpu_times()[:2]) - before[word]) / seconds
        print(f"{word:18} {share:.2f} % of a core, {figures(process)}")


async def transfer(fleet: LoopbackFleet, megabytes: int) -> None:
    """A large file to three boards at once, then again."""
    names = ("one", "two", "three")
    fleet.add(*names)
    await fleet.fleet.bring_up()
    file = fleet.folder / "large.bin"
    file.write_bytes(os.urandom(megabytes * 1_000_000))
    packed, _ = pack_path(file)
    watched = {"scheduler": fleet.processes("scheduler_process")[0], **{name: fleet.worker(name) for name in names}}
    most = dict.fromkeys(watched, 0)
    link = FleetLink(fleet.keeping)

    async def look() -> None:
        while True:
            for name, process in watched.items():
                most[name] = max(most[name], process.memory_info().rss)
            await asyncio.sleep(0.02)

    looking = asyncio.create_task(look())
    for word in ("first", "again"):
        began = time.monotonic()
        link._sent.clear()
        await asyncio.gather(*(link.send(name, packed) for name in names))
        print(f"{megabytes} MB to {len(names)} boards, {word}: {time.monotonic() - began:.1f} s")
    looking.cancel()
    print(", ".join(f"{name} {size / 1e6:.0f} MB at most" for name, size in most.items()))
    await link.close()


async def through(fleet: LoopbackFleet, boards: int, runs: int, measured: int) -> None:
    """The storm."""
    told = await storm(fleet, boards, runs, measured)
    print(f"{boards} boards up after {told.up_s:.1f} s; {runs} runs, {measured} of them measured, in {told.seconds:.0f} s")
    print(f"lost {len(told.lost)}, measured at once {len(told.overlaps)}, begun on two boards {told.folders - runs}")
    many = [sum(each.board == name for each in told.outcomes) for name in {each.board for each in told.outcomes}]
    print(f"workers started again {told.restarts}; of the boards each did {min(many)} to {max(many)}")
    for each in told.lost[:5]:
        print("lost:", each.board, each.error, [run.state for run in each.runs])


def main() -> None:
    """Do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("idle", "transfer", "storm"), action="append")
    parser.add_argument("--boards", type=int, default=30)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--measured", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--megabytes", type=int, default=100)
    asked = parser.parse_args()
    parts = {
        "idle": lambda fleet: idle(fleet, asked.seconds),
        "transfer": lambda fleet: transfer(fleet, asked.megabytes),
        "storm": lambda fleet: through(fleet, asked.boards, asked.runs, asked.measured),
    }
    for word in asked.part or parts:
        with tempfile.TemporaryDirectory(prefix="edgetui-fleet-") as folder, pytest.MonkeyPatch.context() as patch:
            fleet = LoopbackFleet(Path(folder), patch)
            try:
                asyncio.run(parts[word](fleet))
            finally:
                fleet.close()


if __name__ == "__main__":
    main()
