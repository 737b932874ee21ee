"""A search from end to end, on the shipped network."""

import dataclasses
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from small_classifier import normalized_classifier, small_classifier, small_images

from qonnx_tools.compression.stored import MapMeter
from qonnx_tools.conversion import convert
from qonnx_tools.cost import accumulator_bits, savings
from qonnx_tools.errors import ConfigError, DataError
from qonnx_tools.evaluation import evaluate
from qonnx_tools.feature_map_plan import FeatureMapPlan
from qonnx_tools.graph import save, to_proto
from qonnx_tools.runtime import run, session
from qonnx_tools.search.front import front_writer, pick
from qonnx_tools.search.objective import Objective
from qonnx_tools.search.options import SearchOptions
from qonnx_tools.search.search import search
from qonnx_tools.search.space import ACTIVATION, BIAS, WEIGHTS

FEW = {WEIGHTS: (3, 5, 8), BIAS: (8, 16), ACTIVATION: (4, 6, 8)}
MOST = 0.05


FPGA = """
version = 1
unit = "LUT"
accumulator_bits = 18
[widths]
weights = [4, 8]
activations = [5, 8]
biases = [16]
[cost]
memory_bit = 0.1
[cost.multiplier]
weight_bits = [4, 8]
input_bits = [5, 8]
values = [[15, 20], [30, 60]]
"""


def options(**others):
    return SearchOptions(max_drop=MOST, widths=FEW, **others)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    save(small_classifier(), path)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "data.npz"
    np.savez(path, images=small_images(600))
    return path


