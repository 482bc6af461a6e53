"""Questions to a process of its own."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import onnx
import psutil
import pytest
from edgetui.engine.advice.spread import SampleSet, Spreads
from edgetui.engine.errors import EdgetuiError
from edgetui.engine.runs.queries import InspectQuestion, SpreadQuestion, ask, end_server
from onnx import TensorProto, helper, numpy_helper

SHORT_OF_MEMORY = """
import resource, sys
import onnxruntime, edgetui.engine.inspection.inspect
from edgetui.engine.work.query_process import main

pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + 60_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
sys.exit(main([sys.argv[1]]))
"""


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


def fork_servers() -> list[psutil.Process]:
    """Those that go on; what other tests have left unwaited for has no command line."""
    going = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in going if any("fork_server" in word for word in child.cmdline())]


async def test_memory_kept_for_questions_is_given_back_and_the_next_one_is_answered(tmp_path: Path):
    question = SpreadQuestion(sets=())
    for _ in range(2):
        await ask(tmp_path, question, None)
        assert fork_servers()
        end_server()
        assert not fork_servers()


async def test_a_question_that_is_being_answered_keeps_its_server(tmp_path: Path):
    asking = asyncio.ensure_future(ask(tmp_path, SpreadQuestion(sets=()), None))
    await asyncio.sleep(0)
    end_server()
    assert await asking


def test_too_little_memory_is_said_in_words(tmp_path: Path):
    model = tmp_path / "large.onnx"
    weight = numpy_helper.from_array(np.zeros(100_000_000, np.uint8), "w")
    output = helper.make_tensor_value_info("y", TensorProto.UINT8, [100_000_000])
    graph = helper.make_graph([helper.make_node("Identity", ["w"], ["y"])], "large", [], [output], [weight])
    onnx.save(helper.make_model(graph), model)
    question = msgspec.json.encode(InspectQuestion(model=str(model)))
    argv = [sys.executable, "-c", SHORT_OF_MEMORY, str(tmp_path)]
    ended = subprocess.run(argv, input=question, capture_output=True, check=False)
    said = json.loads(ended.stdout.splitlines()[-1])
    assert "not enough memory" in said["what"]
