"""Wherever evaluations run, the results are the same."""

import os
import signal
from pathlib import Path

import pytest

from qonnx_tools.errors import ConfigError, QonnxToolsError
from qonnx_tools.search.workers import Cluster, Processes

TASKS = [3, 1, 2, 5]


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


def collected(workers, evaluate, tasks=TASKS):
    try:
        return dict(workers.run(evaluate, tasks))
    finally:
        workers.close()


def test_processes():
    assert collected(Processes({"factor": 10}, 2), scaled) == {0: 30, 1: 10, 2: 20, 3: 50}


def test_a_process_that_dies_loses_nothing(tmp_path):
    assert collected(Processes({"mark": str(tmp_path / "died")}, 2), dies_once) == {0: 6, 1: 2, 2: 4, 3: 10}
    assert (tmp_path / "died").exists()


def test_processes_that_always_die():
    with pytest.raises(QonnxToolsError, match="3 worker processes died"):
        collected(Processes({}, 1), dies, [1])


def test_a_cluster(tmp_path):
    distributed = pytest.importorskip("distributed", reason="needs qonnx-tools[cluster]")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        assert collected(Cluster({"factor": 10}, address), scaled) == {0: 30, 1: 10, 2: 20, 3: 50}
        assert collected(Cluster({"mark": str(tmp_path / "died")}, address), dies_once) == {0: 6, 1: 2, 2: 4, 3: 10}


def test_a_cluster_that_does_not_answer():
    pytest.importorskip("distributed", reason="needs qonnx-tools[cluster]")
    with pytest.raises(ConfigError, match=r"cluster 'tcp://127.0.0.1:1' does not answer"):
        Cluster({}, "tcp://127.0.0.1:1")
