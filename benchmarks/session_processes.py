"""Sessions in processes of their own, run in turn: what native.py measures.

Several sessions in one process disturb each other: with two threads, the idle workers of one spin while another runs.
Even in processes of their own they spin for some 20 ms after a run, which the pause between two sessions covers.
"""

import json
import subprocess
import sys
import time
from collections.abc import Hashable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

WORKER = Path(__file__).with_name("session_worker.py")
PAUSE = 0.05
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Job:
    """A session: the model, the library to register ("-" for none), threads, and batch size where it is free."""

    model: Path
    library: str
    threads: int
    batch: int = 1


@dataclass
class Measured:
    """Milliseconds of a run, one number a round, and megabytes, one number a process."""

    milliseconds: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)
    resident: list[float] = field(default_factory=list)


class SessionProcess:
    """A process that serves one session, for a ``with`` statement."""

    def __init__(self, job: Job) -> None:
        self._command = [sys.executable, str(WORKER), str(job.model), job.library, str(job.threads), str(job.batch)]
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def ask(self, command: str) -> Any:
        """Send a command and return the answer; end the benchmark if the process has ended."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the process was started without pipes")
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            sys.exit(f"{' '.join(self._command)} ended with {self._process.wait()}")
        return json.loads(answer)


def run_in_turn(jobs: Mapping[Key, Job], processes: int, rounds: int, runs: int) -> dict[Key, Measured]:
    """Run all jobs in turn, ``runs`` times each in every round, in ``processes`` fresh processes one after another.

    Every round has one number a job: the median of its runs. Drifts of the machine hit all jobs of a round alike.
    """
    found: dict[Key, Measured] = {key: Measured() for key in jobs}
    for _ in range(processes):
        with ExitStack() as stack:
            served = {key: stack.enter_context(SessionProcess(job)) for key, job in jobs.items()}
            for worker in served.values():
                worker.ask("run 1")  # all are up before any is measured
            for _ in range(rounds):
                for key, worker in served.items():
                    time.sleep(PAUSE)
                    times = sorted(worker.ask(f"run {runs}"))
                    found[key].milliseconds.append(times[len(times) // 2])
            for key, worker in served.items():
                memory = worker.ask("memory")
                found[key].peak.append(memory["peak"])
                found[key].resident.append(memory["resident"])
    return found


def profile(job: Job, runs: int) -> dict[str, tuple[str, list[int], float]]:
    """Return op, output shape and milliseconds of every node, by its name in the graph that onnxruntime runs."""
    with SessionProcess(job) as worker:
        nodes = worker.ask(f"profile {runs}")
    return {name.rpartition("#")[0]: (op, shape, 1e-3 * time) for name, (op, shape, time) in nodes.items()}
