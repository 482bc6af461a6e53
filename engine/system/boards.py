"""Boards: what machine this is, by the profiles in `profiles/boards/`.

A board is known by the module number in the device tree's `compatible` list (never by the model string, which changes
with the release). One that no profile knows works all the same: rails are shown, without a total.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from ..errors import ConfigRefused
from ..schema.ready import ready
from .cpu import online_cores, read_processor
from .memory import read_memory
from .patience import patiently
from .root_files import Files

PROFILES = Path(__file__).resolve().parents[2] / "profiles"
_MB = 1e6
_CHIPS = {"33": "tegra210", "24": "tegra186", "25": "tegra194", "35": "tegra234", "38": "tegra264", "64": "tegra124"}
"""Numbers that the fuses have for a chip."""
_GPUS = {
    "57000000.gpu": "tegra210",
    "17000000.gp10b": "tegra186",
    "17000000.gv11b": "tegra194",
    "17000000.ga10b": "tegra234",
    "17000000.gpu": "tegra234",
    "gpu-gpc-0": "tegra264",
}
"""Where each chip has its GPU, as NVIDIA's drivers name it; upstream's driver has no such folder."""
TARGETS = {
    "tegra124": ("sm_32",),
    "tegra210": ("sm_53",),
    "tegra186": ("sm_62",),
    "tegra194": ("sm_72",),
    "tegra234": ("sm_87",),
    "tegra264": ("sm_110", "sm_101"),
}
"""What a chip's GPU is called where plans are built; Thor's had another number before CUDA 13."""


class Total(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule for the total power: the sum of these rails. The first rule of a profile whose rails are all there counts."""

    rails: tuple[str, ...]
    scope: str
    """`module`, `board input`, `package` or `gpu`: what the sum covers."""


class Profile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A board profile as its file has it."""

    name: str
    """As people call it."""
    modules: tuple[str, ...] = ()
    """Module numbers (`p3767-0005`), and other names out of the compatible list (`quill`), most specific first."""
    soc: str | None = None
    """`tegra234`; None: a plain computer."""
    memory_gb: float | None = None
    precisions: tuple[str, ...] = ("fp32",)
    """What the hardware is fast with."""
    sparse: bool = False
    """Runs 2:4 sparse weights faster."""
    dla_cores: int = 0
    power_step_mw: int | None = None
    """One step of the power sensor on the main rail; readings are no finer than that."""
    total: tuple[Total, ...] = ()
    rails: tuple[str, ...] = ()
    """Labels of the module's own power sensors, by which they are told from a carrier's."""
    sensors: tuple[str, ...] = ()
    """Where the module's power sensors are: I2C controller, bus number and address, `c240000/1-0040`."""
    carrier: tuple[str, ...] = ()
    """Rails of the carrier board, which lie beside the module's."""
    note: str = ""
    """What its owner should know about its readings."""

    @property
    def watt_decimals(self) -> int:
        """Decimals of a watt that mean something: none where the sensor moves in steps of 0.4 W."""
        return 0 if self.power_step_mw is not None and self.power_step_mw >= 100 else 2


class Board(Struct, frozen=True, kw_only=True):
    """The machine this process runs on."""

    name: str
    known: bool
    """A profile recognised it."""
    profile: Profile
    model: str = ""
    """The model string as the firmware has it."""
    compatible: tuple[str, ...] = ()
    os: str = ""
    l4t: str | None = None
    """Release of Jetson Linux, e.g. `36.4.3`."""
    kernel: str = ""
    cpu: str = ""
    cores: int | None = None
    memory_mb: float | None = None
    """In units of 10^6 bytes."""

    @property
    def jetson(self) -> bool:
        """A module with a Tegra chip."""
        return self.profile.soc is not None

    @property
    def hidden(self) -> bool:
        """A Jetson whose device tree cannot be seen, as in a container: what it is follows from its rails."""
        return self.jetson and not self.known and not self.compatible


@functools.cache
def profiles() -> tuple[Profile, ...]:
    """All board profiles.

    Raises:
        ConfigRefused: a profile cannot be read; the file and the key are named.
    """
    found = []
    for path in sorted((PROFILES / "boards").glob("*.toml")):
        try:
            found.append(msgspec.toml.decode(path.read_bytes(), type=ready(Profile)))
        except msgspec.DecodeError as error:
            raise ConfigRefused(f"board profile {path}: {error}", fix="correct the file") from error
    return tuple(found)


def detect(files: Files | None = None) -> Board:
    """What machine this is. Cheap: a few small files, no command."""
    return patiently(lambda: _detect(files or Files()))


def _detect(files: Files) -> Board:
    compatible = _device_tree(files, "compatible")
    profile, known = _recognise(files, compatible)
    release = l4t(files)
    model = " ".join(_device_tree(files, "model")) or (files.text("/sys/devices/soc0/machine") or "" if profile.soc else "")
    processor = read_processor(files)
    total_kib = read_memory(files, light=True).total  # a screen begins with this
    return Board(
        name=profile.name,
        known=known,
        profile=profile,
        model=model or files.text("/sys/class/dmi/id/product_name") or "",
        compatible=compatible,
        os=_os_name(files, release),
        l4t=release,
        kernel=files.text("/proc/sys/kernel/osrelease") or ("" if files.root else os.uname().release),
        cpu=processor.name,
        cores=len(online_cores(files)) or processor.listed or None,
        memory_mb=None if total_kib is None else round(total_kib * 1024 / _MB, 1),
    )


def l4t(files: Files) -> str | None:
    """Release of Jetson Linux from /etc/nv_tegra_release (`# R36 (release), REVISION: 4.3`); None: there is no such file."""
    found = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", files.text("/etc/nv_tegra_release") or "")
    return f"{found[1]}.{found[2]}" if found else None


