"""The file of an accelerator."""

import pytest

from qonnx_tools.accelerator import load_accelerator
from qonnx_tools.cost import LayerWork, Stored, Work
from qonnx_tools.errors import ConfigError
from qonnx_tools.hardware.shipped import cost_tables

TEXT = """
version = 1
unit = "LUT"
accumulator_bits = 20
[widths]
weights = [2, 4]
batch_norm = [16]
[cost]
memory_bit = 0.5
[cost.multiplier]
weight_bits = [2, 4]
input_bits = [4, 8]
values = [[10, 20], [30, 50]]
"""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "fpga.toml"
    file.write_text(TEXT)
    return file


def layer(weight_bits, input_bits, **places):
    return LayerWork("conv1", 100, 9, 10, 1, weight_bits, 16, input_bits, 8, **places)


def test_what_it_says(path):
    found = load_accelerator(path)
    assert (found.unit, found.accumulator_bits, found.costs.memory_bit) == ("LUT", 20, 0.5)
    assert found.widths == {"weights": (2, 4), "batch norm": (16,)}
    assert found.product_cost(layer(2, 8)) == 20
    assert found.product_cost(layer(4, 6)) == 40
    assert found.product_cost(layer(3, 6)) == 27.5


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (layer(5, 8), r"fpga.toml': \[cost.multiplier\] does not reach 5-bit weights by 8-bit inputs"),
        (layer(4, 8, weight_places=7), r"has no \[cost.shifter\], which layer 'conv1' needs"),
        (layer(4, 8, weight_places=7, input_places=7), r"has no \[cost.log_adder\]"),
    ],
)
def test_what_it_does_not_say(path, work, message):
    with pytest.raises(ConfigError, match=message):
        load_accelerator(path).product_cost(work)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version = 1", "version = 2", "version is 2; this qonnx-tools reads 1"),
        ("version = 1", "version = ", "is not TOML"),
        ("unit =", "units =", "units: extra inputs are not permitted"),
        ("weights = [2, 4]", "weights = [4, 2]", r"widths.weights is \[4, 2\]; give widths of 1 to 32 bits"),
        ("weights = [2, 4]", "kernels = [2, 4]", "widths.kernels is unknown; choose from weights, biases"),
        ("[[10, 20], [30, 50]]", "[[10, 20]]", "cost.multiplier.values must have 2 rows of 2 numbers"),
        ("[[10, 20], [30, 50]]", "[[10, 20], [30, -1]]", "cost.multiplier.values holds a number that is no cost"),
    ],
)
def test_what_is_wrong_with_it(path, old, new, message):
    assert old in TEXT
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        load_accelerator(path)
    with pytest.raises(ConfigError, match=f"accelerator '{path}"):
        load_accelerator(path)


def test_no_such_file(tmp_path):
    with pytest.raises(ConfigError, match=r"no.toml' cannot be read: No such file"):
        load_accelerator(tmp_path / "no.toml")


def test_base_sqrt2_has_tables_of_its_own_or_those_of_base_2(path):
    text = TEXT + "[cost.shifter]\nweight_bits = [4]\ninput_bits = [8]\nvalues = [[7]]\n"
    path.write_text(text)
    assert load_accelerator(path).product_cost(layer(4, 8, weight_places=7, weight_steps=1)) == 7
    assert load_accelerator(path).product_cost(layer(4, 8, weight_places=4, weight_steps=2)) == 7
    path.write_text(text + "[cost.shifter_sqrt2]\nweight_bits = [4]\ninput_bits = [8]\nvalues = [[9]]\n")
    assert load_accelerator(path).product_cost(layer(4, 8, weight_places=7, weight_steps=1)) == 7
    assert load_accelerator(path).product_cost(layer(4, 8, weight_places=4, weight_steps=2)) == 9


def test_the_cost_of_a_network(path):
    work = Work((layer(2, 8), layer(4, 4)), (Stored("x", 50, 8),))
    bits = 10 * 2 + 16 + 10 * 4 + 16 + 50 * 8
    assert load_accelerator(path).cost(work) == 0.5 * bits + 100 * 20 + 100 * 30


def test_tables_come_with_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert list(cost_tables()) == ["lut4.toml", "lut6.toml"]
    found = load_accelerator("lut6.toml")
    assert found.unit == "LUT6"
    assert found.product_cost(layer(8, 8)) > found.product_cost(layer(4, 8, weight_places=7)) > 0
    assert found.product_cost(layer(4, 8, weight_places=4, weight_steps=2)) > 0
    assert found.product_cost(layer(4, 5, weight_places=4, input_places=16, weight_steps=2)) > 0
    (tmp_path / "lut6.toml").write_text(TEXT)
    assert load_accelerator("lut6.toml").unit == "LUT", "a file of the user's own goes first"
