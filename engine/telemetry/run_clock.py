"""How the seconds of a run lie on the clock of samples. Apart, because what folds events needs nothing else of telemetry."""

from __future__ import annotations

from typing import NamedTuple


class RunClock(NamedTuple):
    """Where a run's second 0 lies."""

    zero_s: float
    """In monotonic seconds; where it is not exact, at the latest."""
    exact: bool
    from_t: float = 0.0
    """The run's second at which it was begun or taken up again. A resume counts on where the run was, however long that is ago:
    what is older has no place."""
