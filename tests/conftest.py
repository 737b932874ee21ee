"""Fixtures and settings that all tests share."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("ci", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

COUNTED = pytest.StashKey[Counter[str]]()
"""How many tensors and elements of native graphs were found equal, by what was compared."""

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The folder that holds pyproject.toml."""
    return ROOT


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of real models and data that are not in the repository."""
    named = os.environ.get("QONNX_TOOLS_ASSETS")
    if not named:
        pytest.skip("QONNX_TOOLS_ASSETS is not set: it names the folder with the real models and data")
    folder = Path(named)
    if not (folder / "models").is_dir() or not (folder / "data").is_dir():
        pytest.skip(f"QONNX_TOOLS_ASSETS is {named}, which has no folders models/ and data/")
    return folder


@pytest.fixture(scope="session")
def digits_model(repo_root: Path) -> Path:
    """The small trained network of the repository."""
    return repo_root / "models" / "digits_resnet.onnx"


@pytest.fixture(scope="session")
def digits_data(repo_root: Path) -> dict[str, Path]:
    """The .npz files of the digits by part: train, calibration, test."""
    return {part: repo_root / "models" / f"digits_{part}.npz" for part in ("train", "calibration", "test")}


@pytest.fixture
def random() -> np.random.Generator:
    """A random generator of fixed seed."""
    return np.random.default_rng(0)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[COUNTED] = Counter()


@pytest.fixture(scope="session")
def count_equal(pytestconfig: pytest.Config) -> Callable[[str, int, int], None]:
    """Count tensors and elements that were compared and found equal; the end of the test run shows the sums."""

    def count(what: str, tensors: int, elements: int) -> None:
        pytestconfig.stash[COUNTED].update({f"{what}: tensors": tensors, f"{what}: elements": elements})

    return count


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Of a worker of pytest-xdist: send what it counted."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["counted"] = dict(session.config.stash[COUNTED])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """In the process that pytest-xdist sends it to: add it up."""
    node.config.stash[COUNTED].update(getattr(node, "workeroutput", {}).get("counted", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counted = config.stash[COUNTED]
    for what in dict.fromkeys(name.rpartition(":")[0] for name in counted):
        tensors, elements = (counted[f"{what}: {kind}"] for kind in ("tensors", "elements"))
        terminalreporter.write_line(f"native graphs, {what}: {tensors:,} tensors, {elements:,} elements equal")
