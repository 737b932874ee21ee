"""What workers of a search are given to do in tests: functions of a module that their processes can import."""

import os
import signal
from pathlib import Path


def scaled(context, task):
    return context["factor"] * task


def dies_once(context, task):
    mark = Path(context["mark"])
    if task == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return task * 2


def dies(_context, _task):
    os.kill(os.getpid(), signal.SIGKILL)
