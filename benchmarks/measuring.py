"""What the benchmarks share: the machine in one line, the real models and data, processes measured, spread."""

import ctypes
import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from qonnx_tools.runtime import library_path

ASSETS = "QONNX_TOOLS_ASSETS"
PACKAGES = ("qonnx-tools", "numpy", "onnx", "onnxruntime")


@dataclass(frozen=True)
class Spread:
    """Median of repeated measurements, and the quartiles about it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: npt.ArrayLike) -> "Spread":
        low, median, high = np.quantile(np.asarray(values), (0.25, 0.5, 0.75))
        return cls(float(median), float(low), float(high))

    def __str__(self) -> str:
        return f"{self.median:.4g} ({self.low:.4g}..{self.high:.4g})"


@dataclass(frozen=True)
class Process:
    """How long a process took, from its start to its end, and the most memory that it held."""

    seconds: float
    peak_megabytes: float


def machine() -> str:
    """Say on what the figures were taken: processor, SIMD level of the library, versions."""
    ort.SessionOptions().register_custom_ops_library(str(library_path()))  # which chooses the level
    level = ctypes.CDLL(str(library_path())).QonnxToolsSimdLevel
    level.restype = ctypes.c_char_p
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    hardware = f"{_processor()}, {len(os.sched_getaffinity(0))} core(s), SIMD level {level().decode()}"
    return f"{hardware}; Python {platform.python_version()}, {versions}"


def asset(*parts: str) -> Path:
    """Return the path of a real model or data file; end the benchmark with one line where it is missing."""
    named = os.environ.get(ASSETS)
    if not named:
        sys.exit(f"{ASSETS} is not set: it names the folder with the real models (models/) and data (data/)")
    path = Path(named).joinpath(*parts)
    if not path.exists():
        sys.exit(f"{path} is missing; {ASSETS} names the folder with models/ and data/")
    return path


def run_process(command: Sequence[str], **variables: str) -> Process:
    """Run ``command`` to its end, its output only shown if it fails; ``variables`` are added to the environment."""
    start = time.perf_counter()
    # the parent's environment, as the command needs PATH and the like
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **variables}, text=True
    )
    output = child.stdout.read() if child.stdout else ""
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{output}")
    return Process(time.perf_counter() - start, usage.ru_maxrss / 1024)


def markdown_table(rows: Sequence[Mapping[str, object]]) -> str:
    """Return ``rows`` as a Markdown table; the keys of the first are its columns."""
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns), *([str(row[column]) for column in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text(encoding="utf-8").splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
