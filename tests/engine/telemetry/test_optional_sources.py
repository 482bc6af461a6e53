"""NVML and jtop behind fakes of the machine's border: a module `pynvml`, a module `jtop` and its service's socket."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest
from edgetui.engine.doctor.sensors import findings
from edgetui.engine.system.patience import unanswered
from edgetui.engine.system.root_files import Files
from edgetui.engine.telemetry.energy import energy_of
from edgetui.engine.telemetry.single_sample import once
from edgetui.engine.telemetry.source_choice import ORDER, choose
from edgetui.engine.telemetry.sources.source import SourceRefused
from laid_boards import write_files
from processes import wait_until

PYNVML = """
NVML_TEMPERATURE_GPU = NVML_CLOCK_GRAPHICS = 0
NVML_CLOCK_MEM = 2
NVML_ERROR_NOT_SUPPORTED = 3
STATE = {"names": ["NVIDIA H100"], "fields": True, "mj": 1000.0, "driver": True, "reasons": 0, "shut": 0, "asked": 0}
STATE["no_memory"] = ()

class NVMLError(Exception):
    def __init__(self, value):
        super().__init__(f"NVML error {value}")
        self.value = value

class Box:
    def __init__(self, **named):
        self.__dict__.update(named)

def nvmlInit():
    if not STATE["driver"]:
        raise NVMLError(12)
def nvmlShutdown(): STATE["shut"] += 1
def nvmlDeviceGetCount(): return len(STATE["names"])
def nvmlDeviceGetHandleByIndex(k): return k
def nvmlDeviceGetName(k): return STATE["names"][k].encode()
def nvmlDeviceGetPowerUsage(k): return 70000 + k
def nvmlDeviceGetTotalEnergyConsumption(k):
    STATE["mj"] += 5000.0
    return STATE["mj"]
def nvmlDeviceGetFieldValues(k, numbers):
    STATE["asked"] += 1
    milliwatts = {185: 100000, 186: 120000}[numbers[0]] + k
    return [Box(nvmlReturn=0 if STATE["fields"] else 3, value=Box(uiVal=milliwatts))]
def nvmlDeviceGetUtilizationRates(k): return Box(gpu=40 + k, memory=1)
def nvmlDeviceGetTemperature(k, sensor): return 55
def nvmlDeviceGetClockInfo(k, kind): return 1980 if kind == 0 else 2619
def nvmlDeviceGetMemoryInfo(k):
    if k in STATE["no_memory"]:
        raise NVMLError(3)
    return Box(used=(3 + k) << 30, total=80 << 30)
def nvmlDeviceGetCurrentClocksThrottleReasons(k):
    if STATE["reasons"] is None:
        raise NVMLError(3)
    return STATE["reasons"]
