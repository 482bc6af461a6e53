"""What this board's sensors tell, what they do not, and what would mend that. Changes nothing; takes a third of a second."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from importlib import metadata
from typing import Literal, NamedTuple

from ..errors import EdgetuiError
from ..system import tensorrt_here
from ..system.boards import Board, detect
from ..system.patience import has_hung
from ..system.power_modes import power_modes
from ..system.root_files import Files
from ..telemetry import board_stamp
from ..telemetry.channel import GPU_LOAD, MODULE_POWER, POWER_MODE_HANGS, Notes, Remark
from ..telemetry.sample import Sample
from ..telemetry.single_sample import once
from ..telemetry.source_choice import Choice
from ..telemetry.sources.rails import find_rails

_PACKAGES = ("/usr/lib", "/usr/local/lib")
_NO_TREE = "no device tree can be seen here, as in a container"


class Finding(NamedTuple):
    """One thing that was looked at."""

    name: str
    state: Literal["good", "note"]
    """`note`: works, but should be known."""
    text: str
    mend: str = ""
    """A command or an act; empty: nothing to do."""
    of_board: bool = False
    """It changes the board's state, which a container has no hand on."""


def findings(files: Files | None = None) -> tuple[Finding, ...]:
    """Everything about sensors and the board's state."""
    files = files or Files()
    board = detect(files)
    found = [*_profile(board)]
    try:
        sample, choice = once("auto", files)
    except EdgetuiError as error:
        found.append(Finding("telemetry", "note", error.what, error.fix))
    else:
        found += [_source(choice), *_power(files, board, sample, choice), _temperatures(sample)]
        found += [*_gpu(board, sample, choice), *_memory_bandwidth(board, sample)]
        found += [*_power_mode(files, board, sample, choice), *_throttling(sample)]
    found += [*_clocks(files, board), *_jtop(files), *_tensorrt(board), *_swap(files)]
    outside = board.hidden and not _hangs("device-tree", "devicetree")
    return tuple(_outside(one) if outside else one for one in found)


def _hangs(*parts: str) -> str:
    """The first file with one of these in its path that gave no answer; empty: there is none."""
    return next((name for name in has_hung() if any(part in name for part in parts)), "")


def _outside(finding: Finding) -> Finding:
    """A container has no board to set: what mends the board's state is done on the machine itself."""
    return finding._replace(mend=f"outside the container: {finding.mend}") if finding.of_board else finding


def _profile(board: Board) -> Iterator[Finding]:
    if board.hidden:
        why = "the device tree gives no answer" if _hangs("device-tree", "devicetree") else _NO_TREE
        text = f"{why}: the module has no name, the total follows from its rails"
        yield Finding("board profile", "note", text)
    elif not board.known:
        yield Finding(
            "board profile",
            "note",
            f"no profile knows {', '.join(board.compatible) or board.name}: rails are shown, without a total",
            "add a file to profiles/boards/ with the module's number and the rails that make its total",
        )
    elif board.profile.note:
        yield Finding("board profile", "good", board.profile.note)


def _source(choice: Choice) -> Finding:
    passed = "; ".join(f"{name}: {why}" for name, why in choice.passed_over.items())
    return Finding("telemetry", "good", choice.source.name + (f" (passed over: {passed})" if passed else ""))


def _power(files: Files, board: Board, sample: Sample, choice: Choice) -> Iterator[Finding]:
    root_only = _root_only(files, "/sys/class/powercap/intel-rapl:0/energy_uj")
    if root_only:
        mend = "run as root, or: sudo chmod o+r /sys/class/powercap/intel-rapl:*/energy_uj (until the next start)"
        yield Finding("processor power", "note", "only root may read the energy counter", mend)
    if not sample.rails_mw:
        if not root_only:
            yield _no_sensor(files, board)
        return
    rails = ", ".join(
        f"{name} -{_because(sample, name)}" if mw is None else f"{name} {mw} mW" for name, mw in sample.rails_mw.items()
    )
    if sample.total_mw is None:
        why = _no_total(board, sample, choice)
        yield Finding("power", "note", f"{rails}; no total" + (f" ({why})" if why else ""))
    else:
        step = board.profile.power_step_mw
        grid = f", in steps of {step} mW" if step else ""
        yield Finding("power", "good", f"{rails}; total {sample.total_mw} mW ({sample.total_scope}{grid})")
    limits = {rail.name: rail.warn_ma for rail in find_rails(files, Notes()) if rail.warn_ma is not None}
    if limits:
        text = ", ".join(f"{name} at {milliamps / 1000:g} A" for name, milliamps in limits.items())
        yield Finding("over-current warning", "good", text)


