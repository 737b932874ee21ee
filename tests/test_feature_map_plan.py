"""What a plan says of feature maps that are compressed: read back as written, every fault with its place."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qonnx_tools.arithmetic.bitstream import Coding, Transform
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.errors import ConfigError
from qonnx_tools.feature_map_plan import FeatureMapPlan, relative_step
from qonnx_tools.plan import Plan, Role, TensorPlan, plan_from_json, plan_to_json
from tests.helpers.feature_map_cases import codings

MAP = FixedPoint(8, 4, signed=False)
TENSORS = {
    "x": TensorPlan(Role.ACTIVATION, MAP),
    "w": TensorPlan(Role.WEIGHT, FixedPoint(8, 4)),
    "wide": TensorPlan(Role.ACTIVATION, FixedPoint(17, 4)),
    "channels": TensorPlan(Role.ACTIVATION, FixedPoint(8, (1, 2)), axis=1),
    "log": TensorPlan(Role.ACTIVATION, Log(4, 1.0)),
}
PLAN = Plan(tensors=TENSORS, feature_maps={"x": FeatureMapPlan(Transform.HAAR, levels=2, step=2.5, dropped=(0, 3))})


@given(codings(5))
def test_what_is_written_is_read_back(coding):
    dropped = tuple(channel for channel, left_out in enumerate(coding.dropped) if left_out)
    of = FeatureMapPlan(coding.transform, coding.coder, coding.levels, coding.step, dropped)
    plan = Plan(tensors=TENSORS, feature_maps={"x": of})
    assert plan_from_json(plan_to_json(plan)) == plan
    assert of.coding(5) == replace(coding, dropped=coding.dropped if dropped else ())


def test_the_text_has_a_line_a_map():
    text = plan_to_json(PLAN)
    line = '    "x": {"transform": "haar", "coder": "context", "levels": 2, "step": 2.5, "dropped": [0, 3]}'
    assert line in text.splitlines()
    assert "feature_maps" not in json.loads(plan_to_json(replace(PLAN, feature_maps={})))


def with_map(name="x", **fields):
    document = json.loads(plan_to_json(PLAN))
    document["feature_maps"] = {name: {"transform": "haar", "levels": 1} | fields}
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (with_map(transform="cosine"), r"feature_maps\['x'\]: transform 'cosine' is unknown; choose one of none"),
        (with_map(coder="zip"), r"feature_maps\['x'\]: coder 'zip' is unknown"),
        (with_map(levels=4), r"feature_maps\['x'\]: levels is 4; transform 'haar' has 1 to 3"),
        (with_map(levels="2"), r"feature_maps\['x'\]\.levels: input should be a valid integer"),
        (with_map(transform="none"), r"feature_maps\['x'\]: levels is 1; transform 'none' has none"),
        (with_map(step=1.01), r"feature_maps\['x'\]: step is 1.01; it must be a multiple of 1/16"),
        (with_map(step=0.5), r"feature_maps\['x'\]: step is 0.5"),
        (with_map(dropped=[1, 0]), r"feature_maps\['x'\]: dropped is \[1, 0\]; give channel numbers"),
        (with_map(dropped=[-1]), r"feature_maps\['x'\]: dropped is \[-1\]"),
        (with_map(dropped=[True]), r"feature_maps\['x'\]\.dropped\.0: input should be a valid integer"),
        (with_map(transform="predictive", levels=0, dropped=[0]), r"feature_maps\['x'\]: dropped: transform 'pred"),
        (with_map(kappa=0.1), r"feature_maps\['x'\]\.kappa: extra inputs are not permitted"),
        (with_map("y"), r"feature_maps\['y'\]: the plan has no such tensor; take it out"),
        (with_map("w"), r"feature_maps\['w'\]: it is a weight, no activation"),
        (with_map("wide"), r"feature_maps\['wide'\]: it has 17 bits; codes of 1 to 16 bits"),
        (with_map("channels"), r"feature_maps\['channels'\]: its format is .*one format for the whole tensor"),
        (with_map("log"), r"feature_maps\['log'\]: its format is .*only fixed point"),
    ],
)
def test_a_fault_is_named_with_its_place(text, message):
    with pytest.raises(ConfigError, match=message):
        plan_from_json(text)


def test_a_channel_that_the_map_does_not_have():
    with pytest.raises(ConfigError, match="dropped: there is no channel 3; the map has 3"):
        PLAN.feature_maps["x"].coding(3)
    assert PLAN.feature_maps["x"].coding(4) == Coding(Transform.HAAR, "context", 2, 2.5, (True, False, False, True))


@given(st.floats(0, 1e6))
def test_steps_relative_to_the_range(share):
    step = relative_step(share, MAP)
    assert step * 16 == int(step * 16)
    if 1 <= share * 255 < 2**16:
        assert abs(step - share * 255) <= 1 / 32
    assert relative_step(0, MAP) == 1
