"""Files into a folder: whole or not there, gone on with where they were cut off, and never over another file unsaid."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from edgetui.engine.errors import ConfigRefused, StorageRefused, UsageError
from edgetui.engine.fleet.far_folder import look, send
from edgetui.engine.fleet.fits_there import misfits, targets_of
from edgetui.engine.fleet.places import parse_place, remember_place, used_places
from edgetui.engine.schema.deployment import DeployedFile
from edgetui.engine.schema.fleet import FleetBoard

ODD = "a plan; $(touch owned) 'quoted' *.engine"


def made(folder: Path, name: str, data: bytes) -> DeployedFile:
    (folder / name).write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    return DeployedFile(name=name, path=str(folder / name), bytes=len(data), sha256=digest)


async def put(to: Path, file: DeployedFile, *, replace: bool = False) -> list[int]:
    place, heard = parse_place(str(to)), []
    (far,) = (await look(place, [file])).files
    await send(place, file, far, lambda _name, at, _whole: heard.append(at), replace=replace)
    return heard


async def test_a_file_of_any_name_arrives_as_it_was_and_nothing_else_does(tmp_path):
    file, to = made(tmp_path, ODD, b"plan" * 9000), tmp_path / "to; rm -rf $HOME"
    assert (await look(parse_place(str(to)), [file])).new
    await put(to, file)
    assert [each.name for each in to.iterdir()] == [ODD]
    assert (to / ODD).read_bytes() == b"plan" * 9000
    assert (await look(parse_place(str(to)), [file])).files[0].sha256 == file.sha256
    assert not list(tmp_path.rglob("owned"))


async def test_what_was_cut_off_goes_on_where_it_was(tmp_path):
    file, to = made(tmp_path, "model.onnx", bytes(range(256)) * 4000), tmp_path / "to"
    to.mkdir()
    (to / f".model.onnx.{file.sha256[:16]}.part").write_bytes((bytes(range(256)) * 4000)[:500_000])
    with Path(file.path).open("r+b") as begun:
        begun.write(b"what is there already is not read again")
    assert (await put(to, file))[-1] == file.bytes
    assert [each.name for each in to.iterdir()] == ["model.onnx"]


async def test_what_did_not_arrive_as_it_was_sent_gets_no_name_and_is_sent_anew(tmp_path):
    file, to = made(tmp_path, "model.onnx", b"right" * 100), tmp_path / "to"
    to.mkdir()
    (to / f".model.onnx.{file.sha256[:16]}.part").write_bytes(b"wrong" * 50)
    with pytest.raises(StorageRefused, match="not arrive here as it was sent"):
        await put(to, file)
    assert not list(to.iterdir())
    await put(to, file)
    assert (to / "model.onnx").read_bytes() == b"right" * 100


async def test_another_file_is_written_over_only_where_that_was_said(tmp_path):
    file, to = made(tmp_path, "model.onnx", b"mine"), tmp_path / "to"
    to.mkdir()
    (to / "model.onnx").write_bytes(b"theirs")
    with pytest.raises(StorageRefused, match=r"another model\.onnx"):
        await put(to, file)
    assert (to / "model.onnx").read_bytes() == b"theirs"
    await put(to, file, replace=True)
    assert (to / "model.onnx").read_bytes() == b"mine"


async def test_a_disk_that_is_full_is_known_before_and_leaves_nothing(tmp_path, disk):
    to = disk("1200k")
    file = made(tmp_path, "model.onnx", b"x" * 900_000)
    place = parse_place(str(to))
    with pytest.raises(StorageRefused, match="no room at"):
        await look(place, [file])
    (to / "filler").write_bytes(b"x" * 500_000)
    (far,) = (await look(place, [made(tmp_path, "small", b"")])).files
    with pytest.raises(StorageRefused, match="no space left at"):
        await send(place, file, far, lambda *_: None, replace=False)
    assert [each.name for each in to.iterdir()] == ["filler"]


async def test_a_folder_that_cannot_be_is_said(tmp_path):
    file = made(tmp_path, "model.onnx", b"x")
    with pytest.raises(StorageRefused, match=r"there is no folder .*missing here"):
        await look(parse_place(str(tmp_path / "missing" / "to")), [file])
    with pytest.raises(StorageRefused, match="is a file; name a folder"):
        await look(parse_place(str(tmp_path / "model.onnx")), [file])


def test_places_are_read_as_they_are_typed(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGETUI_FLEET", str(tmp_path / "fleet.toml"))
    assert parse_place("me@orin:-odd").folder == "./-odd"
    (tmp_path / "fleet.toml").write_text('[[board]]\nname = "orin"\nhost = "me@10.0.0.7"\n')
    there = parse_place("orin:~/models")
    assert (there.board.host, there.folder, there.of_fleet) == ("me@10.0.0.7", "./models", True)
    assert parse_place("orin:/opt/m").folder == "/opt/m"
    assert parse_place("./orin:x").here
    for text in ("orin", "me@somewhere", "orin:", ":x", "-oProxyCommand=x:y", "a b:c", "ssh://orin/x", "x\ny"):
        with pytest.raises(UsageError):
            parse_place(text)
    (tmp_path / "fleet.toml").write_text("[[board]]\n")
    with pytest.raises(ConfigRefused):
        parse_place("orin:x")


def test_places_that_were_used_come_first(tmp_path):
    assert used_places(tmp_path) == ()
    for text in ("a:1", "b:2", "a:1"):
        remember_place(tmp_path, text)
    assert used_places(tmp_path) == ("a:1", "b:2")
    (tmp_path / "deployed.json").write_bytes(b"{")
    assert used_places(tmp_path) == ()


MANIFEST = '{"edgetui": "1", "module": "tensorrt", "tensorrt": "10.3.0", "targets": ["sm_87"]}'


def test_a_plan_for_another_gpu_or_another_tensorrt_is_said(tmp_path):
    plan = tmp_path / "plan.engine"
    (tmp_path / "plan.engine.json").write_text(MANIFEST)
    orin = {"compatible": ("nvidia,p3767-0005 nvidia,tegra234",), "nvinfer": ("libnvinfer.so.10.3.0",)}
    assert not list(misfits(plan, orin, "on orin"))
    assert not list(misfits(plan, {}, "on orin")), "what nobody knows is not said"
    xavier = {"compatible": ("nvidia,tegra194",), "nvinfer": ("libnvinfer.so.8.5.2", "libnvinfer.so.8")}
    assert list(misfits(plan, xavier, "on nx")) == [
        "plan.engine was built for sm_87, and the GPU on nx is sm_72: it will not load there",
        "plan.engine was built with TensorRT 10.3.0, and on nx it is 8.5.2: it will not load there",
    ]
    assert targets_of({"gpu": ("8.6", "[N/A]")}) == ("sm_86",)
    (said,) = misfits(tmp_path / "plan.onnx", {"machine": ("riscv64",)}, "on x")
    assert "it is riscv64" in said


async def test_what_a_machine_says_of_itself_is_heard(tmp_path):
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/compatible").write_bytes(b"nvidia,p3767-0005\0nvidia,tegra234\0")
    (tmp_path / "usr/lib/aarch64-linux-gnu").mkdir(parents=True)
    (tmp_path / "usr/lib/aarch64-linux-gnu/libnvinfer.so.10.3.0").touch()
    board = FleetBoard(name="orin", host="localhost", env={"EDGETUI_ROOT": str(tmp_path)})
    there = await look(parse_place(str(tmp_path))._replace(board=board), [])
    assert targets_of(there.facts) == ("sm_87",)
    assert there.facts["nvinfer"] == ("libnvinfer.so.10.3.0",)
