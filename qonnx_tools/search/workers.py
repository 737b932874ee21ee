"""Where evaluations run: in processes of this machine, or on a Dask cluster. The results are the same."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from qonnx_tools.errors import ConfigError, QonnxToolsError

Evaluate = Callable[[Any, Any], Any]
"""Called with the context and a task, where the evaluation runs; a function of a module, as it is sent by name."""
TRIES = 3
"""How often a task is given to a worker before a death of the worker counts as the task's fault."""


class Workers(ABC):
    """Evaluates tasks in a context that is sent once."""

    @abstractmethod
    def run(self, evaluate: Evaluate, tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """Yield (number of the task, its result) as they come; a worker that dies loses nothing."""

    @abstractmethod
    def close(self) -> None:
        """Let the workers go."""


class Processes(Workers):
    """Processes of this machine."""

    def __init__(self, context: Any, count: int) -> None:
        self._context, self._count = context, count
        self._pool = self._start()

    def run(self, evaluate: Evaluate, tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        left = dict(enumerate(tasks))
        for tries in range(TRIES, 0, -1):
            try:
                for number, result in _finished(self._pool, _in_worker, evaluate, left):
                    del left[number]
                    yield number, result
            except BrokenProcessPool as error:
                self._pool.shutdown(wait=False, cancel_futures=True)
                if tries == 1:
                    raise QonnxToolsError(f"{TRIES} worker processes died; is there enough memory?") from error
                self._pool = self._start()
            else:
                return

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _start(self) -> ProcessPoolExecutor:
        import multiprocessing  # noqa: PLC0415

        spawned = multiprocessing.get_context("spawn")  # onnxruntime's threads do not survive a fork
        return ProcessPoolExecutor(self._count, spawned, _receive, (self._context,))


class Cluster(Workers):
    """A Dask cluster, by the address of its scheduler. The context is sent to each worker once."""

    def __init__(self, context: Any, address: str) -> None:
        try:
            from distributed import Client  # noqa: PLC0415  # an extra
        except ImportError as error:
            raise ConfigError("a cluster needs Dask: pip install 'qonnx-tools[cluster]'") from error
        try:
            self._client = Client(address, timeout="10s")
        except (OSError, ValueError) as error:
            raise ConfigError(f"cluster '{address}' does not answer; give the address of a Dask scheduler") from error
        self._context = self._client.scatter(context, broadcast=True, hash=False)

    def run(self, evaluate: Evaluate, tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        from distributed import as_completed  # noqa: PLC0415

        futures = {
            self._client.submit(evaluate, self._context, task, pure=False, retries=TRIES): number
            for number, task in enumerate(tasks)
        }
        for future in as_completed(list(futures)):
            yield futures[future], future.result()

    def close(self) -> None:
        self._client.close()


_received: list[Any] = []
"""The context of this worker process."""


def _receive(context: Any) -> None:
    _received[:] = [context]


def _in_worker(evaluate: Evaluate, task: Any) -> Any:
    return evaluate(_received[0], task)


def _finished(
    pool: Executor, call: Callable[..., Any], evaluate: Evaluate, tasks: dict[int, Any]
) -> Iterator[tuple[int, Any]]:
    futures: dict[Future[Any], int] = {pool.submit(call, evaluate, task): number for number, task in tasks.items()}
    pending = set(futures)
    while pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=futures.__getitem__):
            yield futures[future], future.result()
