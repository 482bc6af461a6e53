"""What a sweep measures here: points of all that was named, those that cannot be measured with their reasons, and how long it
takes.

Apart from `sweep_rounds.py`, which says what is next.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from ..advice.sweep_answer import OF_POWER, parse_want
from ..backends.cards import CARDS
from ..errors import UsageError, nearest
from ..schema.power_mode import PowerMode
from ..schema.ready import ready
from ..schema.settings import BackendSettings, BackendTable, Preset, owners, settings_with
from ..schema.sweep import Setting, SweepDevice, SweepPoint, SweepRequest, SweepTime
from ..schema.sweep_shot import Shot
from ..system.hashing import short_hash
from .sweep_rounds import MORE_ROUNDS

WINDOW_S: dict[Preset, float] = {"quick": 1.0, "normal": 2.0, "precise": 5.0}
ROUNDS: dict[Preset, int] = {"quick": 2, "normal": 3, "precise": 5}
POWERED_S = 1.5
"""What a sensor of a usual rate adds to a window: it is waited for after a new load, and looks at the idle board."""
LOAD_S, WARM_UP_S, BEGIN_S, BUILD_S = 0.5, 1.0, 2.5, 1.0
SWITCH_S, COOL_S, COOL_MOST_S = 3.0, 5.0, 120.0
MOST_POINTS = 500
PLAN = "model"
"""What a plan of a sweep is called; behind it stands what its backend's plans end with."""


class Dimensions(Struct, frozen=True, kw_only=True):
    """What was named; an empty dimension stays as it is."""

    modes: tuple[PowerMode, ...] = ()
    batches: tuple[int, ...] = ()
    streams: tuple[int, ...] = ()
    threads: tuple[int, ...] = ()
    devices: tuple[SweepDevice, ...] = ()
    settings: dict[str, tuple[Setting, ...]] = {}


def points_of(wanted: Dimensions) -> tuple[SweepPoint, ...]:
    """Every combination.

    Raises:
        UsageError: there are more than anybody waits for.
    """
    modes: Sequence[str | None] = [mode.name for mode in wanted.modes] or [None]
    names = list(wanted.settings)
    parts: Sequence[Sequence[Any]] = (
        modes,
        wanted.devices or [None],
        wanted.threads or [None],
        wanted.batches or [None],
        wanted.streams or [1],
        [dict(zip(names, values, strict=True)) for values in itertools.product(*wanted.settings.values())],
    )
    many = 1
    for part in parts:
        many *= len(part)
    if many > MOST_POINTS:
        raise UsageError(
            f"{many} rows would be measured, of {MOST_POINTS} at most", fix="leave out a mode, or a value of a flag"
        )
    return tuple(
        SweepPoint(mode=mode, device=device, threads=threads, batch=batch, streams=streams, settings=settings)
        for mode, device, threads, batch, streams, settings in itertools.product(*parts)
    )


def read_setting(backend: BackendSettings, key: str, text: str) -> Setting:
    """A value of a backend's setting, as `--set` has it.

    Raises:
        UsageError: the backend has no such setting, or the value is none of its.
    """
    table = BackendTable().of(backend.name)
    if key in ("threads", "device", "dla_core", "target") or key not in table.__struct_fields__:
        flag = {"threads": "--threads", "device": "--device", "dla_core": "--device dla0"}.get(key)
        known = [name for name in table.__struct_fields__ if name not in ("threads", "device", "dla_core", "target", "trust")]
        whose = f"; it is one of {owners(key)[0]}'s" if owners(key) else ""
        raise UsageError(
            f"{backend.name} has no setting `{key}` that is swept{whose}", fix=f"write {flag}" if flag else nearest(key, known)
        )
    words: dict[str, Setting] = {"on": True, "true": True, "off": False, "false": False}
    kind = next(field.type for field in msgspec.structs.fields(table) if field.name == key)
    for value in (words.get(text), text):
        if value is not None:
            try:
                found: Setting = msgspec.convert(value, ready(kind), strict=False)
            except msgspec.ValidationError:
                continue
            return found
    raise UsageError(f"`{text}` is no value of {key}", fix=f"`edgetui config backend.{backend.name}.{key}` says what it is")


def settings_of(backend: BackendSettings, point: SweepPoint) -> BackendSettings:
    """What a point is executed with."""
    table = backend if backend.name == "onnxruntime" else backend.own
    changes: dict[str, Any] = dict(point.settings)
    if point.threads is not None:
        changes["threads"] = point.threads
    if point.device is not None and backend.name == "tensorrt":
        changes["dla_core"] = int(point.device[3:]) if point.device.startswith("dla") else None
    elif point.device is not None and backend.name == "torch":
        changes["device"] = point.device
    changed = msgspec.structs.replace(table, **changes)
    return changed if isinstance(changed, BackendSettings) else settings_with(backend.name, changed)


def executed_with(backend: BackendSettings, point: SweepPoint) -> BackendSettings:
    """The same without what any machine has: by what is left it follows whether this one executes the point."""
    return settings_of(backend, msgspec.structs.replace(point, threads=None))


def refuse_backend(backend: BackendSettings) -> None:
    """Refuse what is not here to execute anything, as far as that can be told without importing it.

    Raises:
        BackendRefused: it is not.
    """
    if refused := CARDS[backend.name].refuse_here():
        raise refused


