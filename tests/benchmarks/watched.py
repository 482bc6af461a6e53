"""What a screen and the sampler cost who is measured: the same plan timed with them awake and with them stopped, in pairs.

    make bench-watched BENCH_ARGS="--pairs 40"

The screen is `edgetui monitor` on a pseudo-terminal of 160x45 at its 4 Hz, with the sampler that it starts, on a laid-out
board. Both are stopped (SIGSTOP) for one half of each pair, in an order that is drawn, so that whatever else the machine does
meets both halves alike. Wanted: less than 1 % on two cores.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import signal
import struct
import sys
import tempfile
import termios
import threading
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import psutil
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.measure.issuer import timed_once
from edgetui.engine.measure.statistics import paired_ratio
from edgetui.engine.schema.settings import BackendSettings
from laid_boards import write_device_tree, write_ina3221
from onnx import TensorProto, helper, numpy_helper

HALF_S, SETTLE_S, WARM_S = 2.0, 0.3, 6.0


def main() -> int:
    """Print the share and its interval; exit 1 where 1 % or more is shown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=40)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        infer = plan(Path(folder))
        pid, fd = screen(Path(folder))
        threading.Thread(target=drain, args=(fd,), daemon=True).start()
        time.sleep(WARM_S)
        watchers = [process for process in psutil.process_iter() if of_home(process, folder)]
        print(f"{os.cpu_count()} cores, others use {psutil.cpu_percent(2.0):.0f} %; awake: {', '.join(map(name_of, watchers))}")
        if not any("sampler" in name_of(process) for process in watchers):
            print("no sampler was started: there is nothing to compare with")
            return 1
        try:
            quiet, watched = halves(infer, watchers, asked.pairs)
        finally:
            for process in watchers:
                with suppress(psutil.NoSuchProcess):
                    process.resume()
                    process.kill()
            os.waitpid(pid, 0)
    value, low, high = paired_ratio(quiet, watched)
    within = "" if low is None or high is None else f" [{100 * (low - 1):+.2f}, {100 * (high - 1):+.2f}]"
    means = f"{quiet.mean():.4f} ms without, {watched.mean():.4f} ms with them"
    print(f"{means}: {100 * (value - 1):+.2f} %{within}; wanted: below 1 %")
    return 1 if low is not None and low > 1.01 else 0


def halves(infer, watchers: list[psutil.Process], pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean ms of each half of each pair: watchers stopped, and awake."""
    draw = np.random.default_rng(0)
    order = draw.permutation(np.arange(pairs) % 2)
    found = {False: [], True: []}
    for first in order.tolist():
        for awake in (bool(first), not first):
            for process in watchers:
                process.resume() if awake else process.suspend()
            time.sleep(SETTLE_S)
            end, times = time.perf_counter() + HALF_S, []
            while time.perf_counter() < end:
                times.append(timed_once(infer))
            found[awake].append(np.mean(times) / 1e6)
    return np.array(found[False]), np.array(found[True])


def plan(folder: Path):
    """An inference of about 0.2 ms, one thread."""
    path = folder / "chain.onnx"
    weight = numpy_helper.from_array(np.full((256, 256), 0.01, np.float32), "w")
    names = ["x", *(f"h{k}" for k in range(35)), "y"]
    nodes = [helper.make_node("MatMul", [a, "w"], [b]) for a, b in pairwise(names)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [8, 256]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return OnnxRuntime().load(path, BackendSettings(threads=1)).timed({"x": np.ones((8, 256), np.float32)})


def screen(folder: Path) -> tuple[int, int]:
    """`edgetui monitor` on a terminal of its own, on a board with sensors."""
    root = folder / "root"
    write_device_tree(root, "nvidia,p3768-0000+p3767-0005-super", "nvidia,tegra234")
    rails = {"VDD_IN": (5000, 800), "VDD_CPU_GPU_CV": (5000, 100), "VDD_SOC": (5000, 100)}
    write_ina3221(root, "/sys/devices/1-0040/hwmon/hwmon1", rails, hwmon="hwmon1")
    pid, fd = pty.fork()
    if pid == 0:
        own = {"XDG_STATE_HOME": str(folder / "state"), "EDGETUI_ROOT": str(root), "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        os.environ.update(own)
        os.execvp(sys.executable, [sys.executable, "-m", "edgetui", "monitor"])  # noqa: S606
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 45, 160, 0, 0))
    os.kill(pid, signal.SIGWINCH)
    return pid, fd


def drain(fd: int) -> None:
    """A terminal that takes what comes."""
    with suppress(OSError):
        while os.read(fd, 1 << 16):
            pass


def of_home(process: psutil.Process, folder: str) -> bool:
    """Whether a process is of this benchmark's own home, and not this one."""
    try:
        return process.pid != os.getpid() and process.environ().get("XDG_STATE_HOME", "").startswith(folder)
    except psutil.Error:
        return False


def name_of(process: psutil.Process) -> str:
    """`monitor` or `sampler`, by what it was started with."""
    words = " ".join(process.cmdline())
    return next((word for word in ("sampler", "monitor") if word in words), words)


if __name__ == "__main__":
    sys.exit(main())