def jetpack(release: str) -> str | None:
    """JetPack's version for a release of Jetson Linux; None: newer than our table, which changes nothing else."""
    table = msgspec.toml.decode((PROFILES / "jetpack.toml").read_bytes(), type=dict[str, str])
    parts = release.split(".")
    candidates = (".".join(parts[:k]) for k in range(len(parts), 0, -1))
    return next((table[c] for c in candidates if c in table), None)


def total_of(rules: Iterable[Total], rails_mw: dict[str, int | None]) -> tuple[int | None, str | None]:
    """(mW, scope) by the first rule whose rails are all there; (None, None) when no rule fits.

    A rule with a rail that is there but silent gives (None, scope): half a sum is no total.
    """
    for rule in rules:
        if all(rail in rails_mw for rail in rule.rails):
            values = [rails_mw[rail] for rail in rule.rails]
            known = [value for value in values if value is not None]
            return (sum(known) if len(known) == len(values) else None), rule.scope
    return None, None


def total_by_rails(rails_mw: dict[str, int | None]) -> tuple[int | None, str | None]:
    """(mW, scope) where no board is known: the rule of whichever Jetson has these rails."""
    rules = {rule.rails: rule for profile in profiles() if profile.soc for rule in profile.total}
    return total_of(sorted(rules.values(), key=lambda rule: (rule.scope, len(rule.rails))), rails_mw)


def total_rules(board: Board) -> tuple[Total, ...] | None:
    """The rules that hold for a board; None: it cannot be told which it is, the rule follows from the rails that are there."""
    return board.profile.total if board.known and board.jetson else () if board.jetson and not board.hidden else None


def _recognise(files: Files, compatible: tuple[str, ...]) -> tuple[Profile, bool]:
    names = module_names(compatible)
    for name in names:
        for profile in profiles():
            if name in profile.modules:
                return profile, True
    soc = next((name for name in names if re.fullmatch(r"tegra\d+", name)), None)
    for name in names if soc is not None else ():
        relative = _of_family(name, soc)
        if relative is not None:
            return relative, True
    if soc is not None:
        return _by_soc(soc, f"unknown board with {soc}"), False
    soc = _hidden_soc(files, anything=not names)
    if soc is not None:
        return _by_soc(soc, f"Jetson of unknown kind ({soc})" if soc != "tegra" else "Jetson of unknown kind"), False
    gpu = files.exists("/proc/driver/nvidia/version")
    wanted = "gpu-host" if gpu else "cpu-host"
    return next(p for p in profiles() if wanted in p.modules), True


def _of_family(name: str, soc: str | None) -> Profile | None:
    """A module whose number we do not know, of a family of which all have the same rails: `p3767-0009`, or `p3767` alone."""
    family = re.match(r"p\d{4}(?=-|$)", name)
    kin = [p for p in profiles() if family and p.soc == soc and any(m.startswith(f"{family[0]}-") for m in p.modules)]
    if not kin or any((p.total, p.rails) != (kin[0].total, kin[0].rails) for p in kin):
        return None
    alike = [word for word in kin[0].name.split() if all(word in p.name.split() for p in kin)]
    common = _by_soc(kin[0].soc or "", f"{' '.join(alike)} ({name})")
    shared = ("power_step_mw", "total", "rails", "sensors", "carrier", "note")
    return msgspec.structs.replace(common, **{field: getattr(kin[0], field) for field in shared})


def _by_soc(soc: str, name: str) -> Profile:
    """What all boards with this chip have in common; rails, and so the total, are a matter of the module."""
    kin = [profile for profile in profiles() if profile.soc == soc]
    common = tuple(p for p in (kin[0].precisions if kin else ("fp32",)) if all(p in other.precisions for other in kin))
    return Profile(name=name, soc=soc, precisions=common, sparse=bool(kin) and all(profile.sparse for profile in kin))


def _hidden_soc(files: Files, *, anything: bool) -> str | None:
    """The chip where no device tree names it; `tegra`: some Jetson; None: no Jetson.

    With `anything` there is no device tree at all, as in a container, which hides /sys/firmware and not the rest of /sys.
    """
    family = re.fullmatch(r"(?i)tegra(\d*)", files.text("/sys/devices/soc0/family") or "") if anything else None
    if family:
        chip = _CHIPS.get(files.text("/sys/devices/soc0/soc_id") or "")
        return chip or f"tegra{family[1]}"
    gpus = (_GPUS[name] for name in files.names("/sys/class/devfreq") if name in _GPUS) if anything else iter(())
    return next(gpus, None) or ("tegra" if files.exists("/etc/nv_tegra_release") else None)


def module_names(compatible: Iterable[str]) -> list[str]:
    """`nvidia,p3768-0000+p3767-0005-super` is `p3768-0000`, `p3767-0005`; revisions (`-b00`) and `-super` are taken off."""
    names: list[str] = []
    for entry in compatible:
        for part in entry.removeprefix("nvidia,").split("+"):
            part = part.removesuffix("-super")
            found = re.match(r"p\d{4}-\d{4}", part)
            names.append(found[0] if found else part)
    return names


def _device_tree(files: Files, name: str) -> tuple[str, ...]:
    text = files.text(f"/proc/device-tree/{name}") or files.text(f"/sys/firmware/devicetree/base/{name}") or ""
    return tuple(part for part in text.split("\0") if part)


def _os_name(files: Files, release: str | None) -> str:
    if release:
        version = jetpack(release)
        return f"Jetson Linux {release}" + (f" (JetPack {version})" if version else "")
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)', files.text("/etc/os-release") or "", re.MULTILINE)
    return found[1] if found else ""
