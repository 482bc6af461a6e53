"""A board laid out in a folder, whose power, temperature and load move; it is what the screen's sampler reads."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from laid_boards import write_device_tree, write_files, write_ina3221

CHIP = "/sys/devices/1-0040/hwmon/hwmon1"
HZ = 20.0


def still_board(root: Path) -> dict[str, str]:
    """Three rails, temperatures, GPU, processors and memory that stay as they are; the variable that points there."""
    write_device_tree(root, "nvidia,p3768-0000+p3767-0005-super", "nvidia,tegra234")
    rails = {"VDD_IN": (5000, 1200), "VDD_CPU_GPU_CV": (5000, 500), "VDD_SOC": (5000, 300)}
    write_ina3221(root, CHIP, rails, hwmon="hwmon1")
    zones = {f"/sys/class/thermal/thermal_zone{n}/type": f"{name}-thermal\n" for n, name in enumerate(("cpu", "gpu", "tj"))}
    heat = {f"/sys/class/thermal/thermal_zone{n}/temp": "51000\n" for n in range(3)}
    cores = "".join(f"cpu{n} 50000 0 12500 1125000 250 0 60 0 0 0\n" for n in range(6))
    others = {
        "/sys/devices/platform/gpu.0/load": "610\n",
        "/proc/stat": f"cpu  300000 0 75000 6750000 1500 0 360 0 0 0\n{cores}",
        "/proc/meminfo": "MemTotal: 7803904 kB\nMemAvailable: 4700000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n",
    }
    write_files(root, zones | heat | others)
    return {"EDGETUI_ROOT": str(root)}


@contextmanager
def moving_board(root: Path) -> Iterator[dict[str, str]]:
    """The same, changed twenty times a second, with noise and waves as boards have them."""
    env, stop = still_board(root), threading.Event()
    thread = threading.Thread(target=_move, args=(root, stop), daemon=True)
    thread.start()
    try:
        yield env
    finally:
        stop.set()
        thread.join()


def _move(root: Path, stop: threading.Event) -> None:
    draw, beat = random.Random(7), 0
    while not stop.wait(1 / HZ):
        beat += 1
        wave = math.sin(beat / HZ / 20)
        said = {
            f"{CHIP}/curr{n}_input": f"{(1200, 500, 300)[n - 1] * (1 + 0.2 * wave) + draw.gauss(0, 8):.0f}\n" for n in (1, 2, 3)
        }
        said |= {
            f"/sys/class/thermal/thermal_zone{n}/temp": f"{51000 + 4000 * wave + draw.gauss(0, 60):.0f}\n" for n in range(3)
        }
        said["/sys/devices/platform/gpu.0/load"] = f"{610 + 250 * wave + draw.gauss(0, 20):.0f}\n"
        for path, text in said.items():
            Path(f"{root}{path}").write_text(text)
