"""Alternatives that a scheme has for the weights of a layer: the base of log weights, chosen with the width."""

import dataclasses
import itertools

import numpy as np
import pytest
from small_classifier import small_classifier, small_images

from qonnx_tools.accelerator import Accelerator, Costs, Table
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.plan import BatchNorm
from qonnx_tools.preparation import look_at, prepare
from qonnx_tools.schemes.base import make_scheme
from qonnx_tools.search.damage import DamageContext, extended, measure_damage
from qonnx_tools.search.images import Images
from qonnx_tools.search.objective import ACCELERATOR, COSTS, Objective
from qonnx_tools.search.options import FEATURE_MAPS, SearchOptions
from qonnx_tools.search.search import search
from qonnx_tools.search.space import ACTIVATION, BIAS, WEIGHTS, Alternative, Space, bits_of, options_of
from qonnx_tools.workload import work_of

ALLOWED = {WEIGHTS: (3, 5), BIAS: (16,), ACTIVATION: (4, 8)}
SQRT2 = (("log_base", "sqrt2"),)
BOTH = (3, 5, Alternative(3, SQRT2), Alternative(5, SQRT2))
COUNTED = [name for name in COSTS if name != FEATURE_MAPS]


@pytest.fixture(scope="module")
def images():
    return small_images(32)


@pytest.fixture(scope="module")
def seen(images):
    prepared = prepare(small_classifier(), BatchNorm.FOLD)
    network, _ = look_at(prepared, Images(images, None, "noise"), len(images))
    return prepared.model, network


def space_of(seen, overrides=(), scheme="log", **options):
    return Space.of(*seen, make_scheme(scheme, {"bias_bits": 16, **options}, overrides), ALLOWED)


def weights(space):
    return {choice.name: choice.widths for choice in space.choices if choice.kind == WEIGHTS}


def test_the_base_is_an_alternative_where_nothing_sets_it(seen):
    assert weights(space_of(seen).with_alternatives([])) == {"first": BOTH, "second": BOTH, "last": BOTH}
    assert weights(space_of(seen, ["second:log_base=2"]).with_alternatives([]))["second"] == (3, 5)
    assert weights(space_of(seen, ["v:weights=fixed"]).with_alternatives([]))["second"] == (3, 5)
    excepted = weights(space_of(seen, first_last="fixed8").with_alternatives([]))
    assert excepted == {"first": (3, 5), "second": BOTH, "last": (3, 5)}
    for space, fixed in [
        (space_of(seen), ["log_base"]),
        (space_of(seen, scheme="fixed"), []),
        (space_of(seen, activations="log", activation_bits=4), []),
    ]:
        assert set(weights(space.with_alternatives(fixed)).values()) == {(3, 5)}


def test_widths_of_other_kinds_stay(seen):
    before, after = space_of(seen), space_of(seen).with_alternatives([])
    assert [each for each in after.choices if each.kind != WEIGHTS] == [
        each for each in before.choices if each.kind != WEIGHTS
    ]
    assert after.widest() == before.widest()


def test_a_plan_has_the_formats_that_are_chosen(seen):
    space = space_of(seen, log_base="sqrt2").with_alternatives([])
    base2 = Alternative(3, (("log_base", "2"),))
    plan = space.plan(space.widest() | {"weights of second": base2})
    found = {name: plan.tensors[name].format for name in "wvu"}
    assert all(isinstance(of, Log) for of in found.values())
    assert {name: (of.bits, of.steps) for name, of in found.items()} == {"w": (5, 2), "v": (3, 1), "u": (5, 2)}


def test_damages_are_those_of_a_scheme_with_these_options(seen, images):
    space = space_of(seen).with_alternatives([])
    keys = tuple(choice.key for choice in space.choices if choice.kind == WEIGHTS)
    batches = (images[:16], images[16:])
    found = measure_damage(DamageContext(space, batches), keys)
    for base, options in (("2", ()), ("sqrt2", SQRT2)):
        alone = measure_damage(DamageContext(space_of(seen, log_base=base), batches), keys)
        for key in keys:
            ours = {bits_of(width): value for width, value in found[key].widths.items() if options_of(width) == options}
            assert ours == alone[key].widths
    assert any(found[key].widths[3] != found[key].widths[Alternative(3, SQRT2)] for key in keys)


def test_widths_above_are_told_from_those_of_the_same_options():
    other = Alternative(4, SQRT2)
    found = extended({2: 1.0, 3: 0.5, other: 0.25}, (2, 3, 4, 5, other, Alternative(6, SQRT2)))
    assert found == {2: 1.0, 3: 0.5, 4: 0.125, 5: 0.03125, other: 0.25, Alternative(6, SQRT2): 0.015625}


