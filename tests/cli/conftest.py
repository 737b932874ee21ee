"""The command, run inside this process and as a process of its own, and a small model to run it on."""

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest

from qonnx_tools.cli import main
from qonnx_tools.graph import parse

CLASSIFIER = """
<ir_version: 8, opset_import: ["" : 17]> g (float[N, 3, 6, 6] image) => (float[N, 4] logits)
<float[5, 3, 3, 3] first_weight, float[5] first_bias, float[4, 5] last_weight, float[4] last_bias>
{
  [first] a = Conv <pads = [1, 1, 1, 1]> (image, first_weight, first_bias)
  [relu] b = Relu (a)
  [pool] c = GlobalAveragePool (b)
  [flat] d = Flatten (c)
  [last] logits = Gemm <transB = 1> (d, last_weight, last_bias)
}
"""
COMMAND = (sys.executable, "-P", "-m", "qonnx_tools.cli")


@dataclass(frozen=True)
class Run:
    status: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line on standard error; anything else there is a failure."""
        assert self.err.endswith("\n"), self.err
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        return self.err.strip()


@pytest.fixture
def qonnx(capsys, monkeypatch):
    """Run the command in this process."""
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    handler = signal.getsignal(signal.SIGINT)

    def run(*arguments: object) -> Run:
        monkeypatch.setattr(sys, "argv", ["qonnx", *map(str, arguments)])
        capsys.readouterr()
        try:
            status = main()
        except SystemExit as end:
            status = end.code
        shown = capsys.readouterr()
        return Run(status, shown.out, shown.err)

    yield run
    signal.signal(signal.SIGINT, handler)


@pytest.fixture
def process():
    """Run the command as a process of its own, to its end."""

    def run(*arguments: object, **settings) -> Run:
        done = subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, **settings)
        return Run(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The working directory: a model and data in it."""
    monkeypatch.chdir(tmp_path)
    onnx.save_model(parse(CLASSIFIER), "model.onnx")
    random = np.random.default_rng(7)
    images = random.normal(size=(10, 3, 6, 6)).astype(np.float32)
    np.savez("data.npz", images=images, labels=random.integers(0, 4, 10))
    np.savez("unlabelled.npz", images=images)
    return tmp_path


@pytest.fixture
def untouched(folder):
    """Fail where the test leaves other files, or files of other content, than it found once it called this."""

    def contents() -> dict[str, bytes | None]:
        return {
            str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
            for path in sorted(folder.rglob("*"))
            if "__pycache__" not in path.parts
        }

    before: list[dict[str, bytes | None]] = []
    yield lambda: before.append(contents())
    assert before, "the test says when its input is ready"
    assert contents() == before[-1]
