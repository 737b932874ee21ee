"""Fixtures and settings that all tests share."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("ci", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

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
