"""Questions to a process of its own."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.errors import EdgetuiError
from edgetui.engine.questions import InspectQuestion, SpreadQuestion, ask
from edgetui.engine.spread import SampleSet, Spreads


async def test_a_question_may_be_longer_than_a_command_line(tmp_path: Path):
    sets = tuple(SampleSet(label=f"{n} {'x' * 200}", run=str(n), side="candidate", reason="gone") for n in range(1000))
    answer = await ask(tmp_path, SpreadQuestion(sets=sets), None)
    assert len(msgspec.json.decode(answer, type=Spreads).columns) == 1000


async def test_a_refusal_is_told_in_the_words_of_the_process(tmp_path: Path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with pytest.raises(EdgetuiError, match=r"broken\.onnx") as refused:
        await ask(tmp_path, InspectQuestion(model=str(broken)), None)
    assert refused.value.fix


@pytest.mark.parametrize("delay_s", [0.05, 0.2])
def test_a_question_that_is_left_leaves_no_process_behind(tmp_path: Path, delay_s: float):
    """A screen is left and the loop closes at once: what is not waited for is warned of, and warnings are errors."""

    async def leave() -> None:
        asking = asyncio.ensure_future(ask(tmp_path, InspectQuestion(model=str(tmp_path / "none.onnx")), None))
        await asyncio.sleep(delay_s)
        asking.cancel()
        await asyncio.sleep(0)

    asyncio.run(leave())
    gc.collect()
