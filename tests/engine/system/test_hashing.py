"""Hashes of a few letters are SHA-256, whichever way they are made."""

from __future__ import annotations

import hashlib

from edgetui.engine.system.hashing import short_hash
from hypothesis import given
from hypothesis import strategies as st


@given(st.binary(max_size=200))
def test_a_short_hash_is_sha256(told: bytes) -> None:
    assert short_hash(told) == hashlib.sha256(told).hexdigest()
