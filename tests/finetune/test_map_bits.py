"""Bits of compressed feature maps in training: the planes of the codec, and about the bits of its streams."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'qonnx-tools[finetune]'")

from qonnx_tools.arithmetic import coding as exact
from qonnx_tools.arithmetic.bitstream import Coding
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.feature_map_codec import compress
from qonnx_tools.finetune.map_bits import bits_of, planes

OF = FixedPoint(8, 0, signed=False)
CODINGS = [
    Coding("none", "context", 0, 16.0),
    Coding("predictive", "context", 0, 8.0),
    Coding("haar", "context", 1, 4.0),
    Coding("wavelet53", "context", 3, 4.0),
    Coding("wavelet53", "context", 3, 6.0, (True, False, True, False)),
]


def smooth(channels=4, size=(32, 32), seed=3):
    """Maps of a few waves with noise, as activations are: not below 0."""
    random = np.random.default_rng(seed)
    rows, columns = (np.linspace(0, 1, count) for count in size)
    waves = sum(
        random.normal(size=(channels, 1, 1))
        * np.cos(2 * np.pi * (random.uniform(0, 4) * rows[:, None] + random.uniform(0, 4) * columns + random.uniform()))
        for _ in range(6)
    )
    return np.clip(30 * waves + random.normal(0, 4, (channels, *size)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("size", [(16, 16), (7, 10)])
def test_planes_are_those_of_the_codec_but_for_roundings_inside_a_wavelet(coding, size):
    maps = smooth(size=size)
    expected = exact.quantized(maps, coding)
    found = dict(planes(torch.from_numpy(maps[None].astype(np.float32)), coding))
    assert set(found) == set(expected)
    for band, plane in expected.items():
        off = np.abs(found[band][0].numpy() - plane)
        assert off.shape == plane.shape
        assert off.max(initial=0) <= (0 if coding.wavelet is None else 3), band


@pytest.mark.parametrize("coding", CODINGS)
def test_bits_are_about_those_of_the_streams(coding):
    maps = smooth()
    stream = 8 * len(compress(maps, coding, OF))
    found = float(bits_of(torch.from_numpy(maps[None].astype(np.float32)), coding))
    most = 1.5 if coding.transform == "predictive" else 1.2  # what is predicted takes less
    assert 0.8 * stream < found < most * stream


@pytest.mark.parametrize("coding", CODINGS)
def test_gradients_lead_to_shorter_streams(coding):
    maps = torch.from_numpy(smooth()[None].astype(np.float32))
    before, image = len(compress(maps[0].numpy().astype(np.uint8), coding, OF)), maps.clone().requires_grad_()
    for _ in range(20):
        (gradient,) = torch.autograd.grad(bits_of(image, coding), image)
        assert bool(torch.isfinite(gradient).all())
        with torch.no_grad():
            image.sub_(coding.step / 4 * gradient / gradient.abs().max()).clamp_(0, 255)
    after = len(compress(image.detach()[0].round().numpy().astype(np.uint8), coding, OF))
    assert after < 0.98 * before


def test_maps_of_zeros_have_no_gradient_and_next_to_no_bits():
    zeros = torch.zeros(2, 4, 8, 8, requires_grad=True)
    bits = bits_of(zeros, CODINGS[3])
    bits.backward()
    assert float(bits.detach()) < 1
    assert not zeros.grad.any()
