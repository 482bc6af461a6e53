"""The screen Sensitivity as text, in each state that it may be found in: rows as an earlier question left them."""

from __future__ import annotations

import msgspec
import pytest
from edgetui.engine.runs.kept_rows import KeptLine, KeptRows, keyed
from edgetui.engine.schema.sensitivity import UNITS, Sensitivity, SensitivityRow, WeightHistogram
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.sensitivity import SensitivityScreen
from screens import same_as_snapshot, screen_text, shows, until

MADE_UP = "inputs are made up (normal noise): what they say of real ones is not known"
NO_CLASSES = "nothing says that the outputs are classes: labels, `classes` in the dataset's TOML file or a softmax would"
WHOLE = {"local_sqnr_db": "the whole model was changed", "kl": NO_CLASSES, "agreement": NO_CLASSES}
REFUSED = "stays as it is: /backbone/stage3/attention/in_proj multiplies two tensors and has no weights"


def unit(name: str, sqnr: float | None, **more: object) -> SensitivityRow:
    """One unit's row; a figure that is not there has its reason."""
    reasons = {"kl": NO_CLASSES, "agreement": NO_CLASSES, "zeros": "the step makes no weights zero"}
    known = {"sqnr_db": sqnr, "local_sqnr_db": sqnr, "offset_rate": -0.012, "offset_rate_abs": 0.031, "left_out": 7}
    return SensitivityRow(
        unit=name,
        format="int8",
        exclude=(name,),
        nodes=(name, f"{name}/relu", f"{name}/add"),
        weights=36864,
        **{**known, "reasons": reasons, **more},  # type: ignore[arg-type]
    )


UNITS_KNOWN = tuple(
    unit(f"/backbone/stage{n // 4}/block{n % 4}/branch_with_a_long_name/conv{n}", 21.3 + 2.7 * n) for n in range(14)
)
NOT_CHANGED = unit(
    "/backbone/stage3/attention/in_proj",
    None,
    local_sqnr_db=None,
    offset_rate=None,
    offset_rate_abs=None,
    left_out=None,
    reasons=dict.fromkeys(
        ("zeros", "sqnr_db", "kl", "agreement", "local_sqnr_db", "offset_rate", "offset_rate_abs", "left_out"), REFUSED
    ),
)
SWEPT = tuple(
    SensitivityRow(
        format="prune.magnitude",
        value=10 ** (n / 2 - 6),
        weights=272000,
        zeros=min(0.9, 0.004 * 1.9**n),
        sqnr_db=134.0 - 13 * n,
        offset_rate=-0.0004 * n,
        offset_rate_abs=1e-5 * 3.2**n,
        left_out=1,
        reasons=WHOLE,
    )
    for n in range(11)
)
COUNTS = tuple(round(4000 / (1 + abs(n - 20) ** 2)) for n in range(41))
WEIGHTS = WeightHistogram(
    setting="threshold",
    value=10**-2.5,
    low=-1.93,
    high=1.93,
    before=COUNTS,
    after=(*COUNTS[:20], 900, *COUNTS[21:]),
    zeros_before=0,
    zeros_after=25242,
)


def known(over: str, step: str, rows: tuple[SensitivityRow, ...], **more: object) -> Sensitivity:
    """A document that was found with made-up inputs."""
    return Sensitivity(
        model="tiny.onnx",
        step=step,
        over=over,
        state="done",
        samples=256,
        rows=rows,
        warnings=(MADE_UP,),
        reasons={"kl": NO_CLASSES},
        **more,  # type: ignore[arg-type]
    )


STATES = {
    "units": known(UNITS, "quantize.int8", (*UNITS_KNOWN, NOT_CHANGED)),
    "stopped": msgspec.structs.replace(known(UNITS, "precision.fp16", UNITS_KNOWN[:5]), state="unfinished"),
    "sweep": known("threshold", "prune.magnitude", SWEPT, knee=10**-2.5, histogram=WEIGHTS),
    "flat": msgspec.structs.replace(
        known("amount", "prune.magnitude", SWEPT[:5]),
        reasons={"kl": NO_CLASSES, "knee": "the outputs move by less than 0.5 % over the whole sweep"},
    ),
}


async def opened(pilot) -> SensitivityScreen:
    """The screen, with what is kept for each state."""
    app = pilot.app
    await until(pilot, lambda: app.workbench.settings.draft is not None and app.workbench.models.model.endswith("tiny.onnx"))
    await pilot.press("e")
    await until(pilot, lambda: isinstance(app.screen, SensitivityScreen))
    screen = app.screen
    await shows(pilot, "not known yet")
    for wanted in STATES.values():
        step = next(view.step for view in screen.views if (view.step.method, view.over) == (wanted.step, wanted.over))
        question = keyed(app.link.question(screen._setup(), screen.model, step, wanted.over, True))
        kept = KeptRows(app.link.engine.home, question.key)
        kept.add(KeptLine(end=wanted) if wanted.state == "done" else KeptLine(begin=wanted))
        for row in wanted.rows:
            kept.add(KeptLine(row=row))
    return screen


async def turned(pilot, screen: SensitivityScreen, state: str) -> None:
    """To the question of a state, by the arrow keys."""
    wanted = STATES[state]
    screen.found = None
    while screen.found is None or (screen.found.step, screen.found.over) != (wanted.step, wanted.over):
        await pilot.press("right")
        await until(pilot, lambda: screen.found is not None or "not known yet" in screen_text(pilot.app))


@pytest.mark.long
@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_every_state(app: EdgetuiApp, size: tuple[int, int]):
    end = f"{size[0]}x{size[1]}"
    async with app.run_test(size=size) as pilot:
        screen = await opened(pilot)
        await until(pilot, lambda: "exclude" not in screen_text(app))
        same_as_snapshot(app, f"sensitivity-nothing-{end}")
        for state in STATES:
            await turned(pilot, screen, state)
            same_as_snapshot(app, f"sensitivity-{state}-{end}")
        await turned(pilot, screen, "sweep")
        await pilot.press("i")
        await shows(pilot, "25 242 zeros")
        same_as_snapshot(app, f"sensitivity-weights-{end}")
        await turned(pilot, screen, "units")
        await pilot.press("space", "G")
        await shows(pilot, "has no weights")
        same_as_snapshot(app, f"sensitivity-unchanged-{end}")


async def test_every_word_is_there_at_80_columns_and_at_60(app: EdgetuiApp):
    """What is told above and below the table is broken into rows, and never cut."""
    async with app.run_test(size=(80, 24)) as pilot:
        await turned(pilot, await opened(pilot), "stopped")
        for width in (80, 60):
            await pilot.resize_terminal(width, 24)
            await until(pilot, lambda: MADE_UP in " ".join(screen_text(app).split()))
            words = " ".join(screen_text(app).split())
            for sentence in (MADE_UP, NO_CLASSES, "stopped after 5: r goes on", "left out 7"):
                assert sentence in words
