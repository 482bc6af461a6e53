"""Names and messages that a terminal would obey, on their way through the command line."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from edgetui.engine.runs.folder import create
from edgetui.engine.schema import events as ev
from edgetui.engine.schema.spec import RunRequest, RunSpec
from edgetui.tui.commands.follow import StatusLine
from edgetui.tui.commands.printing import echo, paint
from onnx import TensorProto, helper, numpy_helper
from told_runs import RECIPE, outcome, went

EVIL = "\x1b[31mred\x1b]0;title\x07\x9b2J\u202egnp"
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]")


class Screen(io.StringIO):
    """What a terminal is told."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def evil_run(own_state: Path) -> str:
    """A run that has ended, with such names wherever somebody else chooses them."""
    name = "20261120-2311-evil"
    asked = RunRequest(
        run=name,
        ticket=1,
        wall="2026-11-20T23:11:00+00:00",
        edgetui="0",
        python="python",
        model_sha256="a" * 64,
        spec=RunSpec(model=f"/nowhere/{EVIL}.onnx", recipe=RECIPE, preset="quick"),
    )
    folder = create(own_state, asked)
    said = [msgspec.structs.replace(event, summary=EVIL) if isinstance(event, ev.StageEnded) else event for event in went()]
    (folder.path / "events.jsonl").write_bytes(b"".join(ev.encode(event) + b"\n" for event in said))
    (folder.path / "log.txt").write_text(f"{EVIL}\n 10 %\r100 %\n")
    result = outcome(name, Path("/nowhere/m.onnx"))
    folder.write_result(
        msgspec.structs.replace(
            result,
            model=msgspec.structs.replace(result.model, name=EVIL),
            recipe=msgspec.structs.replace(result.recipe, name=EVIL, title=EVIL),
            dataset=msgspec.structs.replace(result.dataset, name=EVIL),
            board=msgspec.structs.replace(result.board, name=EVIL, busy=(EVIL,)),
            warnings=(EVIL,),
            artifacts={EVIL: EVIL},
        )
    )
    return name


@pytest.mark.parametrize(
    "words", [("runs",), ("show", "last"), ("show", "last", "--log"), ("compare", "last"), ("watch", "last"), ("resume", EVIL)]
)
def test_of_a_run_nothing_is_obeyed(tell, evil_run: str, words: tuple[str, ...]):
    said = tell(*words)
    assert said.out + said.err
    assert not OBEYED.findall(said.out + said.err)


@pytest.mark.parametrize("words", [("compare", "last", "--markdown"), ("compare", "last"), ("show", "last")])
def test_on_a_terminal_only_our_own_colours_are(monkeypatch, tell, evil_run: str, words: tuple[str, ...]):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True, raising=False)
    said = tell(*words)
    plain = re.sub("\x1b\\[[012]m|\x1b\\[3[236]m", "", said.out)
    assert plain != said.out or "--markdown" in words
    assert not OBEYED.findall(plain)


def test_of_a_model_nothing_is_obeyed(tell, tmp_path: Path):
    weight = numpy_helper.from_array(np.ones((2, 2), np.float32), f"w{EVIL}")
    graph = helper.make_graph(
        [helper.make_node("MatMul", [f"x{EVIL}", f"w{EVIL}"], [f"y{EVIL}"], f"n{EVIL}")],
        "g",
        [helper.make_tensor_value_info(f"x{EVIL}", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info(f"y{EVIL}", TensorProto.FLOAT, [1, 2])],
        [weight],
    )
    path = tmp_path / f"{EVIL}.onnx"
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 17)], producer_name=EVIL)
    onnx.save(model, str(path))
    said = tell("inspect", str(path))
    assert said.code == 0
    assert "x␛[31mred␛]0;title␇" in said.out
    assert not OBEYED.findall(said.out + said.err)


def test_painted_text_keeps_our_colour_and_no_other(monkeypatch):
    screen = Screen()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", screen)
    echo(f"{paint(EVIL, 'better')} {EVIL}")
    left = screen.getvalue().replace("\x1b[32m", "").replace("\x1b[0m", "")
    assert len(left) < len(screen.getvalue())
    assert not OBEYED.findall(left)


@pytest.mark.parametrize("code", [1, 2, 31, 32, 33, 36])
def test_a_colour_that_is_ours_too_is_not_obeyed_in_somebody_else_s_text(monkeypatch, code: int):
    screen = Screen()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", screen)
    echo(f"\x1b[{code}mname {paint('ours', 'bad')}")
    assert f"\x1b[{code}mname" not in screen.getvalue()
    assert screen.getvalue().count("\x1b") == 2


def test_the_line_that_is_rewritten_obeys_nothing_either():
    screen = Screen()
    line = StatusLine(screen)
    line.keep(EVIL)
    line.rewrite(f"{EVIL}\r\n")
    assert not OBEYED.findall(screen.getvalue().replace("\r", "").replace("\x1b[K", ""))


def test_a_log_is_a_document_too(tell, evil_run: str):
    said = tell("show", "last", "--log", "--json")
    found = msgspec.json.decode(said.out)
    assert (found["run"], len(found["log"])) == (evil_run, 2)
    assert found["log"][1].strip() == "100 %"


def test_a_log_without_a_line_has_none(tell, evil_run: str, own_state: Path):
    (own_state / "runs" / evil_run / "log.txt").write_text("")
    assert msgspec.json.decode(tell("show", "last", "--log", "--json").out)["log"] == []
