"""The process of one stage: does the work, tells the supervisor over its standard output, one event a line.

What libraries print goes to standard error, which is the run's log. It dies with its parent, and that with the supervisor, so
that an interrupted run holds no memory and no device.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from ..errors import EdgetuiError, RunFailed, from_os_error
from ..runs import outcome
from ..runs.folder import RunDir
from ..runs.stages import MEASURING
from ..runs.standing_back import process_stands_back
from ..system.atomic_write import write_atomic
from ..system.log import logger, start_log
from ..system.parent_death import die_with_parent
from ..system.pipe_reporter import PipeReporter

_log = logger(__name__)


def main(words: Sequence[str]) -> int:
    """Do one stage, `HOME STAGE RUN...`, when standard input names the folders for its outputs, one for each run, a zero byte
    between them; 0 when they hold those. A run that fails where others go on says so, and leaves its folder without.
    """
    home, stage, runs = Path(words[0]), words[1], words[2:]
    die_with_parent()
    os.umask(0o077)
    start_log(home)
    say = PipeReporter(os.dup(1), stage)
    folder, named = home, ", ".join(runs)
    os.dup2(2, 1)
    try:
        from .job import Job
        from .pipeline import do, get_ready

        jobs = []
        for run in runs:
            heard = say if len(runs) == 1 else PipeReporter(say.fd, stage, run)
            jobs.append(Job(home, RunDir(home / "runs" / run).asked(), stage, Path(), heard))
        get_ready(jobs)
        given = sys.stdin.buffer.read()
        if not given:
            return 1
        if stage not in MEASURING:
            process_stands_back()
        _log.info("stage %s of %s begins", stage, named)
        for job, path in zip(jobs, given.split(b"\0"), strict=True):
            folder = job.out = Path(os.fsdecode(path))
        for job, made in zip(jobs, do(jobs, say), strict=True):
            if made is not None:
                write_atomic(job.out / "outcome.json", outcome.encode(made))
        _log.info("stage %s of %s is done", stage, named)
    except EdgetuiError as error:
        _log.info("stage %s of %s is refused", stage, named, exc_info=True)
        say.failed(error)
        return 1
    except MemoryError:
        say.failed(RunFailed("it ran out of memory", fix=f"close other programs, then `edgetui resume {runs[0]}`"))
        return 1
    except OSError as error:
        traceback.print_exc()
        say.failed(from_os_error(error, path=folder, then="`edgetui resume` the run"))
        return 1
    except Exception as error:
        traceback.print_exc()
        log = home / "runs" / runs[0] / "log.txt"
        say.failed(RunFailed(f"it met a defect of edgetui ({type(error).__name__}: {str(error)[:200]})", fix=f"report {log}"))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
