"""What the doctor finds about sensors on the trees of real boards."""

from __future__ import annotations

import pytest
from edgetui.engine.doctor.sensors import Finding, findings


class Seen(dict[str, Finding]):
    """Findings by name."""

    def text(self, name: str) -> str:
        return self[name].text if name in self else ""


def look() -> Seen:
    return Seen({finding.name: finding for finding in findings()})


def test_power_of_a_board_with_its_step(lay_out) -> None:
    lay_out("agx_orin_r35")
    seen = look()
    assert "total 6826 mW (module, in steps of 400 mW)" in seen.text("power")
    assert seen.text("clocks").startswith("floating (schedutil governor)")
    assert "3 MODE_50W" in seen.text("power mode")
    assert "GPU-therm" in seen.text("temperatures")


def test_what_needs_root_says_so(lay_out) -> None:
    lay_out("orin_nano_super_r36", as_root=False)
    seen = look()
    finding = seen.get("memory bandwidth")
    assert finding is not None
    assert (finding.state, "root" in finding.text) == ("note", True)
    assert seen.text("over-current warning") == "VDD_IN at 7.784 A"


def test_a_thor_counts_its_throttling_and_has_no_load_without_nvml(lay_out) -> None:
    lay_out("agx_thor_r38")
    seen = look()
    assert seen.text("over-current throttling") == "since the start: oc3 12 times"
    gpu = seen.get("GPU")
    assert gpu is not None
    assert gpu.mend == "pip install 'edgetui[nvml]'"


def test_an_unknown_board_says_what_to_add(lay_out) -> None:
    board = lay_out("orin_nano_super_r36")
    board.write("/sys/firmware/devicetree/base/compatible", "nvidia,p9999-0001\0nvidia,tegra234\0")
    seen = look()
    finding = seen.get("board profile")
    assert finding is not None
    assert "p9999-0001" in finding.text
    assert "profiles/boards/" in finding.mend
    assert seen.text("power").endswith("no total")


@pytest.mark.parametrize(
    ("python", "expected"),
    [("python3.99", "for python3.99 only"), ("python3", "for python3"), (None, "not installed")],
)
def test_which_interpreter_has_tensorrt(lay_out, python: str | None, expected: str) -> None:
    board = lay_out("orin_nano_super_r36")
    if python:
        board.write(f"/usr/lib/{python}/dist-packages/tensorrt/__init__.py", "")
    seen = look()
    assert seen.text("TensorRT").startswith(expected)


def test_trtexec_serves_where_the_interpreter_has_no_tensorrt(lay_out) -> None:
    board = lay_out("orin_nano_super_r36")
    board.write("/usr/src/tensorrt/bin/trtexec", "")
    board.path("/usr/src/tensorrt/bin/trtexec").chmod(0o755)
    seen = look()
    assert "serves instead" in seen.text("TensorRT")


def test_compressed_swap_is_pointed_out(lay_out) -> None:
    board = lay_out("nano_r32")
    board.write("/proc/swaps", "Filename Type Size Used Priority\n/dev/zram0 partition 507408 0 5\n/swap file 4194300 0 -2\n")
    seen = look()
    assert seen.text("swap").startswith("1 of 2 swap devices")


def test_a_service_of_jtop_that_is_not_needed(lay_out) -> None:
    board = lay_out("nano_r32")
    board.write("/run/jtop.sock", "")
    seen = look()
    assert "not needed" in seen.text("jtop")


def test_a_computer_without_power_sensor(lay_out) -> None:
    lay_out("x86_rapl", as_root=False)
    seen = look()
    assert seen.text("power").startswith("this machine has no power sensor")
    assert "jetson: this is not a Jetson" in seen.text("telemetry")
    assert seen.get("power mode") is None
    assert seen.get("TensorRT") is None
