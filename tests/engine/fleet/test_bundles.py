"""Files go over a link in pieces, by content: cut anywhere they go on there, and what arrives is what was sent."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.config import PACKAGE
from edgetui.engine.errors import DataRefused, StorageRefused
from edgetui.engine.fleet import bundles, received
from edgetui.engine.fleet.bundles import pack_path, paths_of, portable
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.schema.spec import RunSpec
from edgetui.engine.schema.steps import PruneMagnitude, Recipe
from hypothesis import given, settings
from hypothesis import strategies as st

DEMO = PACKAGE / "profiles" / "demo"


def ported(spec):
    return portable([msgspec.to_builtins(spec)], paths_of(spec), {})


def send(packed, home, cut_at=()):
    """As a front does, every piece; at `cut_at` the answer is lost and it begins anew with asking."""
    offset, sent = received.have(home, packed.bundle), 0
    while offset < packed.bundle.size_bytes:
        piece = packed.piece(offset)
        sent += len(piece)
        offset = received.put(home, packed.bundle, offset, piece)
        if sent in cut_at:
            offset = received.have(home, packed.bundle)
    return sent


@settings(max_examples=15)
@given(sizes=st.lists(st.integers(0, 40), min_size=1, max_size=5), piece=st.integers(1, 50))
def test_a_folder_arrives_whole_in_pieces_of_any_size(tmp_path_factory, sizes, piece):
    here, there = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("there")
    for number, size in enumerate(sizes):
        (here / f"{number % 2}").mkdir(exist_ok=True)
        (here / f"{number % 2}" / f"{number}.bin").write_bytes(bytes([number]) * size)
    packed, name = pack_path(here)
    before, bundles.PIECE_BYTES = bundles.PIECE_BYTES, piece
    try:
        sent = send(packed, there)
    finally:
        bundles.PIECE_BYTES = before
    assert name == ""
    assert sent == sum(sizes)
    folder = received.folder_of(there, packed.bundle.id)
    assert {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*.bin")} == {
        p.relative_to(here): p.read_bytes() for p in here.rglob("*.bin")
    }
    assert received.missing(there, [packed.bundle.id]) == ()
    assert send(packed, there) == 0


def test_a_plan_goes_with_what_says_who_built_it(tmp_path):
    for name in ("a.plan", "a.plan.json", "a.json", "b.plan.json"):
        (tmp_path / name).write_bytes(name.encode())
    packed, name = pack_path(tmp_path / "a.plan")
    assert name == "a.plan"
    assert [file.name for file in packed.bundle.files] == ["a.plan", "a.plan.json"]


@pytest.fixture
def large(tmp_path, monkeypatch):
    monkeypatch.setattr(bundles, "PIECE_BYTES", 1000)
    (tmp_path / "large.bin").write_bytes(bytes(range(256)) * 40)
    return pack_path(tmp_path / "large.bin")[0]


def test_a_cut_link_goes_on_where_it_ended(large, tmp_path):
    home = tmp_path / "board"
    received.have(home, large.bundle)
    offset = received.put(home, large.bundle, 0, large.piece(0))
    assert offset == 1000
    assert received.have(home, large.bundle) == 1000
    # what is sent twice, because its answer was lost, and what comes from elsewhere, is not taken twice
    assert received.put(home, large.bundle, 0, large.piece(0)) == 1000
    assert received.put(home, large.bundle, 5000, large.piece(5000)) == 1000
    assert send(large, home, cut_at=(2000,)) == large.bundle.size_bytes - 1000
    assert (received.folder_of(home, large.bundle.id) / "large.bin").read_bytes() == (tmp_path / "large.bin").read_bytes()


def test_what_arrives_damaged_is_not_kept(large, tmp_path):
    home = tmp_path / "board"
    received.have(home, large.bundle)
    wrong = bytes(large.bundle.size_bytes)
    with pytest.raises(DataRefused, match=r"large.bin did not arrive as it was sent"):
        received.put(home, large.bundle, 0, wrong)
    assert received.have(home, large.bundle) == 0
    assert received.missing(home, [large.bundle.id]) == (large.bundle.id,)


def test_what_no_run_has_asked_for_in_a_month_makes_room(large, tmp_path):
    home = tmp_path / "board"
    send(large, home)
    received.forget_old(home, time.time() + received.KEPT_S - 60)
    assert received.missing(home, [large.bundle.id]) == ()
    received.forget_old(home, time.time() + received.KEPT_S + 60)
    assert received.missing(home, [large.bundle.id]) == (large.bundle.id,)
    assert not received.folder_of(home, large.bundle.id).exists()
    assert send(large, home) == large.bundle.size_bytes


def test_a_full_disk_is_said_before_the_first_byte(disk, tmp_path):
    (tmp_path / "model.bin").write_bytes(bytes(30_000_000))
    packed, _ = pack_path(tmp_path / "model.bin")
    with pytest.raises(StorageRefused, match=r"no room for model.bin: 30 MB are to come, 2\d are free"):
        received.have(disk("24m") / "home", packed.bundle)


@pytest.mark.parametrize("name", ["../out", "/etc/passwd", "a/../../b", ""])
def test_a_name_that_leads_out_of_its_folder_is_refused(tmp_path, name):
    bundle = bundles.Bundle(id="ab12", files=(bundles.BundleFile(name=name, size_bytes=1, sha256=""),))
    with pytest.raises(DataRefused, match="no name for a file"):
        received.have(tmp_path, bundle)


def test_paths_of_a_spec_are_the_boards_and_its_key_is_of_contents(tmp_path):
    def spec(folder):
        model = folder / "digits.onnx"
        model.parent.mkdir(exist_ok=True)
        model.write_bytes((DEMO / "digits.onnx").read_bytes())
        data = read_dataset(str(DEMO / "digits.toml"), {})
        return RunSpec(model=str(model), recipe=Recipe(name="p", step=(PruneMagnitude(amount=0.3),)), dataset=data)

    first, packed = ported(spec(tmp_path / "a"))
    again, _ = ported(spec(tmp_path / "b"))
    assert first == again
    assert str(tmp_path).encode() not in first
    (tmp_path / "c").mkdir()
    other = spec(tmp_path / "c")
    (tmp_path / "c" / "digits.onnx").write_bytes(b"another")
    assert ported(other)[0] != first
    for each in packed.values():
        send(each, tmp_path / "board")
    (placed,) = received.placed_specs(tmp_path / "board", first)
    assert msgspec.structs.replace(placed, model="", dataset=None) == msgspec.structs.replace(
        spec(tmp_path / "a"), model="", dataset=None
    )
    assert placed.model.startswith(str(tmp_path / "board"))
    assert placed.dataset is not None
    assert Path(placed.dataset.path).read_bytes() == (DEMO / "digits.npz").read_bytes()
