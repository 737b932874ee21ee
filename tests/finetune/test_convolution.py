"""Convolutions in training: exact forward, gradients as precise as bfloat16 is."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'qonnx-tools[finetune]'")

from qonnx_tools.finetune.convolution import convolution, gradients_in, precision_of

SHAPES = {
    "1-D": ((4, 6, 17), (5, 6, 3), ([1], [1], [1], 1)),
    "2-D, strided": ((4, 6, 9, 8), (8, 6, 3, 3), ([2, 1], [1, 0], [1, 1], 1)),
    "2-D, dilated": ((2, 3, 12, 12), (4, 3, 3, 3), ([1, 1], [2, 2], [2, 2], 1)),
    "3-D": ((2, 3, 5, 6, 7), (4, 3, 2, 2, 2), ([1, 1, 1], [0, 0, 0], [1, 1, 1], 1)),
    "grouped": ((2, 6, 9, 9), (6, 1, 3, 3), ([1, 1], [1, 1], [1, 1], 6)),
}


def results(shape, attrs, dtype, biased):
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(each, generator=generator).requires_grad_() for each in shape)
    bias = torch.randn(shape[1][0], generator=generator).requires_grad_() if biased else None
    given = [x, weight] + [bias] * biased
    with gradients_in(dtype):
        y = convolution(x, weight, bias, *attrs)
    return y, torch.autograd.grad(y, given, torch.randn(y.shape, generator=generator))


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("name", SHAPES)
def test_forward_it_is_the_same_and_gradients_are_near(name, biased):
    *shape, attrs = SHAPES[name]
    exact, rough = (results(shape, attrs, dtype, biased) for dtype in (torch.float32, torch.bfloat16))
    assert torch.equal(exact[0], rough[0])
    for a, b in zip(exact[1], rough[1], strict=True):
        assert b.dtype == torch.float32
        assert (a - b).norm() <= 2**-7 * a.norm()
    same = all(torch.equal(a, b) for a, b in zip(exact[1], rough[1], strict=True))
    assert same == (name == "grouped"), "depthwise layers have no matrix products to speed up"


def test_precision_by_name():
    cpu = torch.device("cpu")
    assert precision_of("float32", cpu) == torch.float32
    assert precision_of("bfloat16", cpu) == torch.bfloat16
    assert precision_of("auto", torch.device("cuda")) == torch.float32
    assert precision_of("auto", cpu) in (torch.float32, torch.bfloat16)