"""


@pytest.fixture
def pynvml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "pynvml.py").write_text(PYNVML)
    monkeypatch.syspath_prepend(str(tmp_path))
    import pynvml

    yield pynvml
    sys.modules.pop("pynvml")


def test_a_card_with_two_powers_and_a_counter(pynvml) -> None:
    source = choose("nvml", Files()).source
    sample = source.read(100.0)
    assert sample is not None
    assert {name: sample.rails_mw[name] for name in ("GPU instant", "GPU average")} == {
        "GPU instant": 120000,
        "GPU average": 100000,
    }
    assert (sample.total_mw, sample.total_scope) == (120000, "gpu")
    assert (sample.gpu_load_pct, sample.gpu_freq_mhz, sample.temps_c["GPU"]) == (40.0, (1980.0,), 55.0)
    assert (sample.gpu_ram_used_mb, sample.gpu_ram_total_mb) == (3072.0, 81920.0)
    assert sample.throttled == ()
    assert sample.ram_total_mb is not None
    source.close()
    assert pynvml.STATE["shut"] == 1


def test_energy_of_a_card_is_the_difference_of_its_counter(pynvml) -> None:
    source = choose("nvml", Files()).source
    samples = [source.read(100.0 + k * 0.1) for k in range(31)]
    figure = energy_of([sample for sample in samples if sample], 100.5, 102.5)
    assert figure.method == "counter"
    assert figure.joules == pytest.approx(20 * 5.0)
    source.close()


def test_an_older_card_has_one_power_and_is_not_asked_for_fields_again(pynvml) -> None:
    pynvml.STATE["fields"] = False
    source = choose("nvml", Files()).source
    for k in range(5):
        sample = source.read(100.0 + k)
    assert sample is not None
    assert sample.rails_mw["GPU"] == sample.total_mw == 70000
    assert "GPU instant" not in sample.rails_mw
    assert pynvml.STATE["asked"] == 2
    source.close()


@pytest.mark.parametrize(("fields", "averaged_s"), [(True, None), (False, 1.0)])
def test_a_card_says_whether_its_power_is_a_mean(pynvml, fields: bool, averaged_s: float | None) -> None:
    pynvml.STATE["fields"] = fields
    source = choose("nvml", Files()).source
    source.read(100.0)
    assert source.averaged_s == averaged_s
    source.close()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["NVIDIA H100 80GB HBM3"], "NVIDIA H100 80GB HBM3; 40 % busy at 1980 MHz"),
        (["NVIDIA A10", "NVIDIA A10"], "2 × NVIDIA A10; 41 % busy at 1980 MHz, 1980 MHz"),
    ],
)
def test_the_doctor_names_cards_as_their_driver_does(
    pynvml, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], said: str
) -> None:
    write_files(tmp_path / "root", {"/proc/stat": "cpu 1 0 1 9 0 0 0 0 0 0\ncpu0 1 0 1 9 0 0 0 0 0 0\n"})
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path / "root"))
    pynvml.STATE["names"] = names
    assert {finding.name: finding.text for finding in findings()}["GPU"] == said


def test_two_cards_and_what_throttles_them(pynvml) -> None:
    pynvml.STATE["names"], pynvml.STATE["reasons"] = ["NVIDIA A10", "NVIDIA A10"], 0x4 | 0x40 | 0x1
    source = choose("nvml", Files()).source
    sample = source.read(100.0)
    assert sample is not None
    assert sample.total_mw == 240001
    assert sample.gpu_load_pct == 41.0
    assert sample.throttled == ("power cap", "thermal (hardware)")
    source.close()


def test_memory_and_clocks_are_those_of_all_cards(pynvml) -> None:
    pynvml.STATE["names"] = ["NVIDIA A10", "NVIDIA A10"]
    source = choose("nvml", Files()).source
    sample = source.read(100.0)
    assert sample is not None
    assert (sample.gpu_ram_used_mb, sample.gpu_ram_total_mb) == (7168.0, 163840.0)
    assert sample.clocks_mhz == {"GPU 0 memory": 2619.0, "GPU 1 memory": 2619.0}
    source.close()


def test_a_card_that_does_not_tell_its_memory_leaves_no_sum(pynvml) -> None:
    pynvml.STATE["names"], pynvml.STATE["no_memory"] = ["NVIDIA A10", "NVIDIA A10"], (1,)
    source = choose("nvml", Files()).source
    sample = source.read(100.0)
    assert sample is not None
    assert (sample.gpu_ram_used_mb, sample.gpu_ram_total_mb) == (None, None)
    assert any(note.startswith("GPU 1 memory") for note in source.notes())
    source.close()


@pytest.mark.parametrize(("used", "total"), [(0, 2**64 - 1), (5 << 30, 1 << 30)])
def test_memory_that_a_driver_invents_is_unknown(pynvml, monkeypatch: pytest.MonkeyPatch, used: int, total: int) -> None:
    monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", lambda _: pynvml.Box(used=used, total=total))
    source = choose("nvml", Files()).source
    sample = source.read(100.0)
    assert sample is not None
    assert (sample.gpu_ram_used_mb, sample.gpu_ram_total_mb) == (None, None)
    source.close()


def test_what_a_card_does_not_tell_is_unknown(pynvml) -> None:
    pynvml.STATE["reasons"] = None
    source = choose("nvml", Files()).source
    sample = source.read(100.0)
    assert sample is not None
    assert sample.throttled is None
    assert any("throttling" in note for note in source.notes())
    source.close()


@pytest.mark.parametrize(
    ("state", "why"),
    [({"names": ["Orin (nvgpu)"]}, "part of a Jetson"), ({"names": []}, "no card"), ({"driver": False}, "no NVIDIA driver")],
)
def test_why_nvml_is_passed_over(pynvml, state, why: str) -> None:
    pynvml.STATE.update(state)
    choice = choose("auto", Files())
    assert choice.source.name == "host"
    assert why in choice.passed_over["nvml"]
    assert list(choice.passed_over) == [name for name in ORDER if name != "host"]
    choice.source.close()


def test_a_driver_that_hangs_is_passed_over(pynvml, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    monkeypatch.setattr(pynvml, "nvmlInit", gate.wait)
    sample, choice = once("auto")
    gate.set()
    wait_until(lambda: not unanswered())
    assert choice.source.name == "host"
    assert choice.passed_over["nvml"] == "the NVIDIA driver gives no answer within 1 s"
    assert sample.ram_total_mb is not None


def test_what_a_driver_does_not_answer_is_unknown_and_the_rest_is_there(pynvml, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    monkeypatch.setattr(pynvml, "nvmlDeviceGetTemperature", lambda *_: gate.wait())
    sample, choice = once("nvml")
    gate.set()
    wait_until(lambda: not unanswered())
    assert choice.source.name == "nvml"
    assert "GPU" not in sample.temps_c
    assert (sample.gpu_load_pct, sample.total_mw) == (40.0, 120000)


def test_a_thor_takes_its_load_from_nvml(pynvml, lay_out) -> None:
    pynvml.STATE["names"] = ["NVIDIA Thor (nvgpu)"]
    lay_out("agx_thor_r38")
    sample, choice = once("auto")
    assert choice.source.name == "jetson"
    assert sample.gpu_load_pct == 40.0
    assert sample.power_mode == "120W"


JTOP = """
import time

