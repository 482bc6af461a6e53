"""Submit a run, follow it, and read which of the two to deploy: what the screen does, from a script.

    python examples/compress.py MODEL RECIPE [DATASET]

The run goes on when this script ends; `edgetui watch last` follows it.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from edgetui.engine.api import Engine
from edgetui.engine.config import load_config
from edgetui.engine.errors import EdgetuiError
from edgetui.engine.library.recipes import find_recipe
from edgetui.engine.schema.events import Note, StageBegan
from edgetui.engine.schema.spec import RunSpec


async def compress(model: str, recipe: str, data: str = "") -> None:
    """One run, with its stages and warnings as they come, and then what it found."""
    config = load_config()
    engine = Engine(config)
    dataset = engine.dataset(data) if data else None
    spec = RunSpec(model=str(Path(model).absolute()), recipe=find_recipe(recipe, config), dataset=dataset, preset="quick")
    run = await engine.submit(spec)
    print(f"run {run}")
    async for event in engine.watch(run):
        if isinstance(event, StageBegan):
            print(f"  {event.stage}")
        elif isinstance(event, Note) and event.level == "warning":
            print(f"  warning: {event.text}")
    result = await engine.result(run)
    print(result.state, result.verdict)
    ratio = result.difference.latency_ratio
    if ratio.value is not None:
        print(f"latency: {ratio.value} of the original's, 95 % interval {ratio.low} to {ratio.high}")
    for figure, why in result.reasons.items():
        print(f"unknown: {figure} ({why})")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: python examples/compress.py MODEL RECIPE [DATASET]")
    try:
        asyncio.run(compress(*sys.argv[1:]))
    except EdgetuiError as error:
        sys.exit(f"error: {error}")
