"""asyncio without TLS, of which screens and commands have none: OpenSSL takes 4.5 MB and a thirtieth of the start."""

from __future__ import annotations

import sys


def import_asyncio() -> None:
    """Have asyncio do without `ssl`, as it does where Python was built without; whoever imports `ssl` later gets it."""
    if "asyncio" in sys.modules or "ssl" in sys.modules:
        return
    sys.modules["ssl"] = None  # type: ignore[assignment]
    try:
        import asyncio  # noqa: F401
    finally:
        del sys.modules["ssl"]
