"""The module that is trained computes what its graph of quantizers computes."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'qonnx-tools[finetune]'")

from small_graphs import GRAPHS, model

from qonnx_tools.conversion import apply, convert, copied, prepare_for
from qonnx_tools.finetune.building import student_of
from qonnx_tools.finetune.learned import learned_plan, settle_formats
from qonnx_tools.finetune.weights import InUnits
from qonnx_tools.runtime import run, session
from qonnx_tools.targets import NATIVE, SIMULATION

X = np.random.default_rng(8).normal(size=(6, 3, 8, 8)).astype(np.float32)
NAMES = sorted(set(GRAPHS) - {"moving"})


def made(name, **options):
    body, values = GRAPHS[name]
    float_model = model(body, **values)
    plan = convert(float_model, **options).plan
    prepared = prepare_for(float_model, plan)
    return prepared, plan


def student(prepared, plan):
    return student_of(apply(copied(prepared), plan, SIMULATION).model, plan, learn_scales=True)


def outputs(prepared, plan, target):
    return run(session(apply(copied(prepared), plan, target).model, optimize=False), X)[0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("batch_norm", ["fold", "merge", "separate"])
@pytest.mark.parametrize("bits", [3, 8])
def test_fixed_point_is_equal_to_the_bit(name, batch_norm, bits):
    prepared, plan = made(name, batch_norm=batch_norm, weight_bits=bits, activation_bits=bits)
    found = student(prepared, plan)(torch.from_numpy(X)).detach().numpy()
    assert np.array_equal(found, outputs(prepared, plan, SIMULATION))
    assert np.array_equal(found, outputs(prepared, plan, NATIVE))


@pytest.mark.parametrize("base", ["2", "sqrt2"])
def test_log_codes_are_equal_up_to_the_rounding_of_sums(base):
    prepared, plan = made("relu", scheme="log", weight_bits=4, activation_bits=4, activations="log", log_base=base)
    found = student(prepared, plan)(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(found, outputs(prepared, plan, SIMULATION), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("batch_norm", ["fold", "merge", "separate"])
def test_untrained_it_gives_back_its_plan(batch_norm):
    prepared, plan = made("batch norm", batch_norm=batch_norm, weight_bits=4, activation_bits=4)
    network, graph = student(prepared, plan), prepared.model.graph
    learned = learned_plan(network, plan, graph)
    assert learned.tensors.keys() == plan.tensors.keys()
    assert {name: of.format for name, of in learned.tensors.items()} == {
        name: of.format for name, of in plan.tensors.items()
    }
    assert np.array_equal(outputs(prepared, learned, NATIVE), outputs(prepared, plan, NATIVE))


@pytest.mark.parametrize("batch_norm", ["fold", "merge", "separate"])
@pytest.mark.parametrize("scheme", ["fixed", "log"])
def test_what_is_learned_is_what_the_integer_graph_computes(batch_norm, scheme):
    """Every parameter moves at random: weights, scales, batch normalizations."""
    prepared, plan = made("batch norm", scheme=scheme, batch_norm=batch_norm, weight_bits=4, activation_bits=6)
    network, graph = student(prepared, plan), prepared.model.graph
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.4 * torch.randn_like(parameter))
    settle_formats(network, plan, graph)
    learned = learned_plan(network, plan, graph)
    assert learned.fitted != plan.fitted
    changed = [name for name, of in learned.tensors.items() if of.format != plan.tensors[name].format]
    assert changed, "scales are learned"
    found = network(torch.from_numpy(X)).detach().numpy()
    native = outputs(prepared, learned, NATIVE)
    if scheme == "fixed":
        assert np.array_equal(found, outputs(prepared, learned, SIMULATION))
        assert np.array_equal(found, native)
    else:
        assert np.mean(found.argmax(axis=1) == native.argmax(axis=1)) > 0.99


def test_gradients_reach_every_trained_value():
    prepared, plan = made("batch norm", batch_norm="merge", weight_bits=4, activation_bits=4)
    network = student(prepared, plan).train()
    network.freeze_statistics(frozen=False)
    network(torch.from_numpy(X)).square().sum().backward()
    without = [name for name, each in network.named_parameters() if each.requires_grad and each.grad is None]
    statistics = [key for name, key in network.names.items() if name.endswith((".scale", ".offset"))]
    assert without == [f"weights.{key}.values.scaled" for key in statistics], "gamma and beta are trained for them"


def test_settled_weights_stay_and_others_are_in_float():
    prepared, plan = made("relu", weight_bits=3, activation_bits=8)
    network = student(prepared, plan)
    weights = dict(network.each_weights())["w"]
    with torch.no_grad():
        weights.values.scaled += 0.01
    weights.settle(0.5)
    values, used = weights.values().detach(), weights().detach()
    settled = weights.settled
    assert settled.sum() == round(0.5 * settled.numel())
    assert values[settled].abs().min() >= values[~settled].abs().max()
    assert torch.equal(used[~settled], values[~settled])
    assert torch.equal(used[settled], weights.quantizer(values)[settled])
    weights().sum().backward()
    assert (weights.values.scaled.grad[settled] == 0).all()
    before = settled.clone()
    weights.settle(0.75)
    assert (weights.settled | ~before).all(), "what is settled stays so"


def test_one_number_a_channel_is_trained_in_one_unit_for_all():
    apart = InUnits(torch.tensor([[1.0, 1.0], [64.0, 64.0]]), axis=0)
    assert apart.unit.flatten().tolist() == [1.0, 64.0], "weights by channel"
    biases = InUnits(torch.tensor([0.001, 4.0, -4.0]), axis=0)
    assert biases.unit.flatten().tolist() == [4.0], "a bias near zero may have far to go"
    assert torch.equal(biases(), torch.tensor([0.001, 4.0, -4.0]))
