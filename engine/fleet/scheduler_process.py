"""The scheduler of a fleet, on loopback, with mutual TLS, without a dashboard.

`python -m edgetui.engine.fleet.scheduler_process KEYS PORT`; says `ready` on standard output, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from .certificates import AUTHORITY, SCHEDULER
from .link_end import link_end
from .quiet import TAKE, of_files, set_up
from .takers import Takers
from .transport import LOOPBACK


async def serve(keys: Path, port: int) -> None:
    """Until standard input is closed."""
    from distributed import Scheduler

    async with Scheduler(
        host=LOOPBACK,
        port=port,
        protocol="tls",
        security=of_files(keys, "scheduler", SCHEDULER, AUTHORITY),
        dashboard=False,
        dashboard_address=f"{LOOPBACK}:0",
    ) as scheduler:
        takers = Takers(keys.parent)
        takers.forget_old()
        scheduler.handlers[TAKE] = takers.answer
        print("ready", flush=True)
        await link_end()


if __name__ == "__main__":
    set_up()
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
