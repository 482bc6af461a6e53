"""What `?` says: of the setting under the cursor, by example, and of precisions what they can hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import Config, Ui
from edgetui.engine.schema.model_facts import ModelFacts
from edgetui.tui import panes, screens
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.panes.precision_help import precision_lines
from edgetui.tui.screens.help import HelpScreen
from edgetui.tui.widgets.lines import Line
from screens import shows, until


def text(lines: list[Line]) -> str:
    return "\n".join("".join(part for part, _ in line) for line in lines)


def test_precisions_stand_beside_what_the_model_holds():
    facts = ModelFacts(name="m", histogram=(1, 2), histogram_low=-1.275, histogram_high=1.275)
    shown = text(precision_lines(facts, (0.0, 10.2), 76))
    for word in (
        "FP16  ",
        "-65504 to 65504",
        "5.96e-08",
        "1.4e-45",
        "-128 to 127",
        "-1.27 to 1.27",
        "0.01 ",
        "0 to 10.2",
        "0.04",
    ):
        assert word in shown, shown
    assert all(len(row) <= 78 for row in shown.splitlines())
    unseen = text(precision_lines(facts, None, 76))
    assert "of this model there is none yet" in unseen
    assert "past what FP16 holds" in text(precision_lines(facts, (0.0, 1e5), 76))
    assert "past what FP16 holds" not in unseen


def test_the_ends_of_floats_are_those_of_ieee_754():
    import numpy as np

    shown = text(precision_lines(None, None, 76))
    for kind in (np.float32, np.float16):
        assert f"{np.finfo(kind).smallest_subnormal:.3g}"[:6] in shown
    assert f"{np.finfo(np.float16).max:.0f}" in shown
    assert f"{np.finfo(np.float32).max:.1e}" in shown


async def test_help_begins_with_the_setting_under_the_cursor(bare_app: EdgetuiApp):
    app = bare_app
    async with app.run_test(size=(100, 40), notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        app.workbench.load_recipe("int8")
        await pilot.press("2")
        app.workbench.settings.point_at("steps.0.scheme")
        await pilot.press("question_mark")
        await shows(pilot, "steps.0.scheme", ":set steps.0.scheme symmetric", "5.96e-08", "for example")
        await pilot.press("escape")
        app.workbench.settings.point_at("preset")
        await pilot.press("question_mark")
        await shows(pilot, ":set preset normal")
        assert "5.96e-08" not in "\n".join(row.text for row in app.screen._compositor.render_strips())


async def test_activations_are_those_of_the_newest_run_that_quantized_this_file(
    app: EdgetuiApp, past_run: Callable[..., str], model: Path, own_state: Path
):
    run = past_run(model=model)
    saved = own_state / "runs" / run / "result.json"
    artifact = own_state / "quantized.onnx"
    save_quantized(artifact, 0.1)
    async with app.run_test(size=(100, 40)) as pilot:
        await until(pilot, lambda: app.workbench.models.facts is not None)
        facts = app.workbench.models.facts
        document = msgspec.json.decode(saved.read_bytes())
        document["model"] = msgspec.to_builtins(facts)
        document["artifacts"] = {"onnx": str(artifact)}
        saved.write_bytes(msgspec.json.encode(document))
        assert await app.link.activations(facts) == pytest.approx((-12.8, 12.7))
        assert await app.link.activations(msgspec.structs.replace(facts, sha256="other")) is None
        artifact.unlink()
        assert await app.link.activations(facts) is None


def save_quantized(path: Path, scale: float) -> None:
    """A file with one quantized activation, of signed integers around zero."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("image", "out")]
    nodes = [
        helper.make_node("QuantizeLinear", ["image", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["out"]),
    ]
    constants = [numpy_helper.from_array(np.array(scale, np.float32), "s"), numpy_helper.from_array(np.array(0, np.int8), "z")]
    graph = helper.make_graph(nodes, "q", ends[:1], ends[1:], constants)
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 17)]), path)


def test_every_pane_and_screen_with_help_has_an_example():
    import importlib
    import pkgutil

    without = []
    for package in (screens, panes):
        for found in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{found.name}")
            for kind in vars(module).values():
                own = kind.__dict__ if isinstance(kind, type) and kind.__module__ == module.__name__ else {}
                if own.get("HELP") and not getattr(kind, "EXAMPLE", ""):
                    without.append(kind.__name__)
    assert sorted(without) == []


async def test_help_that_is_written_in_no_room_ends_nothing(bare_app: EdgetuiApp):
    """A monkey asked for it in the moment in which the terminal became 20 columns wide."""
    app = bare_app
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        page = app.screen
        await pilot.resize_terminal(20, 5)
        page._write()
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: app.screen is page)


async def test_arrow_keys_are_words_where_there_are_no_arrows(engine: Engine, config: Config):
    """`<` and `>` are the signs of other keys."""
    app = EdgetuiApp(msgspec.structs.replace(config, ui=Ui(graph="ascii")), engine)
    async with app.run_test(size=(100, 40)) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        await pilot.press("2")
        await shows(pilot, "left right chooses")
        await pilot.press("question_mark")
        await shows(pilot, "left right change a value", "up down scroll")
