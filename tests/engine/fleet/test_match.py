"""What a board says of itself decides whether it may join, before it joins."""

from __future__ import annotations

import importlib.metadata

import pytest
from edgetui import __version__
from edgetui.engine.fleet.match import refusal_of
from edgetui.engine.schema.fleet import BoardHello
from fleets import needs_fleet
from msgspec.structs import replace

YEAR_S = 365.25 * 86_400


@pytest.fixture
def fitting():
    needs_fleet()
    ours = importlib.metadata.version("distributed")
    return BoardHello(edgetui=__version__, distributed=ours, python="3.10.12", home="orin:/s", wall_s=1e9, free_mb=9e3)


def test_one_that_fits_joins_whatever_its_python(fitting):
    assert refusal_of("orin", fitting, {}, now_s=1e9 + 3600) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"edgetui": "0.0.9"}, f"board orin: it has edgetui 0.0.9, this machine {__version__}"),
        ({"distributed": None}, "board orin: its Python has no distributed"),
        ({"distributed": "2023.5.0"}, "board orin: it has distributed 2023.5.0, this machine"),
        ({"home": "nano:/s"}, "board orin: it is nano: they share the state folder nano:/s"),
        ({"taken": True}, "board orin: another fleet has it"),
        ({"wall_s": 1e9 - 30 * YEAR_S}, "board orin: its clock is 30.0 years behind"),
        ({"wall_s": 1e9 + 40 * 86_400}, "board orin: its clock is 40 days ahead"),
        ({"free_mb": 3.0}, "board orin: its disk is full (3 MB are free)"),
    ],
)
def test_one_that_does_not_is_refused_by_name(fitting, change, said):
    refusal = refusal_of("orin", replace(fitting, **change), {"nano:/s": "nano"}, now_s=1e9)
    assert refusal is not None
    assert said in refusal.what
    assert refusal.fixes


def test_what_is_to_be_installed_is_installed_by_the_boards_own_python(fitting):
    without = replace(fitting, distributed=None)
    refusal = refusal_of("orin", without, {}, now_s=1e9, python="~/venv/bin/python")
    assert refusal is not None
    assert refusal.fixes[0].words == "`~/venv/bin/python -m pip install 'edgetui[fleet]'` there"


def test_a_clock_is_set_from_the_machine_that_knows_the_time(fitting):
    wrong = replace(fitting, wall_s=0.0)
    refusal = refusal_of("nano", wrong, {}, now_s=1.7e9, login="docker exec -i box")
    assert refusal is not None
    assert "`docker exec -i box sudo date -s @$(date +%s)`" in refusal.fixes[0].words
