"""Wherever evaluations run, the results are the same."""

import pytest
from worker_tasks import dies, dies_once, scaled

from qonnx_tools.errors import ConfigError, QonnxToolsError
from qonnx_tools.search.workers import Cluster, Processes

TASKS = [3, 1, 2, 5]


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
