"""What holds for every pass of the registry, and how passes of other packages join it."""

import dataclasses
import importlib
from importlib.metadata import EntryPoint

import onnx
import pytest

from qonnx_tools.errors import ConfigError
from qonnx_tools.graph import parse
from qonnx_tools.passes import registry
from qonnx_tools.passes.base import Pass

MIXED = """
<ir_version: 8, opset_import: ["" : 17]>
mixed (float[N, 3, 9, 9] image, float[1, 3, 9, 9] reference) => (float[N, 5] y, float[N, 6, h, v] z)
<float[6, 3, 3, 3] w, float[6, 1, 1] c, float[6] gamma, float[6] beta, float[6] mean, float[6] spread,
 float[6, 1, 3, 3] d, float[5, 6] m, float[5] n, int64[8] around = {0, 0, 1, 1, 0, 0, 1, 1}, int64 zero = {0},
 int64[1] rest = {-1}, int64[1] first = {0}>
{
    difference = Sub (image, reference)
    padded = Pad (difference, around)
    a = Conv <auto_pad = "VALID"> (padded, w)
    b = Add (a, c)
    var = Mul (spread, spread)
    e = BatchNormalization (b, gamma, beta, mean, var)
    f = Relu (e)
    g = Identity (f)
    z = Conv <group = 6, strides = [2, 2]> (g, d)
    pooled = GlobalAveragePool (z)
    shape = Shape (pooled)
    size = Gather <axis = 0> (shape, zero)
    sizes = Unsqueeze (size, first)
    target = Concat <axis = 0> (sizes, rest)
    flat = Reshape (pooled, target)
    dropped = Dropout (flat)
    t = Transpose (m)
    product = MatMul (dropped, t)
    k = Constant <value_float = 0.5> ()
    scaled = Mul (product, k)
    y = Add (scaled, n)
}
"""
BUILT_IN = registry.registered_passes()


def without_options(each: type[Pass]) -> bool:
    return all(
        field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        for field in dataclasses.fields(each)
    )


@pytest.mark.parametrize("name", [name for name, each in BUILT_IN.items() if without_options(each)])
def test_keeps_interface_and_numbers_and_is_idempotent(attempt, name, digits_model):
    each = BUILT_IN[name]()
    attempt(each, parse(MIXED), tolerance=2e-6)  # some passes round once where the model rounds twice
    if digits_model.exists():
        attempt(each, onnx.load(digits_model), tolerance=1e-5)


@pytest.mark.parametrize("name", BUILT_IN)
def test_form(name):
    each = BUILT_IN[name]
    assert dataclasses.is_dataclass(each)
    assert each.__dataclass_params__.frozen
    assert each.name == name
    assert each.__module__ == f"qonnx_tools.passes.{name.replace('-', '_')}"
    assert each.__name__ == name.title().replace("-", "")
    assert importlib.import_module(each.__module__).__doc__
    assert each.__doc__


def entry_points(*found: EntryPoint):
    def entry_points_of(*, group: str) -> list[EntryPoint]:
        return [point for point in found if point.group == group]

    return entry_points_of


def point(value: str, name: str = "theirs") -> EntryPoint:
    return EntryPoint(name=name, value=value, group="qonnx_tools.passes")


def test_pass_of_another_package(monkeypatch, tmp_path):
    (tmp_path / "their_package.py").write_text(
        "from dataclasses import dataclass\n"
        "from typing import ClassVar\n"
        "from qonnx_tools.passes.base import Pass\n"
        "@dataclass(frozen=True)\n"
        "class Theirs(Pass):\n"
        "    '''Does nothing.'''\n"
        "    name: ClassVar[str] = 'theirs'\n"
        "    def run(self, graph):\n"
        "        yield from ()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "entry_points", entry_points(point("their_package:Theirs")))
    found = registry.registered_passes()
    assert set(found) == {*BUILT_IN, "theirs"}
    assert found["theirs"].__name__ == "Theirs"


def test_installed_distribution_is_found(monkeypatch, tmp_path):
    information = tmp_path / "theirs-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[qonnx_tools.passes]\nbroken = no_such_module:Nothing\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"entry point 'broken' \(no_such_module:Nothing\) .* No module named"):
        registry.registered_passes()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("qonnx_tools.errors:Nothing", "cannot be loaded: AttributeError"),
        ("qonnx_tools.errors:ModelError", "is not a concrete subclass of qonnx_tools.passes.base.Pass"),
        ("qonnx_tools.passes.base:Pass", "is not a concrete subclass"),
        ("qonnx_tools.passes.base:Rewrite", "is not a concrete subclass"),
    ],
)
def test_broken_entry_point(monkeypatch, value, message):
    monkeypatch.setattr(registry, "entry_points", entry_points(point(value)))
    with pytest.raises(ConfigError, match=f"entry point 'theirs'.*{message}"):
        registry.registered_passes()


def test_name_that_is_taken(monkeypatch, tmp_path):
    (tmp_path / "taken_package.py").write_text(
        "from qonnx_tools.passes.base import Pass\n"
        "class Theirs(Pass):\n"
        "    name = 'fold-constants'\n"
        "    def run(self, graph):\n"
        "        yield from ()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "entry_points", entry_points(point("taken_package:Theirs")))
    with pytest.raises(ConfigError, match="there is already a pass named 'fold-constants'"):
        registry.registered_passes()