@pytest.fixture(scope="module")
def found(model, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    return search(model, data, folder, options=options()), folder


def test_a_cheaper_plan_within_the_budget(found):
    result, _ = found
    assert result.verdict.accepted
    assert result.best.loss <= MOST
    saved = savings(result.best.work)
    assert saved["memory_saving_vs_8bit"] > 0.1
    assert saved["multiplier_saving_vs_8bit"] > 0.2


def test_a_trained_network(digits_model, digits_data, tmp_path):
    few = {WEIGHTS: (3, 8), BIAS: (16,), ACTIVATION: (4, 8)}
    chosen = SearchOptions(max_drop=0.02, widths=few)
    result = search(digits_model, digits_data["calibration"], tmp_path, options=chosen)
    assert result.verdict.accepted
    assert savings(result.best.work)["multiplier_saving_vs_8bit"] > 0.4
    converted = convert(digits_model, plan=result.best.plan)
    unseen = evaluate(converted.model, digits_data["test"], against=digits_model)
    assert unseen.against.paired.difference > -0.03


def test_the_front_is_sorted_and_nothing_on_it_is_beaten(found):
    result, _ = found
    costs = [result.objective.of(each.work) for each in result.front]
    losses = [each.loss for each in result.front]
    assert costs == sorted(costs)
    assert losses == sorted(losses, reverse=True)
    assert len(set(losses)) == len(losses)


def test_plans_are_picked_from_the_front(found, model, tmp_path):
    result, folder = found
    front = tmp_path / "net.front.json"
    front_writer(result, folder, front)(front)
    converted = convert(model, plan=pick(front, f"drop<={100 * MOST}"))
    within = [each for each in result.front if each.loss <= MOST]
    assert converted.plan == min(within, key=lambda each: result.objective.of(each.work)).plan
    assert convert(model, plan=pick(front, f"cost <= {result.objective.of(result.front[0].work)}")).plan
    for condition, message in (
        ("drop<=-100", r"has no plan with drop<=-100; its least is"),
        ("speed<=1", r"pick is 'speed<=1'; give drop<=POINTS or cost<=SHARE"),
    ):
        with pytest.raises(ConfigError, match=message):
            pick(front, condition)
    front.write_text("{}")
    with pytest.raises(ConfigError, match=r"net.front.json': version: field required"):
        pick(front, "drop<=1")


def test_the_same_again_whatever_the_workers(found, model, data, tmp_path):
    result, _ = found
    again = search(model, data, tmp_path, options=options(workers=2))
    assert again.best.widths == result.best.widths
    assert again.best.plan == result.best.plan
    assert again.verdict == result.verdict


def test_resumed_it_repeats_no_work(found, model, data):
    result, folder = found
    again = search(model, data, folder, options=options(), resume=True)
    assert again.measured == 0
    assert again.best == result.best


KILLED = """
import os, signal, sys
from qonnx_tools.search.options import SearchOptions
from qonnx_tools.search.search import search
model, data, folder = sys.argv[1:]
seen = []
def kill(text, done, total):
    seen.append(text)
    if sum(item.startswith("measuring") for item in seen) == 9 or sum("compared" in item for item in seen) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
widths = {"weights": (3, 5, 8), "bias": (8, 16), "activation": (4, 6, 8)}
search(model, data, folder, options=SearchOptions(max_drop=0.05, widths=widths), resume=True, progress=kill)
"""


def test_killed_at_any_time_it_comes_to_the_same_end(found, model, data, tmp_path):
    result, _ = found
    command = [sys.executable, "-P", "-c", KILLED, str(model), str(data), str(tmp_path)]
    for _ in range(2):
        done = subprocess.run(command, check=False, capture_output=True, env={**os.environ})
        assert done.returncode == -signal.SIGKILL, done.stderr
    again = search(model, data, tmp_path, options=options(), resume=True)
    assert again.best.widths == result.best.widths
    assert to_proto(convert(model, plan=again.best.plan).model) == to_proto(convert(model, plan=result.best.plan).model)


def test_another_budget_uses_what_was_measured(model, data, tmp_path):
    first = search(model, data, tmp_path / "s", options=options())
    more = search(model, data, tmp_path / "s", options=dataclasses.replace(options(), max_drop=2 * MOST), resume=True)
    anew = search(model, data, tmp_path / "t", options=dataclasses.replace(options(), max_drop=2 * MOST))
    assert more.best == anew.best
    assert more.objective.of(more.best.work) <= first.objective.of(first.best.work)
    assert more.measured < anew.measured


def test_another_search_in_the_folder_is_refused(found, model, data):
    _, folder = found
    before = (folder / "journal.jsonl").read_bytes()
    with pytest.raises(ConfigError, match="belongs to a search with another scheme"):
        search(model, data, folder, scheme="log", options=options(), resume=True)
    assert (folder / "journal.jsonl").read_bytes() == before
    assert json.loads(before.splitlines()[0])["settings"]["images"] == [150, 270, 180]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_drop": 1.5}, "max-drop is 150 points; it must lie in 0..100"),
        ({"workers": 0}, "workers is 0"),
        ({"method": "magic"}, "method is 'magic'; choose one of program, sequential"),
        ({"method": "sequential", "limits": {"memory": 0.5}}, "method sequential knows a budget of accuracy alone"),
    ],
)
def test_options_that_make_no_sense(changes, message):
    with pytest.raises(ConfigError, match=message):
        SearchOptions(**changes)


def test_an_unknown_cost(model, data, tmp_path):
    with pytest.raises(ConfigError, match="cost 'watts' is unknown; choose from memory, multipliers"):
        search(model, data, tmp_path, options=SearchOptions(cost=("watts",)))
    with pytest.raises(ConfigError, match=r"limit of 'watts' is unknown; choose from memory, .*, peak"):
        search(model, data, tmp_path, options=SearchOptions(limits={"watts": 0.5}))
    with pytest.raises(ConfigError, match="limit of 'peak' is 0; give a share above 0"):
        search(model, data, tmp_path, options=SearchOptions(limits={"peak": 0.0}))


@pytest.mark.parametrize("name", ["memory", "peak", "multipliers"])
def test_a_limit_of_cost_holds(name, found, model, data, tmp_path):
    free, _ = found
    share = Objective(free.objective.names, {name: 1.0}).excess(free.best.work) + 1
    bound = Objective(free.objective.names, {name: 0.8 * share})
    result = search(model, data, tmp_path, options=dataclasses.replace(options(), limits=bound.limits))
    assert bound.excess(free.best.work) > 0 >= bound.excess(result.best.work)


