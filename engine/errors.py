"""One tree of errors a person can act on: what happened, and what to do about it.

EdgetuiError
 ├─ UsageError          a command or flag that cannot be (exit 2)
 ├─ ConfigRefused       edgetui.toml, a board profile or a study
 ├─ RecipeRefused       a recipe, or a step that cannot be done here
 ├─ ModelRefused        a model that is no ONNX file, is broken, or cannot be compressed
 ├─ DataRefused         a dataset that is missing, empty, broken or does not fit the model
 ├─ BackendRefused      a backend that is not installed, or that refuses the model
 ├─ PlanRefused         a plan that does not fit this machine, or differs from its model
 ├─ StorageRefused      a full disk, a read-only folder, a run that is not there
 └─ RunFailed           a stage that ended without telling why (killed, out of memory, crashed)

Anything else that escapes is our bug: its traceback goes to a file whose path is shown.
"""

from __future__ import annotations

import difflib
import errno
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

DAMAGED = (msgspec.DecodeError, ValueError, RecursionError)
"""What JSON, TOML and archives raise that are cut, no UTF-8, nested a thousand deep or hold a number of a thousand digits."""


ON_THE_CPU = {"onnxruntime": "run with --backend onnxruntime"}
"""A way out of what another backend refuses."""
ON_A_BOARD = {"tensorrt": "run with --backend tensorrt on a board, which has TensorRT itself"}
"""The same for what is a plugin of TensorRT."""


class EdgetuiError(Exception):
    """What happened (`what`) and what to do about it (`fix`); shown as `error: what; fix`."""

    exit_code = 1

    def __init__(self, what: str, *, fix: str, ways: Mapping[str, str] = MappingProxyType({})) -> None:
        """`ways`: further advice that helps only where a backend reads the model, by the target that `graph.lint` calls it."""
        super().__init__(what, fix)
        self.what = what
        self.advice = fix
        self.ways = dict(ways)

    @property
    def fix(self) -> str:
        """What to do, every way that is open among it."""
        return ", or ".join([self.advice, *self.ways.values()])

    def narrow(self, reads: Callable[[str], bool]) -> None:
        """Leave out ways that lead to a backend which does not read the model; whoever knows the model asks for it."""
        self.ways = {target: way for target, way in self.ways.items() if reads(target)}

    def __str__(self) -> str:
        return f"{self.what}; {self.fix}"


class UsageError(EdgetuiError):
    """A command or a flag that cannot be."""

    exit_code = 2


class ConfigRefused(EdgetuiError):
    """edgetui.toml, a board profile or a study says something that cannot be."""


class RecipeRefused(EdgetuiError):
    """A recipe that cannot be read, or a step that cannot be done here."""


class ModelRefused(EdgetuiError):
    """A model that is no ONNX file, is broken, or cannot be compressed."""


class DataRefused(EdgetuiError):
    """A dataset that is missing, empty, broken, or does not fit the model."""


class BackendRefused(EdgetuiError):
    """A backend that is not installed, or that refuses the model."""


class PlanRefused(EdgetuiError):
    """A plan that does not fit this machine, or whose outputs differ from its model's."""


class StorageRefused(EdgetuiError):
    """A full disk, a read-only folder, a run that is not there."""


class RunFailed(EdgetuiError):
    """A stage that ended without telling why: killed, out of memory, crashed."""


def nearest(word: str, known: Iterable[str]) -> str:
    """`did you mean X?`, or the list of what is known when nothing is near."""
    names = sorted(known)
    near = close_to(word, names)
    return f"did you mean `{near}`?" if near else f"known: {', '.join(names)}"


def close_to(word: str, known: Iterable[str]) -> str:
    """The name that is nearest, capitals or not; "" when none is near."""
    names = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), names, n=1)
    return names[close[0]] if close else ""


def from_os_error(error: OSError, *, path: object = None, then: str = "try again") -> StorageRefused:
    """Say a failed file operation in words, with what mends it: free space, `then` do what is wanted; or another place.

    `path` is the file or folder, where the error itself does not name it.
    """
    name = error.filename if error.filename is not None else path
    if error.filename2 is not None and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        name = error.filename2  # what was copied or moved is not where it shall go
    which = f" {name}" if name is not None else ""
    where = f" at{which}" if which else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        room = "no space left" if error.errno == errno.ENOSPC else "the quota is used up"
        return StorageRefused(f"{room}{where}", fix=f"free some space, then {then}")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        if error.errno != errno.EROFS and (cannot := _forbidden(name)) != "write":
            other = "choose another with XDG_STATE_HOME=DIR" if _in_state_folder(name) else "name another"
            fix = f"give yourself the right to it (`ls -ld` shows whose it is), or {other}"
            return StorageRefused(f"cannot {cannot}{which} ({error.strerror})", fix=fix)
        return StorageRefused(
            f"cannot write{which} ({error.strerror})",
            fix="choose a folder you may write to" + (" with XDG_STATE_HOME=DIR" if _in_state_folder(name) else ""),
        )
    return StorageRefused(f"{error.strerror or error}{where}", fix="check the disk and the path, then try again")


def _forbidden(name: object) -> str:
    """What may not be done with a file or folder: `read`, `write` or `reach`. The error does not say it."""
    if not isinstance(name, str | os.PathLike):
        return "write"
    try:
        folder = stat.S_ISDIR(Path(name).stat().st_mode)
    except PermissionError:
        return "reach"
    except OSError:
        return "write"  # it is not there: it was to be made
    return "write" if os.access(name, os.R_OK | (os.X_OK if folder else 0), effective_ids=True) else "read"


def _in_state_folder(name: object) -> bool:
    """Whether it lies where runs are kept; what has no name is taken for that."""
    return not isinstance(name, str | os.PathLike) or "edgetui" in Path(name).absolute().parts
