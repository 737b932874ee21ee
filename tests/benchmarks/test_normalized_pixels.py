"""A network behind the normalization of its pixels answers raw ones as the network does normalized ones."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from small_classifier import small_classifier

from qonnx_tools.data.presets import preprocessing
from qonnx_tools.graph import load, save
from qonnx_tools.runtime import run, session

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def main(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("normalized_pixels").main


def test_raw_pixels(main, tmp_path):
    save(small_classifier(), tmp_path / "in.onnx")
    main([str(tmp_path / "in.onnx"), str(tmp_path / "out.onnx"), "--preset", "cifar10"])
    pixels = np.random.default_rng(5).integers(0, 256, (4, 6, 6, 3)).astype(np.uint8)
    found = run(session(load(tmp_path / "out.onnx")), pixels.astype(np.float32).transpose(0, 3, 1, 2))[0]
    expected = run(session(small_classifier()), preprocessing("cifar10").apply(pixels))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("file", "preset"), [("missing.onnx", "cifar10"), ("in.onnx", "cifar11")])
def test_errors_are_one_line(main, tmp_path, file, preset):
    save(small_classifier(), tmp_path / "in.onnx")
    with pytest.raises(SystemExit, match=f"error: .*{file if 'missing' in file else preset}"):
        main([str(tmp_path / file), str(tmp_path / "out.onnx"), "--preset", preset])
    assert not (tmp_path / "out.onnx").exists()