def _no_sensor(files: Files, board: Board) -> Finding:
    """Nearly every Jetson has a sensor: where none is seen its driver is missing or hangs, or we are shut off from it."""
    unknown = "power and energy stay unknown"
    hangs = _hangs("/hwmon", "/i2c", "/iio", "/powercap")
    if hangs:
        text = f"no power sensor can be looked for, since {hangs.removeprefix(files.root)} gives no answer: {unknown}"
        return Finding("power", "note", text)
    if board.jetson and not board.known:
        where = ", as in a container that hides /sys/class/hwmon" if board.hidden else ""
        return Finding("power", "note", f"no power sensor can be seen here{where}: {unknown}")
    if not board.profile.rails:
        return Finding("power", "note", f"this machine has no power sensor: {unknown}")
    rails = ", ".join(board.profile.rails)
    text = f"the module's power sensor ({rails}) cannot be seen: no driver is loaded, or this kernel's device tree has no"
    return Finding("power", "note", f"{text} node for it; {unknown}", "sudo modprobe ina3221")


def _no_total(board: Board, sample: Sample, choice: Choice) -> str:
    """Why the rails that are there make no total; empty: no rule is known for them."""
    told = choice.source.remark(MODULE_POWER)
    missing = [rail for rail in (board.profile.total[-1].rails if board.profile.total else ()) if rail not in sample.rails_mw]
    return told.text if told else (f"the module's own {', '.join(missing)} cannot be seen" if missing else "")


def _temperatures(sample: Sample) -> Finding:
    """A block that is gated answers EAGAIN or -256 °C: it is off, which is no fault."""
    if not sample.temps_c:
        return Finding("temperatures", "note", "this machine tells none")
    silent = [zone for zone, degrees in sample.temps_c.items() if degrees is None]
    off = [zone for zone in silent if zone not in sample.silent]
    failing = [f"{zone}{_because(sample, zone)}" for zone in silent if zone in sample.silent]
    parts = [
        f"{len(sample.temps_c)} zones"
        + (f", warmest {sample.hottest[0]} at {sample.hottest[1]:g} °C" if sample.hottest else "")
    ]
    parts += [f"off now: {', '.join(off)}"] if off else []
    parts += [f"no reading: {', '.join(failing)}"] if failing else []
    return Finding("temperatures", "note" if failing else "good", "; ".join(parts))


def _because(sample: Sample, name: str) -> str:
    """` (the sensor does not answer)`; empty: it is at no fault."""
    return f" ({sample.silent[name]})" if name in sample.silent else ""


def _gpu(board: Board, sample: Sample, choice: Choice) -> Iterator[Finding]:
    named = [f"{many} × {model}" if many > 1 else model for model, many in Counter(choice.source.gpus).items()]
    if sample.gpu_load_pct is not None:
        clocks = ", ".join(f"{mhz:g} MHz" for mhz in sample.gpu_freq_mhz)
        busy = f"{sample.gpu_load_pct:g} % busy" + (f" at {clocks}" if clocks else "")
        yield Finding("GPU", "good", "; ".join([*named, busy]))
    elif named:
        yield Finding("GPU", "good", "; ".join([*named, "its driver does not tell how busy it is"]))
    elif board.jetson:
        why = choice.source.remark(GPU_LOAD) or Remark("GPU load cannot be read")
        yield Finding("GPU", "note", why.text, why.mend)


def _memory_bandwidth(board: Board, sample: Sample) -> Iterator[Finding]:
    if board.jetson and sample.emc_load_pct is None:
        yield Finding("memory bandwidth", "note", "only root may read it", "sudo edgetui monitor shows it", of_board=True)
    elif sample.emc_load_pct is not None:
        yield Finding("memory bandwidth", "good", f"{sample.emc_load_pct:g} % used")


