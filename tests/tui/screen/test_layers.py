"""The screen Layers: what is inside a run's plans, on a plan that is built and timed for real."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.api import Engine
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.config import Config, Ui
from edgetui.engine.runs.folder import RunDir
from edgetui.engine.schema.plan import LayerFacts, PlanFacts
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.system.reporter import NullReporter
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.compare import CompareScreen
from edgetui.tui.screens.layers import LayersScreen, PlanRef, column_widths
from screens import screen_text, shows, until


@pytest.fixture
def built_run(past_run: Callable[..., str], model: Path, own_state: Path) -> str:
    """A run with a plan of `model` for both sides."""
    from edgetui.engine.graph.normalise import fix_shapes_only

    run = past_run("done", model=model)
    folder = RunDir(own_state / "runs" / run)
    source, plan = folder.artifacts / "model.onnx", folder.artifacts / "plan.onnx"
    fix_shapes_only(model, source, {"image": (1, 1, 8, 8)})
    OnnxRuntime().build(source, plan, BackendSettings(threads=1), NullReporter())
    made = {"onnx": str(source), "plan": str(plan), "baseline_plan": str(plan)}
    folder.write_result(msgspec.structs.replace(folder.result(), artifacts=made))
    return run


async def open_layers(pilot) -> LayersScreen:
    app = pilot.app
    await until(pilot, lambda: app.workbench.settings.draft is not None)
    await pilot.press("R")
    await until(pilot, lambda: getattr(app.screen, "runs", ()))
    await pilot.press("L")
    await until(pilot, lambda: isinstance(app.screen, LayersScreen))
    return app.screen


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_layers_are_timed_and_named(bare_app: EdgetuiApp, built_run: str, size):
    async with bare_app.run_test(size=size, notifications=True) as pilot:
        screen = await open_layers(pilot)
        await shows(pilot, "tiny · both", "1 of 2", "layers  ", "FP32", "without the profiler", "conv", "gemm", "reformats 1")
        times = [layer.milliseconds for layer in screen.shown()]
        assert times == sorted(times, reverse=True)
        text = screen_text(bare_app)
        assert all(len(row) <= size[0] for row in text.splitlines())
        assert "reformat " in text
        await pilot.press("right")
        await shows(pilot, "tiny · FP32", "2 of 2", "layers  ")


async def test_filter_sort_and_copy(bare_app: EdgetuiApp, built_run: str):
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await open_layers(pilot)
        await shows(pilot, "slowest first")
        await pilot.press("s")
        await shows(pilot, "as they run")
        assert screen.shown() == list(screen.facts.layers)
        await pilot.press("slash", *"gemm")
        await until(pilot, lambda: [layer.kind for layer in screen.shown()] == ["Gemm"])
        await pilot.press("enter", "y")
        assert bare_app.clipboard.splitlines()[0].startswith("ms\tshare\tprecision")
        assert "\tGemm\t" in bare_app.clipboard.splitlines()[1]
        assert len(bare_app.clipboard.splitlines()) == 2
        await pilot.press("slash", "z", "z")
        await shows(pilot, "no layer has the letters")
        await pilot.press("escape", "escape")
        assert not isinstance(bare_app.screen, LayersScreen)


async def test_without_a_plan_it_says_what_to_do(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    past_run("failed")
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_layers(pilot)
        await shows(pilot, "✗ run 20261120-2311-tiny-both has no plan of the candidate", "edgetui resume")


async def test_a_plan_that_cannot_be_loaded_here_says_why_and_who_built_it(bare_app: EdgetuiApp, past_run, own_state):
    run = past_run("done")
    folder = RunDir(own_state / "runs" / run)
    (folder.artifacts / "plan.plan").write_bytes(b"ftrt" + bytes(64))
    made = {"plan": str(folder.artifacts / "plan.plan")}
    folder.write_result(msgspec.structs.replace(folder.result(), artifacts=made))
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_layers(pilot)
        await shows(pilot, "layers are not known here:", "size 68 B")


async def test_compare_opens_the_layers_of_its_columns(bare_app: EdgetuiApp, built_run: str):
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        bare_app.push_screen(CompareScreen([built_run]))
        await until(pilot, lambda: isinstance(bare_app.screen, CompareScreen) and bare_app.screen.comparison)
        await pilot.press("L")
        await shows(pilot, "Layers   both   2 of 2", "layers  ")
        await pilot.press("left")
        await shows(pilot, "Layers   FP32   1 of 2", "layers  ")
        assert [plan.side for plan in bare_app.screen.plans] == ["baseline", "candidate"]


async def test_the_workbench_opens_the_layers_of_its_run(bare_app: EdgetuiApp, built_run: str):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.link.view is not None and bare_app.link.view.state == "done")
        await pilot.press("4")
        await shows(pilot, "ratio")
        await pilot.press("L")
        await shows(pilot, "Layers   tiny · both   1 of 2", "layers  ")
        await pilot.press("question_mark")
        await shows(pilot, "The layers of a plan", "Sort by something else", "layers.sort")
        await pilot.press("escape", "escape")
        assert bare_app.screen is bare_app.workbench


async def test_without_a_run_there_are_no_layers_to_show(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        await pilot.press("L")
        await pilot.pause()
        assert bare_app.screen is bare_app.workbench


async def test_no_colour_and_ascii(config: Config, engine: Engine, built_run: str, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app = EdgetuiApp(Config(ui=Ui(graph="ascii")), engine)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_layers(pilot)
        await shows(pilot, "without the profiler", "######")
        assert screen_text(app).isascii()


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_columns_take_what_others_leave(width: int):
    """`QLinearGloba…` stood beside an empty column of notes, and 40 blank columns at 100."""
    layers = [LayerFacts(name=f"/layer{n}", kind="QLinearGlobalAveragePool", precision="INT8") for n in range(3)]
    widths = column_widths(layers, width)
    assert "note" not in widths
    assert widths["operator"] > len("QLinearGlobalAveragePool")
    assert widths[""] >= (18 if width >= 100 else 8)
    assert sum(widths.values()) < width
    noted = column_widths([*layers, LayerFacts(name="q", kind="QuantizeLinear", reformat=True)], width)
    assert "note" in noted
    assert sum(noted.values()) < width


async def test_islands_and_reformats_have_words(bare_app: EdgetuiApp, built_run: str):
    layers = (
        LayerFacts(name="c", kind="QLinearConv", precision="INT8", milliseconds=0.3),
        LayerFacts(name="q", kind="QuantizeLinear", precision="INT8", milliseconds=0.1, reformat=True),
        LayerFacts(name="s", kind="Softmax", precision="FP32", milliseconds=0.1, island=True),
        LayerFacts(name="unknown", kind="", precision="", milliseconds=None, sparse=True),
    )
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        screen = LayersScreen([PlanRef(built_run, "candidate", "made up")])
        bare_app.push_screen(screen)
        await shows(pilot, "without the profiler")
        screen.facts = PlanFacts(name="p", layers=layers, islands=1)
        screen.write()
        await shows(pilot, "reformat ", "FP32 island", "2:4 sparse", "20.0 %", "60.0 %", "reformats 1, 20.0 % of the time", "–")
        await shows(pilot, "2 INT8, 1 FP32, 1 not told")
