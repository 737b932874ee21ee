"""Compressed feature maps in training: the codec's numbers forward, the low half of dropped channels backward."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'qonnx-tools[finetune]'")

from qonnx_tools.arithmetic.coding import round_trip
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.wavelet import Wavelet
from qonnx_tools.feature_map_plan import FeatureMapPlan
from qonnx_tools.finetune.feature_maps import FeatureMap
from qonnx_tools.finetune.quantizers import quantizer_for
from qonnx_tools.finetune.selection import Selection
from qonnx_tools.plan import Role, TensorPlan

OF = FixedPoint(8, 5, signed=False)
PLANS = [
    FeatureMapPlan("wavelet53", levels=3, step=4.0, dropped=(1, 3)),
    FeatureMapPlan("haar", levels=1, step=2.5),
    FeatureMapPlan("predictive", step=3.0),
]


def stored(plan, retain=None, channels=4):
    member = None
    if retain is not None:
        selection = Selection(retain)
        member = selection.join(plan, channels, 70)
        selection.begin()
    return FeatureMap(plan, quantizer_for(TensorPlan(Role.ACTIVATION, OF), 4), channels, member)


def maps(count=2, channels=4, size=(7, 10)):
    return np.random.default_rng(9).integers(0, 256, (count, channels, *size)).astype(np.float32) / 32


@pytest.mark.parametrize("plan", PLANS)
def test_forward_it_is_what_comes_back_from_the_codec(plan):
    x = maps()
    expected = np.stack([round_trip((each * 32).astype(np.uint8), plan.coding(4), OF) for each in x]) / np.float32(32)
    for layout in (torch.contiguous_format, torch.channels_last):
        found = stored(plan)(torch.from_numpy(x).contiguous(memory_format=layout))
        assert np.array_equal(found.numpy(), expected)
        assert found.is_contiguous(memory_format=layout)


def test_with_scores_it_is_the_same():
    x = torch.from_numpy(maps())
    learning = stored(PLANS[0], retain=0.5)
    assert learning.plan.dropped == (1, 3), "the plan's channels have a head start"
    assert torch.equal(learning(x).detach(), stored(PLANS[0])(x))


def test_scores_of_larger_maps_feel_each_number_alone():
    """Maps of 35 and 70 numbers a channel: the mean channel has 52.5."""
    x = torch.from_numpy(maps())
    alone = stored(PLANS[0], retain=0.5)
    selection = Selection(0.5)
    members = [selection.join(PLANS[0], 4, size) for size in (70, 35)]
    selection.begin()
    both = FeatureMap(PLANS[0], quantizer_for(TensorPlan(Role.ACTIVATION, OF), 4), 4, members[0])
    assert torch.equal(both.scores, alone.scores)
    for module in (alone, both):
        module(x).square().sum().backward()
    torch.testing.assert_close(both.scores.grad, alone.scores.grad * 52.5 / 70)


@pytest.mark.parametrize("size", [(8, 8), (7, 10)])
@pytest.mark.parametrize("wavelet", list(Wavelet))
def test_backward_gradients_pass_and_dropped_channels_keep_their_low_half(wavelet, size):
    """Against differences: at a step of 1 the codec is linear, but for roundings that large numbers make small."""
    plan = FeatureMapPlan(wavelet, levels=1, step=1.0, dropped=(1,))
    wide = FixedPoint(16, 0)
    module = FeatureMap(plan, quantizer_for(TensorPlan(Role.ACTIVATION, wide), 4), 2)
    random = np.random.default_rng(10)
    x = torch.from_numpy(random.integers(-2000, 2000, (1, 2, *size)).astype(np.float32)).requires_grad_()
    flow = torch.from_numpy(random.normal(size=(1, 2, *size)).astype(np.float32))
    y = module(x)
    y.backward(flow)
    assert torch.equal(x.grad[:, 0], flow[:, 0]), "kept whole"
    step = torch.from_numpy(random.integers(-6000, 6000, (1, 2, *size)).astype(np.float32))
    moved = float(((module((x + step).detach()) - y.detach())[:, 1] * flow[:, 1]).sum())
    predicted = float((x.grad[:, 1] * step[:, 1]).sum())
    assert abs(moved - predicted) < 4 * float(flow[:, 1].abs().sum()), "each number is off by less than four"
    assert abs(predicted) > 100 * float(flow[:, 1].abs().sum()) / flow[:, 1].numel()


def test_the_gradient_of_a_score_is_that_of_the_soft_mask():
    x = torch.from_numpy(maps())
    module = stored(PLANS[0], retain=0.5)
    flow = torch.from_numpy(np.random.default_rng(11).normal(size=x.shape).astype(np.float32))
    module(x).backward(flow)
    whole = stored(FeatureMapPlan("wavelet53", levels=3, step=4.0))(x)
    bare = stored(FeatureMapPlan("wavelet53", levels=3, step=4.0, dropped=(0, 1, 2, 3)))(x)
    effect = (flow * (whole - bare)).sum(dim=(0, 2, 3))
    soft = torch.sigmoid(2.0 * (module.scores.detach() - 0.5))
    torch.testing.assert_close(module.scores.grad, -2.0 * soft * (1 - soft) * effect)
