"""What a search for settings may set on a machine, and what candidates are built and run with then."""

from __future__ import annotations

import pytest
from edgetui.engine.schema.settings import BackendSettings, TensorRtSettings
from edgetui.engine.work.setting_knobs import Offered

ORT = BackendSettings()
TRT = BackendSettings(name="tensorrt")


def choices(backend: BackendSettings, cores: int = 4) -> dict[str, tuple[object, ...]]:
    return {knob.name: knob.choices for knob in Offered(backend, mix=False, cores=cores).knobs}


def test_a_backend_offers_what_its_card_has():
    here = choices(ORT)
    assert here["threads"] == (1, 2, 4)
    assert here["graph"] == ("all", "extended", "basic")
    board = choices(TRT)
    assert board["optimization_level"] == (3, 4, 5)
    assert board["cuda_graph"] == ("off", "on")
    assert "threads" not in board
    assert "fp16" in board["format"]
    assert {"threads", "graph"}.isdisjoint(choices(BackendSettings(name="torch"))), "PyTorch has one number for a process"


def test_one_core_has_nothing_to_choose_of_threads():
    assert "threads" not in choices(ORT, cores=1)


def test_what_somebody_has_set_stays():
    assert "threads" not in choices(BackendSettings(threads=3))
    assert "graph" not in choices(BackendSettings(graph="basic"))
    said = BackendSettings(name="tensorrt", tensorrt=TensorRtSettings(optimization_level=2))
    assert "optimization_level" not in choices(said)
    assert "cuda_graph" in choices(said)


def test_what_a_backend_has_by_itself_is_no_change():
    offered = Offered(ORT, mix=False, cores=4)
    assert offered.plain["threads"] == 4
    assert offered.backend_of(offered.plain) is None
    assert offered.words(offered.plain) == ("calibrator=percentile", "channels=0.0", "factors=1.0", "format=fp32")


@pytest.mark.parametrize(
    ("backend", "change", "found"),
    [
        (ORT, {"threads": 1, "graph": "basic"}, BackendSettings(threads=1, graph="basic")),
        (ORT, {"threads": 2}, BackendSettings(threads=2)),
        (
            TRT,
            {"optimization_level": 5, "cuda_graph": "on"},
            BackendSettings(name="tensorrt", tensorrt=TensorRtSettings(optimization_level=5, cuda_graph=True)),
        ),
        (TRT, {"cuda_graph": "on"}, BackendSettings(name="tensorrt", tensorrt=TensorRtSettings(cuda_graph=True))),
    ],
)
def test_a_candidate_has_settings_of_its_own(backend: BackendSettings, change: dict[str, int | str], found: BackendSettings):
    offered = Offered(backend, mix=False, cores=4)
    assert offered.backend_of(offered.plain | change) == found


def test_what_does_not_move_outputs_is_checked_once():
    offered = Offered(ORT, mix=False, cores=4)
    plain, slow, other = (offered.plain | change for change in ({}, {"threads": 1}, {"threads": 1, "graph": "basic"}))
    assert offered.words(slow) != offered.words(plain)
    assert offered.words(slow, outputs=True) == offered.words(plain, outputs=True)
    assert offered.words(other, outputs=True) != offered.words(plain, outputs=True)
    assert "threads=1" not in offered.words(other, outputs=True)


def test_seeds_are_choices_and_one_thread_is_tried():
    for backend in (ORT, TRT):
        offered = Offered(backend, mix=True, cores=4)
        for seed in offered.seeds:
            assert all(seed[knob.name] in knob.choices for knob in offered.knobs)
    assert any(seed.get("threads") == 1 for seed in Offered(ORT, mix=False, cores=4).seeds)


def test_weights_are_made_zero_where_the_packed_size_is_limited():
    offered = Offered(ORT, mix=False, limited=("gzip_mb",), cores=4)
    assert "zeros" in {knob.name for knob in offered.knobs}
    assert any(seed["zeros"] for seed in offered.seeds)
    assert "zeros" not in choices(ORT)
