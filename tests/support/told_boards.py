"""A fleet as it may stand, and the screen that shows it."""

from __future__ import annotations

from edgetui.engine.schema.fleet import BoardAsked, BoardGlance, BoardHello, BoardNow, BoardStanding, FleetStatus
from edgetui.tui.screens.fleet import FleetScreen
from screens import opened

BOARDS = FleetStatus(
    up=True,
    file="fleet.toml",
    asked=(
        BoardAsked(on="orin-1", what="study filippou2024", done=11, of=14),
        BoardAsked(on="agx", what="study filippou2024", done=7, of=13),
    ),
    boards=(
        BoardNow(
            standing=BoardStanding(board="orin-1", host="me@orin", state="up", hello=BoardHello(machine="Orin Nano")),
            now=BoardGlance(
                run="20261130-2015-yolo-int8",
                stage="measure",
                latency_ms=21.2,
                fps=47.1,
                ram_used_mb=4100,
                ram_total_mb=7400,
                of=3,
                done=1,
            ),
            heard_s=1.2,
        ),
        BoardNow(standing=BoardStanding(board="agx", host="agx", state="up"), now=BoardGlance(power_w=9.8, temp_c=41.0)),
        BoardNow(
            standing=BoardStanding(
                board="nano", host="nano", state="refused", reason="its clock is 30.0 years behind", fix="set it there"
            ),
            heard_s=43.0,
        ),
    ),
)


async def open_fleet(pilot) -> FleetScreen:
    """From the workbench."""
    return await opened(pilot, "F", FleetScreen)
