"""Clocks of a fleet that are wrong, here or on a board, are said by name: keys are good for some time only."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from edgetui.engine.errors import BackendRefused
from edgetui.engine.fleet.asks import FleetAsk
from edgetui.engine.fleet.certificates import make_keys
from fleets import silent


@pytest.mark.long
async def test_a_clock_that_is_years_off_is_said_by_name_up_or_down(fleet, tmp_path):
    (tmp_path / "1996").mkdir()
    behind = "import time\n_real = time.time\ntime.time = lambda: _real() - 30.5 * 31557600\n"
    (tmp_path / "1996" / "sitecustomize.py").write_text(behind)
    fleet.add("good")
    fleet.add("nano", env={"PYTHONPATH": str(tmp_path / "1996")})
    before = {check.name: check for check in await fleet.fleet.examine()}
    assert (before["nano"].state, before["nano"].text) == ("bad", "its clock is 30.5 years behind")
    up = await fleet.fleet.bring_up()
    told = {each.standing.board: each.standing for each in up.boards}
    assert (told["good"].state, told["nano"].state) == ("up", "refused")
    assert told["nano"].reason == "its clock is 30.5 years behind"
    assert "sudo date -s @$(date +%s)" in told["nano"].fix
    after = {check.name: check for check in await fleet.fleet.examine()}
    assert "its clock is 30.5 years behind" in after["nano"].text
    with pytest.raises(BackendRefused, match=r"board nano is refused: its clock is 30\.5 years behind"):
        fleet.fleet.wanted("nano")


@pytest.mark.long
async def test_keys_of_another_time_are_said_and_made_anew(fleet, light):
    fleet.add("one")
    await fleet.fleet.bring_up()
    first = fleet.keeping.keys / "authority.pem"
    for years, said in ((-2, "keys were good until"), (2, "keys are good from")):
        make_keys(fleet.keeping.keys, ["one"], datetime.now(timezone.utc) + timedelta(days=365.25 * years))
        late = first.read_bytes()
        (check,) = [check for check in await fleet.fleet.examine() if check.name == "keys"]
        assert check.state == "bad"
        assert said in check.text
        with pytest.raises(BackendRefused, match=said):
            fleet.fleet.wanted("one")
        up = await fleet.fleet.bring_up()
        assert [each.standing.state for each in up.boards] == ["up"]
        assert first.read_bytes() != late
    (found,) = await fleet.fleet.carry([FleetAsk((light,), "one")], silent)
    assert found.error is None
