"""The process of one stage: does the work, tells the supervisor over its standard output, one event a line.

`python -m edgetui.engine.child HOME RUN STAGE FOLDER`. What libraries print goes to standard error, which is the run's log.
It dies with its supervisor, so that an interrupted run holds no memory and no device.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from . import outcome
from .errors import EdgetuiError, RunFailed, from_os_error
from .lineage import die_with_parent
from .pipesay import PipeSay
from .rundir import RunDir, write_atomic


def main() -> int:
    """Do one stage; 0 when its folder holds the output."""
    home, run, stage, folder = Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4])
    die_with_parent()
    os.umask(0o077)
    say = PipeSay(os.dup(1), stage)
    os.dup2(2, 1)
    try:
        from .pipeline import Job

        made = Job(home, RunDir(home / "runs" / run).asked(), stage, folder, say).do()
        write_atomic(folder / "outcome.json", outcome.encode(made))
    except EdgetuiError as error:
        say.failed(error)
        return 1
    except MemoryError:
        say.failed(RunFailed(f"{stage} ran out of memory", fix=f"close other programs, then `edgetui resume {run}`"))
        return 1
    except OSError as error:
        traceback.print_exc()
        say.failed(from_os_error(error, path=folder, then="`edgetui resume` the run"))
        return 1
    except Exception as error:
        traceback.print_exc()
        log = home / "runs" / run / "log.txt"
        say.failed(
            RunFailed(f"{stage} met a defect of edgetui ({type(error).__name__}: {str(error)[:200]})", fix=f"report {log}")
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