def typed_settings(backend: BackendSettings, said: Mapping[str, object]) -> BackendSettings:
    """A backend's settings with others, as people type them: `threads` 2, `graph` off.

    Raises:
        UsageError: the backend has no such setting, or no such value.
    """
    others = {name: read_setting(backend, name, str(value)) for name, value in said.items() if name != "threads"}
    threads = said.get("threads")
    return settings_of(backend, SweepPoint(threads=int(str(threads)) if threads else None, settings=others))


def unmeasured(backend: BackendSettings, point: SweepPoint, *, plan: bool, dla_cores: int) -> str:
    """Why a point cannot be measured; empty: nothing known."""
    card = CARDS[backend.name]
    if point.streams > 1 and card.one_stream:
        return card.one_stream
    if point.streams > 1 and card.flat_out_only():
        return card.flat_out_only()
    if point.threads is not None and "threads" not in BackendTable().of(backend.name).__struct_fields__:
        return f"{card.title} has no number of threads"
    return _no_device(card.title, backend.name, point, plan=plan, dla_cores=dla_cores)


def _no_device(title: str, name: str, point: SweepPoint, *, plan: bool, dla_cores: int) -> str:
    if point.device is None:
        return ""
    known = {"tensorrt": ("gpu", "dla0", "dla1"), "torch": ("cpu", "cuda")}.get(name, ("cpu",))
    if point.device not in known:
        return f"{title} does not run on {point.device}"
    if name == "tensorrt" and plan:
        return "a plan was built for its device: sweep the model"
    if point.device.startswith("dla") and int(point.device[3:]) >= dla_cores:
        return f"this board has {f'{dla_cores} DLA core' if dla_cores else 'no DLA'}"
    return ""


def plan_key(asked: SweepRequest, point: SweepPoint) -> str:
    """What tells a point's plan from those of others: the batch, and settings that it is built with."""
    card, settings = CARDS[asked.backend.name], settings_of(asked.backend, point)
    parts: list[object] = [point.batch]
    if not card.runs_models:
        table = msgspec.to_builtins(settings.own)
        parts.append({key: value for key, value in table.items() if key not in card.run_only})
    return short_hash(msgspec.json.encode(parts, order="sorted"))[:12]


def threads_up_to(cores: int) -> tuple[int, ...]:
    """1, 2, 4 and so on, and all of them."""
    counts = [1]
    while counts[-1] * 2 < cores:
        counts.append(counts[-1] * 2)
    return tuple(dict.fromkeys([*counts, max(1, cores)]))


def shapes_of(asked: SweepRequest, point: SweepPoint) -> dict[str, tuple[int, ...]]:
    """Of the model's inputs with the point's batch."""
    if point.batch is None:
        return asked.shapes
    return {name: (point.batch, *shape[1:]) if shape else shape for name, shape in asked.shapes.items()}


def refuse_unmeasurable(want: str, has_power: bool) -> None:
    """Refuse a limit on what no sensor here tells, before anything is switched or measured.

    Raises:
        UsageError: there is one.
    """
    limited = [limit.key for limit in parse_want(want) if limit.key in OF_POWER]
    if limited and not has_power:
        raise UsageError(
            f"no sensor here tells the power, so {limited[0]} cannot be limited",
            fix="`edgetui doctor` says what is missing; or limit fps or latency_ms",
        )


def left_s(
    asked: SweepRequest,
    shots: Sequence[Shot],
    not_come: Collection[str],
    more: Collection[int] | None = None,
    *,
    built: bool = False,
) -> float:
    """By what is still to be measured, in seconds. `not_come`: modes whose points never are. `more`: points that are left of a
    further round, whose end alone can be told; None: it is in none. `built`: no plan has to be.
    """
    known: dict[int, int] = {}
    for shot in shots:
        known[shot.point] = asked.rounds if shot.reason else known.get(shot.point, 0) + 1
    for number, point in enumerate(asked.points):
        if more is not None:
            known[number] = asked.rounds - (number in more)
        elif point.mode in not_come:
            known[number] = asked.rounds
    return sweep_time(asked, known, built=built).about_s


def sweep_time(asked: SweepRequest, known: Mapping[int, int] | None = None, *, built: bool = False) -> SweepTime:
    """How long it takes, and at most. `known`: rounds that points have already; `built`: their plans are there."""
    left = {
        number: max(0, asked.rounds - (known or {}).get(number, 0))
        for number in range(len(asked.points))
        if number not in asked.reasons
    }
    of_modes: dict[str | None, int] = {}
    for number, many in left.items():
        of_modes[asked.points[number].mode] = max(many, of_modes.get(asked.points[number].mode, 0))
    windows, blocks = sum(left.values()), sum(of_modes.values())
    each_s = WINDOW_S[asked.preset] + WARM_UP_S + LOAD_S + (POWERED_S if asked.has_power else 0.0)
    switched = len(asked.modes)
    block_s = BEGIN_S + (2 * POWERED_S if asked.has_power else 0.0) + (SWITCH_S + COOL_S if switched else 0.0)
    plans = len({plan_key(asked, point) for point in asked.points}) if windows and not (asked.plan or built) else 0
    about_s = windows * each_s + blocks * block_s + plans * BUILD_S
    more = MORE_ROUNDS * len(left) * each_s if windows else 0.0
    most_s = about_s + more + (blocks + MORE_ROUNDS * switched) * (COOL_MOST_S if switched else 0.0)
    return SweepTime(
        rows=len(asked.points),
        modes=switched,
        rounds=asked.rounds,
        about_s=round(about_s, 1),
        most_s=round(most_s, 1),
        reasons=tuple(dict.fromkeys(asked.reasons.values())),
    )