class NvpModel:
    name = "15W"

class jtop:
    def __init__(self, interval): self.interval = interval
    def __enter__(self): return self
    def __exit__(self, *_): return False
    def ok(self):
        time.sleep(0.05)
        return True
    power = {"rail": {"VDD_IN": {"power": 5200, "avg": 5000}, "VDD_SOC": {"power": 1500}, "NC": {"power": 0}},
             "tot": {"power": 99999}}
    gpu = {"gpu": {"status": {"load": 12.5}, "freq": {"cur": 612000}}}
    cpu = {"cpu": [{"online": True, "idle": 75.0, "freq": {"cur": 1497600}}, {"online": False}]}
    memory = {"RAM": {"tot": 7803904, "used": 1048576}, "SWAP": {"tot": 2048, "used": 0}, "EMC": {"cur": 2133000, "val": 61}}
    temperature = {"CPU": {"temp": 45.5, "online": True}, "CV0": {"temp": -256, "online": False}}
    fan = {"pwmfan": {"speed": [30.0], "rpm": [2200]}}
    nvpmodel = NvpModel()
"""


@pytest.fixture
def fake_jtop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lay_out):
    board = lay_out("orin_nano_super_r36")
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "jtop.py").write_text(JTOP)
    monkeypatch.syspath_prepend(str(packages))
    monkeypatch.setenv("PYTHONPATH", str(packages))
    board.write("/run/jtop.sock", "")
    return board


def test_jtop_is_read_in_a_process_of_its_own(fake_jtop) -> None:
    source = choose("jtop", Files(), 5.0).source
    read = []
    wait_until(lambda: read.append(source.read(time.monotonic())) or read[-1] is not None)
    source.close()
    sample = read[-1]
    assert "jtop" not in sys.modules
    assert sample.rails_mw == {"VDD_IN": 5200, "VDD_SOC": 1500}
    assert (sample.total_mw, sample.total_scope) == (5200, "module")
    assert (sample.gpu_load_pct, sample.gpu_freq_mhz) == (12.5, (612.0,))
    assert (sample.cpu_load_pct, sample.cpu_freq_mhz) == ((25.0, None), (1497.6, None))
    assert (sample.ram_used_mb, sample.temps_c, sample.fan_rpm, sample.power_mode) == (
        1024.0,
        {"CPU": 45.5, "CV0": None},
        2200.0,
        "15W",
    )


def test_a_service_that_does_not_answer_is_passed_over(fake_jtop, tmp_path: Path) -> None:
    (tmp_path / "packages" / "jtop.py").write_text("raise ImportError('another version')\n")
    with pytest.raises(SourceRefused, match="same version"):
        choose("jtop", Files())


def test_without_the_service_jtop_is_not_tried(lay_out) -> None:
    lay_out("orin_nano_super_r36")
    with pytest.raises(SourceRefused, match="does not run"):
        choose("jtop", Files())