def test_relative_to_the_accuracy_of_the_float_model(model, tmp_path):
    images = small_images(600)
    wrong = run(session(small_classifier()), images)[0].argmax(axis=1)
    wrong[::2] = (wrong[::2] + 1) % 3
    np.savez(tmp_path / "half.npz", images=images, labels=wrong)
    for relative in (False, True):
        chosen = dataclasses.replace(options(), relative=relative)
        result = search(model, tmp_path / "half.npz", tmp_path / str(relative), options=chosen)
        assert result.best.loss <= (MOST / 2 if relative else MOST)


def test_batch_norm_constants_are_chosen_where_they_are_kept(data, tmp_path):
    result = search(normalized_classifier(), data, tmp_path, scheme_options={"batch_norm": "merge"}, options=options())
    chosen = {key: width for key, width in result.best.widths.items() if key.startswith("batch norm")}
    assert chosen
    scale, _ = result.best.work.normalizations
    assert [scale.bits] == list(chosen.values())
    assert scale.bits < 16


def test_an_accelerator_gives_widths_costs_and_accumulators(model, data, tmp_path):
    (tmp_path / "fpga.toml").write_text(FPGA)
    chosen = SearchOptions(max_drop=MOST, cost=(str(tmp_path / "fpga.toml"),))
    result = search(model, data, tmp_path / "s", options=chosen)
    assert {width for key, width in result.best.widths.items() if key.startswith("weights")} <= {4, 8}
    assert {width for key, width in result.best.widths.items() if key.startswith("activation")} <= {5, 8}
    assert result.best.plan.accumulator_bits == 18
    assert 0.2 < result.objective.of(result.best.work) < 1
    assert all(accumulator_bits(layer) <= 18 for layer in result.best.work.layers)
    with pytest.raises(ConfigError, match="two accelerators; give one"):
        search(model, data, tmp_path / "t", options=SearchOptions(cost=("a.toml", "b.toml")))


def test_log_weights_have_the_widths_that_the_accelerator_has_for_them(model, data, tmp_path):
    table = "\n[cost.shifter]\nweight_bits = [3, 4]\ninput_bits = [5, 8]\nvalues = [[5, 9], [7, 14]]\n"
    (tmp_path / "fpga.toml").write_text(FPGA.replace("biases", "log_weights = [3, 4]\nbiases") + table)
    chosen = SearchOptions(max_drop=MOST, cost=(str(tmp_path / "fpga.toml"),))
    result = search(model, data, tmp_path / "s", scheme="log", scheme_options={"log_base": "2"}, options=chosen)
    assert {width for key, width in result.best.widths.items() if key.startswith("weights")} <= {3, 4}
    assert all(layer.weight_steps == 1 for layer in result.best.work.layers)


def test_too_few_images(model, tmp_path):
    np.savez(tmp_path / "few.npz", images=small_images(5))
    with pytest.raises(DataError, match="a search needs 12 images or more"):
        search(model, tmp_path / "few.npz", tmp_path / "s")


def test_feature_maps_are_stored_and_their_bytes_a_cost(model, data, tmp_path):
    chosen = dataclasses.replace(options(), cost=("feature-map-bytes",))
    result = search(model, data, tmp_path, options=chosen)
    assert dict(result.best.plan.feature_maps) == {"h": FeatureMapPlan()}  # without loss
    sizes = result.objective.stored["h"]
    (bits,) = (each.bits for each in result.best.work.maps if each.name == "h")
    assert bits < 8
    assert result.objective.of(result.best.work) == sizes[bits] / sizes[8] < 1

    meter = MapMeter(convert(model, plan=result.best.plan).model)
    meter.run(small_images(100))
    stored = meter.result()
    assert [each.bits for each in stored.maps] == [bits]
    assert abs(stored.total.bytes / sizes[bits] - 1) < 0.1  # other images, of a network whose layers are rounded

    half = sizes[bits] / sizes[8] + 0.1
    limited = search(
        model, data, tmp_path / "limit", options=dataclasses.replace(options(), limits={"feature-map-bytes": half})
    )
    (bits,) = (each.bits for each in limited.best.work.maps if each.name == "h")
    assert sizes[bits] / sizes[8] <= half


def test_the_sequential_search_stores_no_feature_maps():
    with pytest.raises(ConfigError, match="method sequential does not compress feature maps"):
        SearchOptions(cost=("memory", "feature-map-bytes"), method="sequential")
