"""Plans: what is written is read back, and every fault is named with its place."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.errors import ConfigError
from qonnx_tools.plan import BatchNorm, Plan, Role, TensorPlan, load_plan, plan_from_json, plan_to_json, save_plan

PLAN = Plan(
    scheme="log",
    batch_norm=BatchNorm.FOLD,
    tensors={
        "conv.weight": TensorPlan(Role.WEIGHT, Log(5, (0.5, 0.25), 2), "log", 0),
        "conv.bias": TensorPlan(Role.BIAS, FixedPoint(32, 20)),
        "x": TensorPlan(Role.ACTIVATION, FixedPoint(8, (4, -1, 3), signed=False), "half_up", 1),
    },
)

fixed_points = st.builds(
    FixedPoint,
    bits=st.integers(0, 32),
    frac=st.integers(-64, 126) | st.lists(st.integers(-64, 126), min_size=1, max_size=4).map(tuple),
    signed=st.just(value=True),
    narrow=st.booleans(),
)
logs = st.builds(
    Log,
    bits=st.integers(2, 6),
    scale=st.floats(2.0**-20, 2.0**20, width=32),
    steps=st.sampled_from([1, 2]),
)


def tensor_plan(number_format):
    return TensorPlan(Role.WEIGHT, number_format, None, None if number_format.channels is None else 0)


widths = st.integers(0, 64)


@given(
    st.dictionaries(st.text(), (fixed_points | logs).map(tensor_plan), max_size=5),
    st.text(),
    widths,
    st.dictionaries(st.text(), widths, max_size=3),
)
def test_what_is_written_is_read_back(tensors, scheme, accumulator_bits, accumulators):
    plan = Plan(scheme, BatchNorm.FOLD, tensors, accumulator_bits, accumulators)
    assert plan_from_json(plan_to_json(plan)) == plan
    assert plan.chooses_accumulators == any([accumulator_bits, *accumulators.values()])


def test_a_plan_that_leaves_accumulators_alone_does_not_name_them():
    assert set(json.loads(plan_to_json(PLAN))) == {"version", "scheme", "batch_norm", "tensors"}


def test_a_file_holds_the_plan(tmp_path):
    save_plan(PLAN, tmp_path / "plan.json")
    assert load_plan(tmp_path / "plan.json") == PLAN
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


def test_the_text_is_deterministic_and_one_line_a_tensor():
    text = plan_to_json(PLAN)
    assert text == plan_to_json(plan_from_json(text))
    assert sum('"role"' in line for line in text.splitlines()) == len(PLAN.tensors)


def changed(*path_and_value):
    *path, value = path_and_value
    document = json.loads(plan_to_json(PLAN))
    place = document
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: not JSON"),
        ("[]", "the document: input should be an object"),
        ('{"a": 1, "a": 2}', "key 'a' appears twice"),
        (changed("version", 2), "version: 2 is not known"),
        (changed("accumulator_bits", 65), "accumulator_bits: 65 is out of range; give 1 to 64 bits, or 0 for safe"),
        (changed("accumulator_bits", "wide"), "accumulator_bits: input should be a valid integer"),
        (changed("accumulators", {"conv": -1}), r"accumulators\['conv'\]: -1 is out of range"),
        (changed("accumulators", {"conv": 8.5}), "accumulators.conv: input should be a valid integer"),
        (changed("version", None), "version: field required"),
        (changed("extra", 1), "extra: extra inputs are not permitted"),
        (changed("batch_norm", "melt"), "batch_norm: input should be 'fold', 'merge' or 'separate'"),
        (changed("tensors", "x", "role", "wait"), r"tensors\['x'\].role: input should be"),
        (changed("tensors", "x", "format", "kind", "posit"), r"tensors\['x'\].format.kind: 'posit' is not known"),
        (changed("tensors", "x", "format", "bits", "8"), r"tensors\['x'\].format.bits: .*valid integer"),
        (changed("tensors", "x", "format", "bits", 8.5), r"tensors\['x'\].format.bits: .*valid integer"),
        (changed("tensors", "x", "format", "bits", None), r"tensors\['x'\].format.bits: field required"),
        (changed("tensors", "x", "format", "bits", 33), r"tensors\['x'\].*bits is 33; .* 0 to 32 bits"),
        (changed("tensors", "x", "format", "frac", [4, 999, 3]), r"tensors\['x'\].*frac is 999"),
        (changed("tensors", "x", "axis", None), r"tensors\['x'\].*axis goes with per-channel parameters"),
        (changed("tensors", "x", "rounding", "up"), r"tensors\['x'\].*rounding 'up' is unknown to fixed formats"),
        (changed("tensors", "conv.weight", "format", "steps", 3), r"tensors\['conv.weight'\].*steps is 3"),
        (changed("tensors", "conv.weight", "format", "scale", [0.5, -1.0]), r"tensors\['conv.weight'\].*scale is -1"),
    ],
)
def test_a_fault_is_named_with_its_place(text, message):
    with pytest.raises(ConfigError, match=message):
        plan_from_json(text)


def test_files_that_are_no_plans(tmp_path):
    with pytest.raises(ConfigError, match=r"plan '.*absent.json' cannot be read: No such file"):
        load_plan(tmp_path / "absent.json")
    binary = tmp_path / "model.onnx"
    binary.write_bytes(b"\x08\x07\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_plan(binary)
    nested = tmp_path / "deep.json"
    nested.write_text("[" * 100_000)
    with pytest.raises(ConfigError, match=r"deep\.json"):
        load_plan(nested)


def test_ctrl_c_while_writing_leaves_the_plan_as_it_was(tmp_path, monkeypatch):
    place = tmp_path / "plan.json"
    save_plan(PLAN, place)
    whole = place.read_bytes()

    def interrupted(path, *_, **__):
        path.touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_plan(PLAN, place)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("plan.json", whole)]


def test_an_unwritable_place_leaves_nothing(tmp_path):
    with pytest.raises(ConfigError, match="cannot be written"):
        save_plan(PLAN, tmp_path / "no-such-folder" / "plan.json")
    assert list(tmp_path.iterdir()) == []
