"""One tree of errors a person can act on: what happened, and what to do about it.

EdgetuiError
 ├─ UsageError          a command or flag that is not valid (exit 2)
 ├─ ConfigRefused       edgetui.toml, a board profile or a study
 ├─ RecipeRefused       a recipe, or a step that cannot be done here
 ├─ ModelRefused        a model that is not an ONNX file, is broken, or cannot be compressed
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
import heapq
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

DAMAGED = (msgspec.DecodeError, ValueError, RecursionError)
"""What JSON, TOML and archives raise that are cut, no UTF-8, nested a thousand deep or hold a number of a thousand digits."""


class Fix(Struct, frozen=True, omit_defaults=True):
    """One way to mend something: words, and the setting with its value that they name. Each front says that setting in its
    own way: the command line as a flag, the screen as a row.
    """

    words: str
    """`{}` stands where the setting is named; without a setting the words say all."""
    setting: str = ""
    """`backend`, `shape`, `dataset`, ...: the name of its flag, and of its row where the screen has one."""
    value: str | tuple[str, ...] = ""
    """What to set it to, several where each is given by itself; empty: whoever reads this chooses."""
    reads: str = ""
    """The target of `inspection.lint` that has to read the model for this to help; empty: it helps with every model."""

    def said(self, name: Callable[[Fix], str]) -> str:
        """The words, with the setting named by `name`."""
        return self.words.replace("{}", name(self)) if self.setting else self.words


def as_flag(fix: Fix) -> str:
    """A fix's setting as the command line takes it, e.g. `--backend onnxruntime`."""
    values = (fix.value or _OPEN_VALUES.get(fix.setting, "")) if isinstance(fix.value, str) else fix.value
    return " ".join(f"--{fix.setting} {value}".rstrip() for value in ([values] if isinstance(values, str) else values))


_OPEN_VALUES = {"dataset": "D", "calibration": "D"}
"""What stands for a value of the reader's choice, as in the command line's help."""

ON_THE_CPU = Fix("run with {}", "backend", "onnxruntime", reads="onnxruntime")
"""A way out of what another backend refuses."""
ON_A_BOARD = Fix("run with {} on a board, which has TensorRT itself", "backend", "tensorrt", reads="tensorrt")
"""The same for what is a plugin of TensorRT."""

ELSEWHERE = Fix("run with {}", "backend")
"""In a refusal's fixes: `inspection.lint` puts a backend here that does read the model, or leaves it out."""
WITHOUT = (Fix("export without it"), ELSEWHERE)
"""What mends an operator that a backend does not have."""

Fixes = str | Fix | Sequence[str | Fix]


def fixes_of(fix: Fixes) -> tuple[Fix, ...]:
    """Words or fixes, one or several, as values."""
    several = [fix] if isinstance(fix, str | Fix) else fix
    return tuple(Fix(one) if isinstance(one, str) else one for one in several)


def said(fixes: Iterable[Fix], name: Callable[[Fix], str] = as_flag) -> str:
    """Every fix in words, the ways that are open joined by `or`."""
    return ", or ".join(fix.said(name) for fix in fixes)


class Refusal(Struct, frozen=True, omit_defaults=True):
    """Something that cannot be: what, what mends it, and the node that it is about."""

    what: str
    fixes: tuple[Fix, ...] = ()
    node: str = ""
    """As `graph.walk.label` calls it; `what` names it as well where that matters. Empty: it is about no single node."""

    @classmethod
    def of(cls, what: str, *fixes: str | Fix, node: str = "") -> Refusal:
        """The same from words or fixes."""
        return cls(what, fixes_of(fixes), node)

    def at(self, node: str, inside: str = "") -> Refusal:
        """The same, said of a node; `inside`: of which function of the model."""
        place = f"{node} in function {inside}" if inside else node
        return Refusal(f"{place}: {self.what}", self.fixes, node)

    def because_of(self, what: str) -> Refusal:
        """The same as the reason for something larger that cannot be."""
        return Refusal(f"{what}: {self.what}", self.fixes, self.node)

    def with_elsewhere(self, way: Fix | None) -> Refusal:
        """The same with `way` where another backend is advised; None: there is none that would do."""
        kept = (way if fix == ELSEWHERE else fix for fix in self.fixes)
        return Refusal(self.what, tuple(fix for fix in kept if fix), self.node)

    def said(self, name: Callable[[Fix], str] = as_flag) -> str:
        """`what; fix`, settings named by `name`."""
        return f"{self.what}; {said(self.fixes, name)}" if self.fixes else self.what

    def __str__(self) -> str:
        return self.said()


