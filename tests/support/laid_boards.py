"""Boards laid out in a folder, from the trees in `shared/data/sysfs`, and a recording as a board would make it."""

from __future__ import annotations

import fnmatch
import json
import math
import os
import shlex
from pathlib import Path
from typing import Any


class Laid:
    """A board's tree below `root`, and what a correct reader gets from it."""

    def __init__(self, root: Path, document: dict[str, Any], *, as_root: bool) -> None:
        self.root, self.document, self.expect = root, document, document["expect"]
        hidden = [] if as_root else document["root_only"]
        for path, content in document["files"].items():
            if not any(fnmatch.fnmatch(path, pattern) for pattern in hidden):
                self.write(path, content)
        for link, target in document.get("symlinks", {}).items():
            place = self.path(link)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(os.path.relpath(self.path(target), place.parent))

    def path(self, path: str) -> Path:
        return Path(f"{self.root}{path}")

    def write(self, path: str, content: str) -> None:
        place = self.path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)

    def a_second_later(self) -> None:
        for path, content in self.document["later"].items():
            self.write(path, content)


def lay_out_board(tree: Path, folder: Path, *, as_root: bool = True) -> tuple[Laid, dict[str, str]]:
    """Lay a board and its commands out below `folder`; returns it and the variables that point there."""
    document = json.loads(tree.read_text())
    laid = Laid(folder / "board", document, as_root=as_root)
    commands = folder / "bin"
    commands.mkdir()
    for line, output in document.get("commands", {}).items():
        program = commands / line.split()[0]
        program.write_text(f"#!/bin/sh\nprintf %s {shlex.quote(output)}\n")
        program.chmod(0o755)
    return laid, {"EDGETUI_ROOT": str(laid.root), "PATH": f"{commands}:{os.environ['PATH']}"}


def write_recording(path: Path, seconds: int = 240) -> Path:
    """A recording at 1 Hz: a wave of load, a mark after a minute, an alert from 1:30 to 2:00, half a line at its end."""

    def wall(k: float) -> str:
        return f"2026-11-20T14:{int(k) // 60:02d}:{k % 60:06.3f}+00:00"

    lines: list[dict[str, Any]] = [
        {"kind": "recording", "version": 1, "board": "Jetson Orin Nano 8GB", "source": "jetson", "rate_hz": 1.0}
        | {"power_step_mw": 40, "t_s": 1000.0, "wall": wall(0)}
    ]
    for k in range(seconds):
        load = max(0.0, math.sin(k / 20))
        total = int(5000 + 6000 * load)
        lines.append(
            {"t_s": 1000.0 + k, "wall": wall(k), "source": "jetson", "total_mw": total, "total_scope": "module"}
            | {"rails_mw": {"VDD_IN": total, "VDD_CPU_GPU_CV": int(1200 + 5000 * load), "VDD_SOC": 1700}}
            | {"gpu_load_pct": round(95 * load, 1), "gpu_freq_mhz": [306.0], "emc_load_pct": 12.0}
            | {"cpu_load_pct": [20.0, 30.0, None], "cpu_freq_mhz": [1510.0, 1510.0, None], "power_mode": "25W"}
            | {"ram_used_mb": 3000.0 + k, "ram_total_mb": 7620.0, "swap_used_mb": 0.0, "swap_total_mb": 3810.0}
            | {"temps_c": {"cpu-thermal": 45 + 10 * load, "cv0-thermal": None}, "clocks_mhz": {"EMC": 2133.0}}
            | {"fan_rpm": 1500.0, "counters": {"oc1": 0}, "throttled": []}
        )
        if k == 60:
            lines.append({"kind": "mark", "t_s": 1060.5, "wall": wall(60.5), "note": "the drone turns"})
        if k in (90, 120):
            about = {"rule": "temperature above 54 °C", "raised": k == 90, "value": 54.5, "detail": "cpu-thermal"}
            lines.append({"kind": "alert", "t_s": 1000.0 + k, "wall": wall(k)} | about)
    path.write_text("".join(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n" for line in lines) + '{"t_s":12')
    return path


def write_files(root: Path, files: dict[str, str]) -> None:
    """Lay files below `root`, by their absolute paths."""
    for path, content in files.items():
        place = Path(f"{root}{path}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)


def write_ina3221(root: Path, folder: str, rails: dict[str, tuple[int, int]], *, hwmon: str | None = None) -> None:
    """An INA3221 with labels, each with its mV and mA; `hwmon` makes the link of the class to a device's own folder."""
    files = {f"{folder}/name": "ina3221\n"}
    for k, (label, (millivolts, milliamps)) in enumerate(rails.items(), 1):
        label = label.partition("#")[0]  # two channels of one name: `A` and `A#2`
        files |= {f"{folder}/in{k}_label": f"{label}\n", f"{folder}/in{k}_enable": "1\n"}
        files |= {f"{folder}/in{k}_input": f"{millivolts}\n", f"{folder}/curr{k}_input": f"{milliamps}\n"}
    write_files(root, files | {f"{folder}/in7_label": "sum of shunt voltages\n", f"{folder}/in7_input": "99\n"})
    if hwmon is not None:
        link = Path(f"{root}/sys/class/hwmon/{hwmon}")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(f"{root}{folder}", link.parent))


def write_device_tree(root: Path, *compatible: str) -> None:
    """What the firmware calls the board."""
    write_files(root, {"/proc/device-tree/compatible": "".join(f"{name}\0" for name in compatible)})
