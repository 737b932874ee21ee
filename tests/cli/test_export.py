"""``qonnx export``: a package and a line about it, or one line and no folder."""

import json
from pathlib import Path

import pytest
from exported import native_file


@pytest.fixture
def native(folder):
    return native_file(Path(folder), "fixed").name


def test_a_package(qonnx, native):
    run = qonnx("export", native, "package", "--vectors", 2)
    assert (run.status, run.err) == (0, "")
    assert "2 vectors" in run.out
    assert "on the host, in float: " in run.out
    run = qonnx("export", native, "package", "--vectors", 2, "--force", "--json")
    assert (run.status, json.loads(run.out)) == (0, json.loads(Path("package/manifest.json").read_text()))


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("nothing.onnx", "package"), "nothing.onnx: no such file"),
        (("fixed.onnx", "missing/package"), "there is no folder 'missing'"),
        (("fixed.onnx", "fixed.onnx"), "is there and is no folder"),
        (("fixed.onnx", "package", "--data", "nothing.npz"), "nothing.npz"),
        (("fixed.onnx", "/"), "is no name for a new folder"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_folder(qonnx, native, arguments, line):
    before = sorted(path.name for path in Path().iterdir())
    run = qonnx("export", *arguments)
    assert run.status == 1
    assert line in run.line
    assert sorted(path.name for path in Path().iterdir()) == before
    assert native in before
