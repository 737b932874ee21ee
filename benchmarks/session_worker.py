"""Run one model in a process of its own, as often as it is told to. For native.py, which talks to it over pipes.

Needs numpy and onnxruntime, nothing of qonnx-tools: LIBRARY is its compiled library, or "-" to do without. Every line
of the input is a command, every line of the output its answer in JSON:

    run N      milliseconds of N runs
    memory     megabytes that the process holds, and the most that it held
    profile N  microseconds of every node, by name, the median of N runs: {name: [op, output shape, microseconds]}

    python benchmarks/session_worker.py MODEL.onnx LIBRARY THREADS BATCH
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

WARM_UP = 3
Feeds = dict[str, npt.NDArray[np.float32]]


def open_session(model: str, library: str, threads: int, profile: str = "") -> ort.InferenceSession:
    """Return a session as a user would open it."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    if library != "-":
        options.register_custom_ops_library(library)
    if profile:
        options.enable_profiling = True
        options.profile_file_prefix = profile
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def random_images(session: ort.InferenceSession, batch: int) -> Feeds:
    """Return standard normal numbers for the one input; its first dimension is ``batch`` where it is free."""
    (entry,) = session.get_inputs()
    shape = [size if isinstance(size, int) else batch for size in entry.shape]
    return {entry.name: np.random.default_rng(0).normal(size=shape).astype(np.float32)}


def run(session: ort.InferenceSession, feeds: Feeds, count: int) -> list[float]:
    """Return the milliseconds of each of ``count`` runs."""
    found = []
    for _ in range(count):
        start = time.perf_counter()
        session.run(None, feeds)
        found.append(1e3 * (time.perf_counter() - start))
    return found


def memory() -> dict[str, float]:
    """Return what the process holds; not from getrusage, which counts the parent's pages too."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    sizes = {key: value.split()[0] for key, _, value in (line.partition(":") for line in lines) if value.split()}
    return {"resident": int(sizes["VmRSS"]) / 1024, "peak": int(sizes["VmHWM"]) / 1024}


def profile(model: str, library: str, threads: int, batch: int, count: int) -> dict[str, list[Any]]:
    """Return the time of every node in a session of its own."""
    with tempfile.TemporaryDirectory() as folder:
        session = open_session(model, library, threads, profile=str(Path(folder) / "profile"))
        run(session, random_images(session, batch), WARM_UP + count)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    times: dict[str, list[float]] = {}
    about: dict[str, tuple[str, Any]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            details = event["args"]
            node = f"{event['name'].removesuffix('_kernel_time')}#{details['node_index']}"
            shapes = [shape for output in details["output_type_shape"] for shape in output.values()]
            times.setdefault(node, []).append(event["dur"])
            about[node] = (details["op_name"], shapes[0] if shapes else [])
    return {node: [*about[node], statistics.median(found[WARM_UP:])] for node, found in times.items()}


def main(model: str, library: str, threads: int, batch: int) -> None:
    """Answer the commands."""
    session = open_session(model, library, threads)
    feeds = random_images(session, batch)
    run(session, feeds, WARM_UP)
    for line in sys.stdin:
        command, _, count = line.strip().partition(" ")
        answer: object = memory()
        if command == "run":
            answer = run(session, feeds, int(count))
        elif command == "profile":
            answer = profile(model, library, threads, batch, int(count))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