class EdgetuiError(Exception):
    """What happened (`what`) and what to do about it (`fixes`); shown as `error: what; fix`."""

    exit_code = 1

    def __init__(self, what: str, *, fix: Fixes, node: str = "") -> None:
        """`fix`: each way that mends it; those with `reads` help only where that backend reads the model."""
        super().__init__(what, fix)
        self.what = what
        self.fixes = fixes_of(fix)
        self.node = node

    @property
    def fix(self) -> str:
        """What to do, every way that is open among it, as the command line says it."""
        return said(self.fixes)

    @property
    def refusal(self) -> Refusal:
        """The same as a value."""
        return Refusal(self.what, self.fixes, self.node)

    def narrow(self, reads: Callable[[str], bool]) -> None:
        """Leave out ways that lead to a backend which does not read the model; whoever knows the model asks for it."""
        self.fixes = tuple(fix for fix in self.fixes if not fix.reads or reads(fix.reads))

    def __str__(self) -> str:
        return str(self.refusal)


class UsageError(EdgetuiError):
    """A command or a flag that is not valid."""

    exit_code = 2


class ConfigRefused(EdgetuiError):
    """edgetui.toml, a board profile or a study has a key or value that is not valid."""


class RecipeRefused(EdgetuiError):
    """A recipe that cannot be read, or a step that cannot be done here."""


class ModelRefused(EdgetuiError):
    """A model that is not an ONNX file, is broken, or cannot be compressed."""


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
    """`did you mean X?`, or what is known when nothing is near: of many names those that are the least far."""
    names = sorted(known)
    near = close_to(word, names)
    return f"did you mean `{near}`?" if near else f"known: {few_of(names, word)}"


MOST_NAMED = 12
"""So many names a message lists; they fit a row or two of 80 columns."""


def few_of(names: Sequence[str], word: str = "") -> str:
    """Names with commas; of too many some, those first that are most like `word`, and how many there are beside."""
    if len(names) <= MOST_NAMED:
        return ", ".join(names)
    few = MOST_NAMED // 2
    like = difflib.SequenceMatcher(b=word)

    def distance(name: str) -> tuple[float, str]:
        like.set_seq1(name)
        return -like.ratio(), name

    shown = heapq.nsmallest(few, names, key=distance)
    more = f"{len(names) - few:,}".replace(",", " ")
    return f"{', '.join(shown)} and {more} more"


def close_to(word: str, known: Iterable[str]) -> str:
    """The name that is nearest, capitals or not; "" when none is near."""
    names = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), names, n=1)
    return names[close[0]] if close else ""


def first_line(error: Exception, most: int = 160) -> str:
    """What a library says of its error, without the pages below: `most` letters of a line; its type where it says nothing."""
    return str(error).strip().partition("\n")[0][:most] or type(error).__name__


def from_os_error(error: OSError, *, path: object = None, then: str = "try again") -> StorageRefused:
    """Say a failed file operation in words, with what mends it: free space, `then` do what is wanted; or another place.

    `path` is the file or folder, where the error itself does not name it.
    """
    if error.errno == errno.ENOENT and error.filename is None and _started_nowhere():
        return StorageRefused(
            "the folder that this was started in is gone", fix="change to another with `cd`, then start again"
        )
    if error.errno == errno.ENAMETOOLONG:
        return StorageRefused(f"the name {str(error.filename)[-40:]} is too long", fix="give a shorter one")
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


def _started_nowhere() -> bool:
    """Whether the working folder has been removed: what asks for it gets an error without a name."""
    try:
        os.getcwd()  # noqa: PTH109  (Path.cwd() is this)
    except FileNotFoundError:
        return True
    return False


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
