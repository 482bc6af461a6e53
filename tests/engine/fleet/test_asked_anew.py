"""Who asks for the same again means what was asked for anew last, on that board."""

from __future__ import annotations

import os
import time

from edgetui.engine.fleet.asked_anew import AskedAnew


def test_what_was_asked_for_anew_last_is_meant_from_then_on(tmp_path):
    anew = AskedAnew(tmp_path)
    assert anew.salt(b"same", "one", "") == ""
    assert anew.salt(b"same", "one", "first") == "first"
    assert anew.salt(b"same", "one", "second") == "second"
    assert AskedAnew(tmp_path).salt(b"same", "one", "") == "second"
    assert anew.salt(b"same", "two", "") == "", "of another board nothing was asked anew"
    assert anew.salt(b"other", "one", "") == ""


def test_what_nobody_has_asked_for_in_30_days_is_forgotten_and_where_nothing_can_be_written_it_is_anew_all_the_same(tmp_path):
    anew = AskedAnew(tmp_path)
    anew.salt(b"old", "one", "a")
    (file,) = (tmp_path / "anew").iterdir()
    os.utime(file, (0, time.time() - 31 * 86_400))
    anew.salt(b"new", "one", "b")
    assert anew.salt(b"old", "one", "") == ""
    assert anew.salt(b"new", "one", "") == "b"
    (tmp_path / "file").write_text("")
    assert AskedAnew(tmp_path / "file").salt(b"x", "one", "c") == "c"
