"""Outputs of stages that one machine has made and others go on from: what a run left, pieces of it, their place in a cache.

Trained on one board, measured on others: a stage's output is a folder of the cache by its key, and goes over as a bundle.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from ..errors import RunFailed, StorageRefused, from_os_error
from ..runs.cache import StageCache
from ..runs.folder import once_members
from ..runs.stages import plan_stages
from .asked_once import LeftStage
from .bundles import Bundle, PackedBundle, pack
from .received import folder_of

_KINDS = ("normalise", "step")


def left(home: Path, once: str) -> tuple[LeftStage, ...]:
    """What a run that was asked for with this key has left in the cache, as bundles.

    Raises:
        RunFailed: it is not done, or some of it is gone.
        StorageRefused: it cannot be read.
    """
    run = next(iter(once_members(home, once)), None)
    if run is None:
        raise RunFailed("the run that trained is gone", fix="ask again: it is trained anew")
    cache, found = StageCache(home), []
    try:
        for stage in plan_stages(run.asked()):
            if stage.kind in _KINDS:
                if cache.whole(stage.key) is None:
                    raise RunFailed(
                        f"the output of {stage.name} is gone from the cache", fix="ask with --again: it is trained anew"
                    )
                names = sorted(file.name for file in cache.path(stage.key).iterdir() if file.is_file())
                packed = pack(cache.path(stage.key), names)
                found.append(LeftStage(name=stage.name, key=stage.key, bundle=packed.bundle))
    except OSError as error:
        raise from_os_error(error, path=cache.root) from None
    return tuple(found)


def piece(home: Path, key: str, bundle: Bundle, offset: int) -> bytes:
    """The next bytes of what a stage left.

    Raises:
        StorageRefused: it cannot be read.
        DataRefused: it has changed since.
    """
    try:
        return PackedBundle(bundle=bundle, root=_folder(StageCache(home), key)).piece(offset)
    except OSError as error:
        raise from_os_error(error, path=home) from None


def lacking(home: Path, stages: Mapping[str, str]) -> tuple[str, ...]:
    """Of keys with their bundles those bundles that this cache has no output of."""
    cache = StageCache(home)
    return tuple(bundle for key, bundle in stages.items() if cache.whole(key) is None)


def place(home: Path, stages: Mapping[str, str]) -> None:
    """Give bundles that are here their place in the cache, by their keys.

    Raises:
        StorageRefused: the cache cannot be written, or what came is no stage's output.
    """
    cache = StageCache(home)
    for key, bundle in stages.items():
        if cache.whole(key) is not None:
            continue
        try:
            making = cache.begin(_folder(cache, key).name)
            shutil.copytree(folder_of(home, bundle), making, dirs_exist_ok=True)
            cache.forget(key)
            making.replace(cache.path(key))
        except OSError as error:
            raise from_os_error(error, path=cache.root) from None
        if cache.whole(key) is None:
            cache.forget(key)
            raise StorageRefused("what another board has trained did not arrive as it was", fix="ask again: it is sent anew")


def _folder(cache: StageCache, key: str) -> Path:
    """Where a key's output lies.

    Raises:
        StorageRefused: it is no key.
    """
    if not key.isalnum():
        raise StorageRefused(f"`{key}` is no key of the cache", fix="ask again")
    return cache.path(key)