@pytest.mark.parametrize("name", COUNTED)
def test_the_program_knows_the_cost_of_every_plan(name, seen):
    space = space_of(seen).with_alternatives([])
    objective = Objective((name,))
    zero = {choice.key: dict.fromkeys(choice.widths, 0.0) for choice in space.choices}
    program = objective.program(space, zero)
    fixed = {choice.key: choice.widths[0] for choice in space.choices}
    keys = [choice.key for choice in space.choices if choice.kind == WEIGHTS]
    costs = {}
    for picked in itertools.product(BOTH, repeat=len(keys)):
        widths = fixed | dict(zip(keys, picked, strict=True))
        costs[picked] = program.value(widths)
        assert costs[picked] == pytest.approx(objective.of(work_of(space.model, space.plan(widths))), rel=1e-12)
    if name in {"shift-adds", "accumulators"}:  # a base of small steps reaches over fewer places
        assert costs[(Alternative(5, SQRT2),) * 3] < costs[5, 5, 5]
    assert program.value(program.solve(1.0)) == pytest.approx(min(costs.values()), rel=1e-3)


@pytest.mark.parametrize("dearer", ["shifter", "shifter_sqrt2"])
def test_the_tables_of_an_accelerator_tell_the_bases_apart(dearer, seen):
    cheap, dear = (Table([3, 8], [4, 8], [[factor, 2.0 * factor], [3.0 * factor, 4.0 * factor]]) for factor in (5, 6))
    tables = {"shifter": cheap, "shifter_sqrt2": cheap, "multiplier": dear, dearer: dear}
    accelerator = Accelerator("fpga.toml", "LUT", 0, {}, Costs(0.0, **tables))
    space = space_of(seen).with_alternatives([])
    objective = Objective((ACCELERATOR,), accelerator=accelerator)
    zero = {choice.key: dict.fromkeys(choice.widths, 0.0) for choice in space.choices}
    program = objective.program(space, zero)
    found = program.solve(1.0)
    assert program.value(found) == pytest.approx(objective.of(work_of(space.model, space.plan(found))), rel=1e-12)
    expected = Alternative(3, SQRT2) if dearer == "shifter" else 3
    assert {found[choice.key] for choice in space.choices if choice.kind == WEIGHTS} == {expected}


def test_of_one_cost_the_least_damage_is_taken(seen):
    space = space_of(seen).with_alternatives([])
    damage = {choice.key: dict.fromkeys(choice.widths, 0.0) for choice in space.choices}
    damage["weights of second"] = dict(zip(BOTH, (0.5, 0.2, 0.1, 0.1), strict=True))
    damage["weights of first"] = dict(zip(BOTH, (0.1, 0.1, 0.5, 0.2), strict=True))
    found = Objective(("memory",)).program(space, damage).solve(0.2)
    assert found["weights of second"] == Alternative(3, SQRT2)
    assert found["weights of first"] == 3


def test_a_search_chooses_bases_and_comes_to_the_same_end(tmp_path):
    images = small_images(240)
    model = small_classifier()
    allowed = {WEIGHTS: (2, 4), BIAS: (16,), ACTIVATION: (8,)}
    data = tmp_path / "images.npz"
    np.savez(data, images=images)
    options = SearchOptions(max_drop=0.1, widths=allowed)
    first = search(model, data, tmp_path / "one", scheme="log", options=options)
    journal = (tmp_path / "one" / "journal.jsonl").read_text()
    assert '"4 log_base=sqrt2"' in journal
    more = dataclasses.replace(options, workers=2)
    again = search(model, data, tmp_path / "two", scheme="log", options=more)
    resumed = search(model, data, tmp_path / "one", scheme="log", options=options, resume=True)
    assert first.best.widths == again.best.widths == resumed.best.widths
    assert resumed.measured == 0
    steps = {name: of.format.steps for name, of in first.best.plan.tensors.items() if isinstance(of.format, Log)}
    layers = {"w": "first", "v": "second", "u": "last"}
    assert steps == {
        name: 2 if isinstance(first.best.widths[f"weights of {layer}"], Alternative) else 1
        for name, layer in layers.items()
    }
    given = search(model, data, tmp_path / "three", scheme="log", scheme_options={"log_base": "2"}, options=options)
    assert "sqrt2" not in (tmp_path / "three" / "journal.jsonl").read_text()
    assert all(isinstance(width, int) for width in given.best.widths.values())
