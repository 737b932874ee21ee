"""Fitted weights: in a plan, in its second file, and in a conversion."""

import numpy as np
import pytest

from qonnx_tools.conversion import convert
from qonnx_tools.errors import ConfigError
from qonnx_tools.fitted import Fitted, read_fitted, write_fitted
from qonnx_tools.graph import constant_value, from_proto, parse, to_proto
from qonnx_tools.plan import Plan, load_plan, save_plan

VALUES = {"a/b.weight": np.float32([[1.5, -2], [0, 3]]), "file": np.float32([0.25]), "names": np.float32(7)}


def test_values_come_back(tmp_path):
    write_fitted(Fitted(VALUES), tmp_path / "values.npz")
    back = read_fitted(tmp_path / "values.npz")
    assert back == Fitted(VALUES)
    assert list(back) == list(VALUES)
    assert back["names"].shape == ()
    assert back != Fitted({**VALUES, "file": np.float32([0.5])})
    assert back != Fitted({"file": VALUES["file"]})


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no archive", b"\x93NUMPY"])
def test_a_damaged_file_is_named(tmp_path, damage):
    path = tmp_path / "values.npz"
    path.write_bytes(damage)
    with pytest.raises(ConfigError, match=r"values.npz' is not a file of fitted weights: write the plan anew"):
        read_fitted(path)


@pytest.mark.parametrize("value", [np.float64([1]), np.float32([np.nan])])
def test_values_that_are_no_weights_are_refused(tmp_path, value):
    np.savez(tmp_path / "values.npz", **{"0": value}, names=np.array(["w"]))
    with pytest.raises(ConfigError, match="the values of 'w' are not finite float32 numbers"):
        read_fitted(tmp_path / "values.npz")


def test_a_plan_has_them_in_a_file_beside_it(tmp_path):
    plan = Plan("log", fitted=Fitted(VALUES))
    save_plan(plan, tmp_path / "one.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.fitted.npz", "one.json"]
    assert load_plan(tmp_path / "one.json") == plan
    save_plan(Plan("log"), tmp_path / "other.json")
    assert not (tmp_path / "other.fitted.npz").exists()
    (tmp_path / "one.fitted.npz").unlink()
    with pytest.raises(ConfigError, match=r"one.json': '.*one.fitted.npz' is missing; it holds the weights"):
        load_plan(tmp_path / "one.json")


def test_a_plan_reads_no_file_elsewhere(tmp_path):
    save_plan(Plan("log", fitted=Fitted(VALUES)), tmp_path / "one.json")
    text = (tmp_path / "one.json").read_text(encoding="utf-8").replace("one.fitted.npz", "../one.fitted.npz")
    (tmp_path / "one.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"'../one.fitted.npz' is not the name of a file beside the plan"):
        load_plan(tmp_path / "one.json")


def small():
    random = np.random.default_rng(2)
    text = """
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[N, 3, 6, 6] x) => (float[N, 4, 6, 6] y)
        <float[6, 3, 3, 3] w, float[6] b, float[4, 6, 1, 1] v>
        { [c] a = Conv <pads = [1, 1, 1, 1]> (x, w, b) [r] r = Relu (a) [d] y = Conv (r, v) }
    """
    values = {"w": random.normal(size=(6, 3, 3, 3)), "b": random.normal(size=6), "v": random.normal(size=(4, 6, 1, 1))}
    return from_proto(parse(text, **{name: value.astype(np.float32) for name, value in values.items()}))


@pytest.fixture
def images(tmp_path):
    path = tmp_path / "images.npz"
    np.savez(path, images=np.random.default_rng(4).normal(size=(96, 3, 6, 6)).astype(np.float32))
    return path


@pytest.mark.parametrize("granularity", ["channel", "layer", "class", "network"])
@pytest.mark.parametrize(("scheme", "options"), [("log", {}), ("fixed", {"weight_bits": 3})])
def test_weights_lie_in_the_formats_of_the_plan(images, scheme, options, granularity):
    plan = convert(small(), scheme=scheme, data=images, granularity=granularity, **options).plan
    assert {"w", "b", "v"} >= set(plan.fitted) >= {"w", "v"}
    for name in ("w", "v"):
        tensor = plan.tensors[name]
        np.testing.assert_array_equal(
            tensor.format.quantize(plan.fitted[name], tensor.rounding, tensor.axis), plan.fitted[name]
        )


def test_a_saved_plan_makes_the_same_bytes(images, tmp_path):
    first = convert(small(), scheme="log", data=images)
    save_plan(first.plan, tmp_path / "plan.json")
    again = convert(small(), plan=tmp_path / "plan.json")
    assert to_proto(again.model).SerializeToString() == to_proto(first.model).SerializeToString()


def test_weights_stay_as_they_are_where_they_are_rounded_to_nearest(images):
    for options in ({}, {"weight_bits": 4, "fit": "weights"}):
        assert not convert(small(), data=images, **options).plan.fitted
    assert not convert(small(), scheme="log").plan.fitted
    model = small()
    simulation = convert(model, data=images, target="simulation").model.graph.tensors()
    np.testing.assert_array_equal(constant_value(simulation["w"]), constant_value(model.graph.tensors()["w"]))


def test_single_layers_can_be_left_out(images):
    plan = convert(small(), scheme="log", data=images, overrides=["c:fit=weights"]).plan
    assert "w" not in plan.fitted
    assert "v" in plan.fitted


def test_values_of_another_model_are_refused(images):
    plan = convert(small(), scheme="log", data=images).plan
    for wrong, message in (
        ({"z": np.float32([1])}, "fitted values for 'z', which is no constant of the model"),
        ({"w": np.float32([1])}, r"fitted values for 'w' have shape \[1\], not \[6, 3, 3, 3\]: they are of another"),
    ):
        with pytest.raises(ConfigError, match=message):
            convert(small(), plan=Plan(plan.scheme, plan.batch_norm, plan.tensors, fitted=Fitted(wrong)))


def test_progress_counts_layers(images):
    seen = []
    convert(small(), scheme="log", data=images, fitting=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]
