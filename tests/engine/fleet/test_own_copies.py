"""What a board has already is linked, when it is what would be sent; nothing is ever written into it."""

from __future__ import annotations

import pytest
from edgetui.engine.fleet import received
from edgetui.engine.fleet.bundles import pack_path


@pytest.fixture
def images(tmp_path):
    for name in ("here", "there"):
        for number in range(3):
            file = tmp_path / name / "cats" / f"{number}.bin"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(bytes([number]) * 100)
    return pack_path(tmp_path / "here")[0].bundle, tmp_path / "there", tmp_path / "board"


def test_the_same_folder_is_linked_and_nothing_is_to_be_sent(images):
    bundle, there, home = images
    assert received.adopt(home, bundle, str(there)) == ""
    assert received.have(home, bundle) == bundle.size_bytes
    assert received.missing(home, [bundle.id]) == ()
    folder = received.folder_of(home, bundle.id)
    assert folder.is_symlink()
    assert (folder / "cats" / "2.bin").read_bytes() == b"\2" * 100


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda there: (there / "cats" / "1.bin").write_bytes(b"x" * 100), "cats/1.bin is another"),
        (lambda there: (there / "more.bin").write_bytes(b"x"), "it has more.bin besides"),
        (lambda there: (there / "cats" / "0.bin").unlink(), "it has no cats/0.bin"),
        (lambda there: there.rename(there.with_name("elsewhere")), "there is nothing"),
    ],
)
def test_what_is_another_is_not(images, change, why):
    bundle, there, home = images
    change(there)
    assert received.adopt(home, bundle, str(there)) == why
    assert received.have(home, bundle) == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda there: (there / "cats" / "1.bin").write_bytes(b"another"),
        lambda there: (there / "cats" / "1.bin").unlink(),
        lambda there: (there / "cats" / "new.bin").write_bytes(b"new"),
    ],
)
def test_what_has_changed_since_stands_for_it_no_more_and_is_left_as_it_is(images, change):
    bundle, there, home = images
    received.adopt(home, bundle, str(there))
    change(there)
    files = {path: path.read_bytes() for path in there.rglob("*.bin")}
    assert received.missing(home, [bundle.id]) == (bundle.id,)
    assert received.have(home, bundle) == 0
    received.put(home, bundle, 0, bytes(10))
    assert {path: path.read_bytes() for path in there.rglob("*.bin")} == files


def test_one_file_is_linked_by_the_name_that_it_has_here(tmp_path):
    (tmp_path / "ours.npz").write_bytes(b"numbers")
    (tmp_path / "theirs.npz").write_bytes(b"numbers")
    packed, name = pack_path(tmp_path / "ours.npz")
    assert received.adopt(tmp_path / "board", packed.bundle, str(tmp_path / "theirs.npz")) == ""
    assert (received.folder_of(tmp_path / "board", packed.bundle.id) / name).read_bytes() == b"numbers"


def test_a_link_that_was_made_and_not_marked_is_never_written_through(tmp_path):
    (tmp_path / "ours.npz").write_bytes(b"numbers")
    (tmp_path / "theirs.npz").write_bytes(b"numbers")
    packed, _ = pack_path(tmp_path / "ours.npz")
    home = tmp_path / "board"
    received.adopt(home, packed.bundle, str(tmp_path / "theirs.npz"))
    (home / "fleet" / "files" / f"{packed.bundle.id}.whole").unlink()  # as who is killed in between leaves it
    (tmp_path / "theirs.npz").write_bytes(b"num")
    assert received.put(home, packed.bundle, 0, b"numbers") == 7
    assert (tmp_path / "theirs.npz").read_bytes() == b"num"


def test_what_nobody_asks_for_loses_its_link_alone(images):
    bundle, there, home = images
    received.adopt(home, bundle, str(there))
    mark = home / "fleet" / "files" / f"{bundle.id}.whole"
    received.forget_old(home, mark.stat().st_mtime + received.KEPT_S + 1)
    assert not received.folder_of(home, bundle.id).exists()
    assert len(list(there.rglob("*.bin"))) == 3
