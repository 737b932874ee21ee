"""One format for many tensors: which format it is."""

from dataclasses import replace
from functools import partial

import numpy as np

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.plan import Role, TensorPlan
from qonnx_tools.schemes._fit import fit_fixed, fit_log, sample
from qonnx_tools.schemes._sharing import Member, noise_to_signal, share

RANDOM = np.random.default_rng(5)
LARGE = RANDOM.normal(size=2000).astype(np.float32) * 8
SMALL = RANDOM.normal(size=300).astype(np.float32) * 0.05


def member(values, *, bits=8, signed=True, granularity="network", batch_norm=False, role=Role.WEIGHT):
    alone = TensorPlan(role, fit_fixed(sample(values), bits, signed=signed))
    return Member(alone, partial(sample, values), granularity, batch_norm)


def log_member(values, bits=5, *, steps=1, signed=True):
    alone = TensorPlan(Role.WEIGHT, fit_log(sample(values), bits, steps, signed=signed))
    return Member(alone, partial(sample, values), "network")


def formats(members):
    return {name: plan.format for name, plan in share(members).items()}


def test_a_group_has_the_format_of_least_noise_to_signal():
    members = {"large": member(LARGE), "small": member(SMALL)}
    found = formats(members)
    assert found["large"] == found["small"]
    costs = {
        frac: sum(noise_to_signal(FixedPoint(8, frac), sample(values)) for values in (LARGE, SMALL))
        for frac in range(-4, 20)
    }
    assert found["large"].frac == min(costs, key=costs.__getitem__)
    # by squared errors alone the large numbers would decide
    assert noise_to_signal(found["small"], sample(SMALL)) < noise_to_signal(
        members["large"].alone.format, sample(SMALL)
    )


def test_the_order_of_the_tensors_does_not_matter():
    members = {"large": member(LARGE), "small": member(SMALL), "zero": member(np.zeros(5, np.float32))}
    assert formats(members) == formats(dict(reversed(members.items())))


def test_signed_where_one_of_the_tensors_is():
    positive = {name: member(np.abs(LARGE), signed=False) for name in ("a", "b")}
    assert not formats(positive)["a"].signed
    mixed = formats(positive | {"c": member(LARGE)})
    assert set(mixed.values()) == {FixedPoint(8, mixed["a"].frac, signed=True)}


def test_widths_and_kinds_of_number_stay_apart():
    found = formats({"wide": member(LARGE, bits=16), "narrow": member(SMALL), "log": log_member(SMALL)})
    assert [(form.kind, form.bits) for form in found.values()] == [("fixed", 16), ("fixed", 8), ("log", 5)]


def test_classes_stay_apart_unless_the_whole_network_shares():
    for granularity, count in (("class", 2), ("network", 1)):
        found = formats(
            {
                "conv": member(SMALL, granularity=granularity),
                "norm": member(LARGE, granularity=granularity, batch_norm=True),
            }
        )
        assert len(set(found.values())) == count


def test_only_tensors_that_share_are_named():
    assert set(share({"a": member(LARGE), "b": member(SMALL, granularity="layer")})) == {"a"}


def test_one_scale_for_all_log_weights():
    members = {"large": log_member(LARGE), "small": log_member(SMALL), "middle": log_member(LARGE / 8)}
    found = formats(members)
    assert len(set(found.values())) == 1
    assert isinstance(found["large"], Log)
    alone = [item.alone.format for item in members.values()]
    costs = [sum(noise_to_signal(form, item.sample()) for item in members.values()) for form in alone]
    assert found["large"] == alone[int(np.argmin(costs))]


def test_signed_where_one_of_the_log_formats_is():
    found = formats({"weight": log_member(SMALL), "activation": log_member(np.abs(LARGE), signed=False)})
    assert found["weight"] == found["activation"]
    assert found["weight"].signed


def test_base_2_and_base_sqrt_2_stay_apart():
    found = formats({"weight": log_member(SMALL), "activation": log_member(LARGE, steps=2)})
    assert [form.steps for form in found.values()] == [1, 2]


def test_a_group_takes_the_format_that_values_were_made_for():
    settled = replace(member(SMALL), alone=TensorPlan(Role.WEIGHT, FixedPoint(8, 7)), settled=True)
    found = formats({"large": member(LARGE), "fitted": settled, "small": member(SMALL)})
    assert set(found.values()) == {FixedPoint(8, 7)}
    assert formats({"large": member(LARGE), "small": member(SMALL)})["large"] != FixedPoint(8, 7)
