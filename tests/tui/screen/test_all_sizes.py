"""Every screen at every size that is promised: nothing is cut off, and help and the way out are named at the foot."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec
import pytest
from cut_off import cut_off
from edgetui.engine.api import Engine
from edgetui.engine.runs.folder import RunDir
from edgetui.engine.schema.fleet import BoardGlance, BoardHello, BoardNow, BoardStanding, FleetStatus
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.fleet import FleetScreen
from edgetui.tui.screens.monitor_asked import Shown
from laid_boards import write_device_tree, write_files, write_ina3221, write_recording
from screens import screen_text, shows, until
from textual.pilot import Pilot

SIZES = ((80, 24), (100, 30), (120, 36), (160, 45), (200, 60))
RAILS = {"VDD_GPU_SOC": (19000, 430), "VDD_CPU_CV": (19000, 80), "VIN_SYS_5V0": (4900, 1030), "VDDQ_VDD2_1V8AO": (4900, 60)}
BOARDS = FleetStatus(
    up=True,
    file="fleet.toml",
    boards=(
        BoardNow(
            standing=BoardStanding(board="orin-1", host="me@orin", state="up", hello=BoardHello(machine="Orin Nano")),
            now=BoardGlance(run="20261130-2015-yolo-int8", stage="measure", fps=47.1, ram_used_mb=4100, ram_total_mb=7400),
            heard_s=1.2,
        ),
        BoardNow(
            standing=BoardStanding(
                board="a-board-with-a-long-name-in-the-attic",
                host="somebody@a-board-with-a-long-name-in-the-attic.example.org",
                state="refused",
                reason="its clock is 30.0 years behind, which neither logs nor certificates survive",
                fix="set it there: `sudo timedatectl set-ntp true`, or `sudo date -s` where there is no network",
            ),
            heard_s=43.0,
        ),
    ),
)


@pytest.fixture
def board(tmp_path: Path) -> None:
    """Four rails, as on an AGX Orin: more figures than a narrow pane has room for."""
    root = tmp_path / "machine"
    write_device_tree(root, "nvidia,p3737-0000+p3701-0000", "nvidia,tegra234")
    write_ina3221(root, "/sys/devices/i2c-1/1-0040/hwmon/hwmon1", RAILS, hwmon="hwmon1")
    zone = "/sys/class/thermal/thermal_zone0"
    meminfo = "MemTotal: 31000000 kB\nMemFree: 9000000 kB\nMemAvailable: 21000000 kB\nBuffers: 0 kB\nCached: 0 kB\n"
    write_files(root, {f"{zone}/type": "tj-thermal\n", f"{zone}/temp": "57400\n", "/proc/meminfo": meminfo})


async def whole(
    pilot: Pilot, where: str, sizes: Sequence[tuple[int, int]] = SIZES, anew: Callable[[], None] = lambda: None
) -> None:
    """At every size all that the screen shows has its place, and the foot names help and the way out."""
    for size in sizes:
        await pilot.resize_terminal(*size)
        anew()
        await fits(pilot, f"{where} at {size[0]}x{size[1]}")
        foot = screen_text(pilot.app).splitlines()[-1]
        assert "? help" in foot, (where, foot)
        assert re.search("q quit|esc back|esc leave", foot), (where, foot)


async def fits(pilot: Pilot, where: str) -> None:
    """Once it has settled."""
    found = [""]

    def settled() -> bool:
        pilot.app.pace.tick()
        found[:] = cut_off(pilot.app)
        return not found

    try:
        await until(pilot, settled, 10.0)
    except AssertionError as error:
        raise AssertionError(f"{where}: {found}") from error


PANES = ("models", "settings", "live", "run", "log")
DOORS = {
    "R": "sorted",
    "f": "no searches yet",
    "W": "no sweeps yet",
    "P": "zhang2023 --small",
    "m": "VDD_GPU_SOC",
    "D": "enter types a path",
    "F": "there is no",
}
"""By key, what is there when the screen has come."""


@pytest.mark.long
async def test_nothing_is_cut_off_on_any_screen(
    app: EdgetuiApp,
    past_run: Callable[..., str],
    model: Path,
    board: None,
    own_state: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    del board
    monkeypatch.setenv("EDGETUI_FLEET", str(tmp_path / "none.toml"))
    runs = [past_run(to, model) for to in ("done", "failed", "measure", "done")]
    with RunDir(own_state / "runs" / runs[2]).hold():  # this one is going
        async with app.run_test(size=SIZES[0], notifications=True) as pilot:
            await shows(pilot, "tiny", "disk")
            await until(pilot, lambda: app.link.feed is not None and app.link.feed.newest is not None)
            for run in runs[:3]:
                app.run_in_background(partial(app.workbench.follow, run), "follow")
                await until(pilot, lambda run=run: app.link.view is not None and app.link.view.run == run)
                for pane in PANES if run == runs[0] else PANES[-2:]:
                    app.workbench.action_pane(pane)
                    await whole(pilot, f"{pane} of {run}", SIZES[:2])
                await whole(pilot, run, SIZES[2:])  # all panes together
            for key, words in DOORS.items():
                app.workbench.action_pane("models")
                await pilot.press(key)
                await shows(pilot, words)
                await whole(pilot, f"behind {key}")
                if isinstance(app.screen, FleetScreen):
                    app.screen._show(BOARDS)
                    await pilot.press("G")
                    await whole(pilot, "boards", anew=partial(app.screen._show, BOARDS))
                await pilot.press("escape")
                await until(pilot, lambda: app.screen is app.workbench)


@pytest.mark.long
async def test_six_long_names_side_by_side_and_pages_of_words_fit_every_size(
    bare_app: EdgetuiApp, past_run: Callable[..., str], own_state: Path
):
    app = bare_app
    for n in range(6):
        folder = RunDir.find(own_state, past_run())
        result = folder.result()
        assert result is not None
        assert result.model is not None
        model = msgspec.structs.replace(result.model, name="a_detector_of_ours_with_a_long_name_v2_final")
        recipe = msgspec.structs.replace(result.recipe, name=f"prune-50-finetune-then-int8-{n}")
        folder.write_result(msgspec.structs.replace(result, model=model, recipe=recipe))
    async with app.run_test(size=SIZES[-1], notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        await pilot.press("R")
        await shows(pilot, "6 of 6")
        await whole(pilot, "runs")
        await pilot.press(*["space"] * 6, "C")
        await shows(pilot, "ratio to FP32")
        for key in ("a", "b", "i"):
            await pilot.press(key)
            await whole(pilot, f"compare, {key}")
        await pilot.press("question_mark")
        await shows(pilot, "compare.goal")
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await fits(pilot, f"help at {size}")


@pytest.mark.long
@pytest.mark.parametrize("field", [False, True])
async def test_a_recording_fits_every_size(engine: Engine, tmp_path: Path, *, field: bool):
    player = engine.replay(write_recording(tmp_path / "field.jsonl"), 0.0)
    player.seek(100.0)
    app = EdgetuiApp(engine.config, engine, Shown(player, field=field))
    async with app.run_test(size=SIZES[-1], notifications=True) as pilot:
        await shows(pilot, "RAM")
        for key in ("1", "2", "3") if not field else ("m",):
            await pilot.press(*([] if field else [key]))
            for size in (*SIZES, *([(40, 12)] if field else [])):
                await pilot.resize_terminal(*size)
                await fits(pilot, f"replay, {key} at {size}")


LONG = (
    "error: the plan cannot be read: /home/me/.local/state/edgetui/runs/20261120-2311-tiny/plan.onnx is damaged; begin anew "
    * 2
)


async def test_what_is_said_for_a_moment_covers_no_more_than_the_header(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    """At 80x24 an error of four rows lay over the stages, the bar and the verdict."""
    past_run()
    app = bare_app
    async with app.run_test(size=SIZES[0], notifications=True) as pilot:
        await shows(pilot, "faster")
        await pilot.press("4")
        for size in SIZES:
            await pilot.resize_terminal(*size)
            app.notify("saved", timeout=30)
            app.notify(LONG, severity="error", timeout=30, markup=False)
            await shows(pilot, "is damaged", "faster", "verify", "FP32", "? help")
            app.clear_notifications()
            await until(pilot, lambda: "is damaged" not in screen_text(app))
            await until(pilot, lambda: screen_text(app).startswith(" edgetui"))


@pytest.mark.parametrize("size", [(120, 36), (120, 40), (160, 45)])
async def test_each_of_four_charts_has_five_rows_at_least(
    app: EdgetuiApp, past_run: Callable[..., str], model: Path, board: None, size: tuple[int, int]
):
    """They had three at 120x36."""
    del board
    past_run(model=model)
    async with app.run_test(size=size) as pilot:
        charts = app.workbench.live.charts
        await until(pilot, lambda: all(chart.is_on_screen for chart in charts) and app.link.view is not None)
        await shows(pilot, "faster")
        assert [chart.size.height - 1 >= 5 for chart in charts] == [True] * 4, [chart.size for chart in charts]
