"""``qonnx hardware-cost``: one line for bad input, and no file."""

import json
from pathlib import Path

import pytest

from qonnx_tools.hardware.yosys import Yosys


@pytest.fixture
def counted(monkeypatch):
    """Yosys is not run: every element has as many LUTs as its weights have bits."""
    monkeypatch.setattr(Yosys, "find", lambda: Yosys("yosys"))
    monkeypatch.setattr(Yosys, "version", "Yosys 1")
    monkeypatch.setattr(Yosys, "luts", lambda _, mac, lut_inputs: mac.weight_bits * lut_inputs)


@pytest.mark.usefixtures("folder", "counted")
def test_a_table(qonnx):
    run = qonnx("hardware-cost", "t.toml", "--weights", "3-4", "--inputs", "8", "--kind", "multiplier")
    assert (run.status, run.err) == (0, "")
    assert "2 elements, 2 measured now by Yosys 1" in run.out
    text = Path("t.toml").read_text()
    assert "# qonnx hardware-cost t.toml --lut 6 --weights 3-4 --inputs 8 --fan-in 256 --kind multiplier\n" in text
    assert "[18]" in text
    assert "[24]" in text
    run = qonnx("hardware-cost", "t.toml", "--weights", "3-4", "--inputs", "8", "--kind", "multiplier", "--json")
    assert '"measured": 0' in run.out
    assert Path("t.toml").read_text() == text


@pytest.mark.usefixtures("folder", "counted")
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("t.toml", "--weights", "4-3"), "--weights is '4-3'; give two widths"),
        (("t.toml", "--inputs", "x"), "--inputs is 'x'"),
        (("t.toml", "--lut", "5"), "--lut is 5; choose 4 or 6"),
        (("none/t.toml",), "there is no folder 'none'"),
    ],
)
def test_bad_input_is_one_line(qonnx, arguments, line):
    before = sorted(path.name for path in Path().iterdir())
    run = qonnx("hardware-cost", *arguments)
    assert run.status == 1
    assert line in run.line
    assert sorted(path.name for path in Path().iterdir()) == before


@pytest.mark.usefixtures("folder")
def test_without_yosys_it_says_how_to_get_it(qonnx, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    run = qonnx("hardware-cost", "t.toml")
    assert (run.status, run.line) == (
        1, "error: Yosys is not installed; run pip install 'qonnx-tools[rtl]', or put yosys on the PATH",
    )  # fmt: skip


@pytest.mark.usefixtures("folder")
def test_inspect_says_what_a_model_costs_on_an_accelerator(qonnx):
    table = (
        "version = 1\nunit = 'LUT6'\n[cost.multiplier]\nweight_bits = [4, 8]\ninput_bits = [8]\nvalues = [[30], [40]]\n"
    )
    Path("own.toml").write_text(table)
    qonnx("convert", "model.onnx", "native.onnx", "--weight-bits", 4)
    run = qonnx("inspect", "native.onnx", "--cost", "own.toml", "--json")
    macs = 3 * 9 * 5 * 36 + 4 * 5
    expected = {"file": "own.toml", "unit": "LUT6", "cost": 30.0 * macs, "share_of_8bit": 0.75}
    assert json.loads(run.out)["accelerator"] == expected
    run = qonnx("inspect", "native.onnx", "--cost", "own.toml")
    assert f"on own.toml: {30 * macs:,} LUT6 x products an image, 75.0 % of 8 bits everywhere" in run.out
    run = qonnx("inspect", "native.onnx", "--cost", "gone.toml")
    assert (run.status, "accelerator 'gone.toml' cannot be read" in run.line) == (1, True)
