"""Formats as modules: the numbers of ``arithmetic`` to the bit, and the gradients that training takes for theirs."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'qonnx-tools[finetune]'")

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.log import Log, LogRounding
from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.errors import ConfigError
from qonnx_tools.finetune.layout import PIECE
from qonnx_tools.finetune.quantizers import quantizer_for
from qonnx_tools.plan import Role, TensorPlan

FIXED = [
    FixedPoint(bits, frac, signed, narrow)
    for bits in (1, 2, 4, 8, 16, 24)
    for frac in (-2, 0, 7)
    for signed, narrow in ((True, False), (True, True), (False, False))
]
LOG = [
    Log(bits, scale, steps, signed)
    for bits in (1, 2, 3, 4, 5, 6)
    for steps in (1, 2)
    for signed in (True, False)
    for scale in (1.0, 0.75, 1.2345, 3.0)
    if bits > signed
]


def hard_numbers(of):
    """Numbers at the codes, midway between two of them, one float beside those, and zeros of both signs."""
    low, high = of.code_range
    codes = np.arange(low, high + 1) if high - low < 600 else np.r_[low : low + 9, -9:9, high - 9 : high + 1]
    levels = of.decode(codes)
    middles = (levels[:-1] + levels[1:]) / 2
    geometric = np.sqrt(np.abs(levels[:-1].astype(np.float64) * levels[1:])).astype(np.float32)
    edges = np.concatenate([levels, middles, geometric])
    beside = [np.nextafter(edges, np.float32(bound)) for bound in (-np.inf, np.inf)]
    noise = np.random.default_rng(0).normal(size=200).astype(np.float32) * 3 * np.abs(levels).max(initial=1)
    found = np.concatenate([edges, *beside, noise, np.array([0.0, -0.0], np.float32)]).astype(np.float32)
    return np.resize(found, (2, 3, 4, -(-len(found) // 24)))


def same_bits(a, b):
    return np.array_equal(np.asarray(a, np.float32).view(np.int32), np.asarray(b, np.float32).view(np.int32))


@pytest.mark.parametrize(
    ("of", "rounding"),
    [(of, mode.value) for of in FIXED for mode in Rounding] + [(of, mode.value) for of in LOG for mode in LogRounding],
)
def test_numbers_are_those_of_the_format(of, rounding):
    x = hard_numbers(of)
    quantizer = quantizer_for(TensorPlan(Role.ACTIVATION, of, rounding), 4)
    expected = of.quantize(x, rounding)
    for layout in (torch.contiguous_format, torch.channels_last):
        given = torch.from_numpy(x).contiguous(memory_format=layout)
        assert same_bits(quantizer(given).detach(), expected)
        assert same_bits(given, x), "the input stays as it is"


@pytest.mark.parametrize(
    "of",
    [
        FixedPoint(4, 2),
        FixedPoint(4, 2, signed=False),
        Log(4, 1.2345),
        Log(4, 1.2345, signed=False),
        Log(4, 1.2345, 2),
        Log(4, 1.2345, 2, signed=False),
    ],
    ids=str,
)
def test_numbers_of_maps_larger_than_a_cache(of):
    x = np.random.default_rng(0).normal(size=(7, 8, 96, 97)).astype(np.float32)
    assert x.size > 3 * PIECE
    assert same_bits(quantizer_for(TensorPlan(Role.ACTIVATION, of), 4)(torch.from_numpy(x)).detach(), of.quantize(x))


@pytest.mark.parametrize(
    "of", [FixedPoint(4, (3, -1, 9)), FixedPoint(8, (3, 3, 3)), Log(4, (0.3, 1.7, 2.0)), Log(3, (0.3, 1.7, 2.0), 2)]
)
@pytest.mark.parametrize("axis", [0, 1, 3])
def test_numbers_by_channel(of, axis):
    x = np.moveaxis(np.random.default_rng(1).normal(size=(3, 4, 5, 6)).astype(np.float32), 0, axis)
    quantizer = quantizer_for(TensorPlan(Role.WEIGHT, of, axis=axis), 4)
    assert same_bits(quantizer(torch.from_numpy(np.ascontiguousarray(x))).detach(), of.quantize(x, None, axis))


@pytest.mark.parametrize(
    "of", [FixedPoint(4, 2), FixedPoint(4, 2, signed=False), Log(4, 1.5), Log(4, 1.5, 2, signed=False)]
)
def test_gradients(of):
    """Inside the range 1 for the number and (q - x) for s d/ds, outside 0 and q; ln 2 of it for the exponent."""
    quantizer = quantizer_for(TensorPlan(Role.ACTIVATION, of), 2, learns=True)
    x = torch.linspace(-6, 6, 48).reshape(6, 8).requires_grad_()
    flow = torch.from_numpy(np.random.default_rng(2).normal(size=(6, 8)).astype(np.float32))
    q = quantizer(x)
    q.backward(flow)
    low, high = (float(value) for value in of.decode(np.array(of.code_range)))
    inside = (x > low) & (x < high)
    assert inside.any()
    assert not inside.all()
    assert torch.equal(x.grad, torch.where(inside, flow, 0.0))
    expected = math.log(2) * (flow * (q - torch.where(inside, x, 0.0))).sum()
    torch.testing.assert_close(quantizer.exponent.grad, expected.detach())


def test_gradients_by_channel():
    of = Log(4, (0.5, 2.0), 2)
    quantizer = quantizer_for(TensorPlan(Role.WEIGHT, of, axis=0), 3, learns=True)
    x = torch.linspace(-3, 3, 24).reshape(2, 3, 4).requires_grad_()
    quantizer(x).sum().backward()
    inside = x.abs() <= torch.tensor([0.5, 2.0])[:, None, None]
    assert torch.equal(x.grad, inside.float())
    expected = math.log(2) * (quantizer(x) - torch.where(inside, x, 0.0)).sum(dim=(1, 2)).detach()
    torch.testing.assert_close(quantizer.exponent.grad.flatten(), expected)


@pytest.mark.parametrize(
    ("of", "learned"),
    [
        (FixedPoint(4, 3), FixedPoint(4, 2)),
        (FixedPoint(8, (3, 5)), FixedPoint(8, (2, 4))),
        (Log(4, 1.0), Log(4, 2.0)),
        (Log(4, 0.75), Log(4, 1.2889404296875)),
    ],
)
def test_a_learned_scale_is_one_that_the_hardware_has(of, learned):
    """Fraction bits stay integers, scales that are powers of two stay so, others have 15 significant bits."""
    axis = None if of.channels is None else 0
    quantizer = quantizer_for(TensorPlan(Role.WEIGHT, of, axis=axis), 2, learns=True)
    assert quantizer.format == of
    with torch.no_grad():
        quantizer.exponent += 0.78125
    assert quantizer.format == learned
    x = np.random.default_rng(3).normal(size=(2, 9)).astype(np.float32)
    assert same_bits(quantizer(torch.from_numpy(x)).detach(), learned.quantize(x, None, axis))


def test_wider_formats_have_the_same_range():
    quantizer = quantizer_for(TensorPlan(Role.ACTIVATION, FixedPoint(4, 2, signed=False)), 1)
    quantizer.wider = 2
    x = np.linspace(-1, 5, 77, dtype=np.float32)
    assert same_bits(quantizer(torch.from_numpy(x)).detach(), FixedPoint(6, 4, signed=False).quantize(x))
    assert quantizer.format.bits == 4, "for now only"


def test_switched_off_it_changes_nothing():
    quantizer = quantizer_for(TensorPlan(Role.ACTIVATION, FixedPoint(2, 0)), 1)
    quantizer.active = False
    x = torch.tensor([0.3, 77.0])
    assert quantizer(x) is x
    unsigned = quantizer_for(TensorPlan(Role.ACTIVATION, FixedPoint(2, 0, signed=False)), 1)
    unsigned.active = False
    assert unsigned(torch.tensor([-0.3, 77.3])).tolist() == [0.0, pytest.approx(77.3)], "it is the Relu before it, too"


def test_formats_without_gradients_are_named():
    class Other(FixedPoint):
        kind = "other"

    with pytest.raises(ConfigError, match="other formats are not trained through; choose fixed or log"):
        quantizer_for(TensorPlan(Role.ACTIVATION, Other(4, 0)), 1)