def _power_mode(files: Files, board: Board, sample: Sample, choice: Choice) -> Iterator[Finding]:
    if not board.jetson:
        return
    modes = ", ".join(f"{number} {name}" for number, name in power_modes(files).items())
    if choice.source.remark(POWER_MODE_HANGS):
        status = f"; it was {sample.power_mode} when it was set" if sample.power_mode else ""
        mend = "try again when the board is less busy"
        yield Finding("power mode", "note", f"`nvpmodel -q` gives no answer{status}", mend, of_board=True)
    elif sample.power_mode is None:
        yield Finding("power mode", "note", "nvpmodel does not tell it", "sudo nvpmodel -q", of_board=True)
    else:
        yield Finding("power mode", "good", sample.power_mode + (f"; sudo nvpmodel -m N sets {modes}" if modes else ""))


def _throttling(sample: Sample) -> Iterator[Finding]:
    if sample.throttled:
        yield Finding(
            "throttling", "note", f"clocks are held down now: {', '.join(sample.throttled)}", "let it cool, or feed it better"
        )
    events = {name: int(count) for name, count in sample.counters.items() if name.startswith("oc") and count}
    if events:
        text = ", ".join(f"{name} {count} times" for name, count in events.items())
        yield Finding(
            "over-current throttling", "note", f"since the start: {text}", "use a stronger supply, or a lower power mode"
        )


def _clocks(files: Files, board: Board) -> Iterator[Finding]:
    found = board_stamp.clocks(files)
    if found == "floating":
        mend = "sudo jetson_clocks" if board.jetson else "sudo cpupower frequency-set -g performance"
        text = f"floating ({board_stamp.governor(files) or 'unknown'} governor): latencies scatter more"
        yield Finding("clocks", "note", text, mend, of_board=True)
    elif found == "locked":
        yield Finding("clocks", "good", "locked")


def _jtop(files: Files) -> Iterator[Finding]:
    """Jtop's client and service must agree in the first two numbers of their version."""
    if not files.exists("/run/jtop.sock"):
        return
    try:
        ours = metadata.version("jetson-stats")
    except metadata.PackageNotFoundError:
        yield Finding("jtop", "note", "its service runs; not needed here, sysfs tells the same")
        return
    theirs = next(_versions(files, "jetson_stats"), None)
    same = theirs is None or theirs.split(".")[:2] == ours.split(".")[:2]
    text = f"client {ours}, service {theirs or 'of unknown version'}"
    yield Finding("jtop", "good" if same else "note", text, "" if same else f"pip install 'jetson-stats=={theirs}'")


def _tensorrt(board: Board) -> Iterator[Finding]:
    """Which interpreter has TensorRT: JetPack's is bound to the system's Python."""
    if not board.jetson:
        return
    ours = f"python{sys.version_info.major}.{sys.version_info.minor}"
    holders, trtexec = tensorrt_here.system_pythons(), tensorrt_here.trtexec()
    if ours in holders or "python3" in holders:
        yield Finding("TensorRT", "good", f"for {', '.join(holders)}" + (f", and {trtexec}" if trtexec else ""))
    elif holders or trtexec:
        where = f"for {', '.join(holders)} only, not for {ours}" if holders else f"not for {ours}"
        mend = "" if trtexec else "sudo apt install libnvinfer-bin"
        yield Finding("TensorRT", "note", where + (f"; {trtexec} serves instead" if trtexec else ""), mend)
    else:
        yield Finding("TensorRT", "note", "not installed", "sudo apt install tensorrt")


def _swap(files: Files) -> Iterator[Finding]:
    devices = [line.split()[0] for line in (files.text("/proc/swaps") or "").splitlines()[1:] if line.split()]
    zram = [name for name in devices if "zram" in name]
    if zram:
        text = f"{len(zram)} of {len(devices)} swap devices are compressed RAM (zram): swapping costs processor time"
        mend = "sudo systemctl disable --now nvzramconfig, and a swap file on an SSD"
        yield Finding("swap", "note", text, mend, of_board=True)


def _versions(files: Files, package: str) -> Iterator[str]:
    """Versions of a package that the system's interpreters have."""
    for base in _PACKAGES:
        for python in files.under(base):
            for name in files.names(f"{python}/dist-packages"):
                found = re.fullmatch(rf"{package}-([\d.]+)\.(?:dist|egg)-info", name)
                if found:
                    yield found[1]


def _root_only(files: Files, path: str) -> bool:
    return files.exists(path) and files.why_not(path) == "only root may read it"
