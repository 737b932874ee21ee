"""Pixels in, model input out; options and their errors."""

import numpy as np
import pytest
from PIL import Image

from qonnx_tools.data import ChannelOrder, Layout, Preprocessing, preprocessing, preprocessing_from_toml, presets
from qonnx_tools.errors import ConfigError, DataError


def test_the_default_leaves_the_pixels_as_they_are(random):
    images = random.integers(0, 256, (2, 4, 5, 3), np.uint8)
    ready = Preprocessing().apply(images)
    assert ready.dtype == np.float32
    np.testing.assert_array_equal(ready, images.transpose(0, 3, 1, 2).astype(np.float32))


def test_scale_comes_first_then_mean_then_std():
    ready = Preprocessing(scale=0.5, mean=(1.0, 2.0, 3.0), std=(2.0, 4.0, 8.0)).apply(
        np.full((1, 1, 1, 3), 10, np.uint8)
    )
    assert ready.ravel().tolist() == [(5 - 1) / 2, (5 - 2) / 4, (5 - 3) / 8]


def test_mean_is_in_the_channel_order_of_the_model():
    image = np.array([[[[10, 20, 30]]]], np.uint8)  # red, green, blue
    ready = Preprocessing(channel_order=ChannelOrder.BGR, mean=(1.0, 2.0, 3.0)).apply(image)
    assert ready.ravel().tolist() == [29, 18, 7]


def test_layout_nhwc_keeps_the_channels_last():
    images = np.arange(24, dtype=np.uint8).reshape(1, 2, 4, 3)
    np.testing.assert_array_equal(Preprocessing(layout=Layout.NHWC).apply(images), images.astype(np.float32))


@pytest.mark.parametrize(("height", "width"), [(30, 20), (20, 30), (20, 20)])
def test_resize_sets_the_shorter_side_and_crop_takes_the_middle(height, width):
    ramp = np.broadcast_to(np.arange(width, dtype=np.uint8)[None, :, None], (height, width, 3))
    resized = Preprocessing(resize=10).fit(ramp)
    assert resized.shape == (10 * height // min(height, width), 10 * width // min(height, width), 3)
    cropped = Preprocessing(resize=10, crop=6).fit(ramp)
    assert cropped.shape == (6, 6, 3)
    top, left = (resized.shape[0] - 6) // 2, (resized.shape[1] - 6) // 2
    np.testing.assert_array_equal(cropped, resized[top : top + 6, left : left + 6])


def test_resize_is_pillows_bilinear(random):
    image = random.integers(0, 256, (37, 53, 3), np.uint8)
    expected = Image.fromarray(image).resize((20 * 53 // 37, 20), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(Preprocessing(resize=20).fit(image), np.asarray(expected))


def test_an_image_of_the_crops_size_is_left_as_it_is(random):
    image = random.integers(0, 256, (8, 8, 3), np.uint8)
    np.testing.assert_array_equal(Preprocessing(resize=10, crop=8).fit(image), image)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scale": 0.0}, "scale is 0.0; it must be"),
        ({"scale": float("nan")}, "scale is nan"),
        ({"mean": ()}, "mean is empty"),
        ({"mean": (float("inf"),)}, "mean is inf"),
        ({"std": (1.0, 0.0, 1.0)}, "std is 1, 0, 1; every value must be above 0"),
        ({"mean": (1.0, 2.0), "std": (1.0, 2.0, 3.0)}, "mean has 2 values and std 3"),
        ({"resize": -1}, "resize is -1"),
        ({"crop": -1}, "crop is -1"),
        ({"resize": 200, "crop": 224}, "crop is 224, more than resize, 200"),
    ],
)
def test_fields_out_of_range_are_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        Preprocessing(**fields)


@pytest.mark.parametrize(
    ("fields", "shape", "message"),
    [
        ({"mean": (1.0, 2.0, 3.0)}, (1, 4, 4, 1), "mean has 3 values, the images have 1 channels"),
        ({"std": (1.0, 2.0, 3.0)}, (1, 4, 4, 1), "std has 3 values"),
        ({"channel_order": ChannelOrder.BGR}, (1, 4, 4, 1), "BGR needs 3 channels"),
        ({"crop": 6}, (1, 4, 8, 3), "8x4 pixels is too small for crop 6; resize to 6 or more"),
    ],
)
def test_images_that_do_not_fit_the_options_are_refused(fields, shape, message):
    with pytest.raises(DataError, match=message):
        Preprocessing(**fields).apply(np.zeros(shape, np.uint8))


def test_resizing_floats_is_refused():
    with pytest.raises(DataError, match="resize needs uint8 images, these are float32"):
        Preprocessing(resize=4).apply(np.zeros((1, 8, 8, 3), np.float32))


def test_cifar10_preset_is_the_usual_normalization():
    pixels = np.array([[[[0, 128, 255]]]], np.uint8)
    expected = (np.array([0, 128, 255]) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(presets()["cifar10"].apply(pixels).ravel(), expected, rtol=1e-6)


def test_every_preset_takes_what_it_is_for():
    for name, preset in presets().items():
        channels = 1 if name == "fashion-mnist" else 3
        side = preset.crop or 32
        ready = preset.apply(np.zeros((1, side + 9, side + 40, channels), np.uint8))
        assert ready.shape == (1, channels, side if preset.crop else side + 9, side if preset.crop else side + 40), name


def test_options_replace_fields_of_a_preset():
    changed = preprocessing("imagenet", resize=0, crop=0, std=np.array([0.5]), layout="nhwc", channel_order="bgr")
    assert (changed.resize, changed.crop, changed.std) == (0, 0, (0.5,))
    assert (changed.layout, changed.channel_order) == (Layout.NHWC, ChannelOrder.BGR)
    assert changed.mean == presets()["imagenet"].mean


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Preprocessing()),
        ('preset = "cifar10"', presets()["cifar10"]),
        ('preset = "imagenet"\nresize = 232', preprocessing("imagenet", resize=232)),
        ("scale = 2\nmean = [1, 2.5, 3]\nstd = 4", Preprocessing(scale=2.0, mean=(1.0, 2.5, 3.0), std=(4.0,))),
    ],
)
def test_a_toml_file_says_the_same_as_options(tmp_path, text, expected):
    path = tmp_path / "p.toml"
    path.write_text(text)
    assert preprocessing_from_toml(path) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("men = 1", r"p\.toml: unknown option 'men'; there are scale, mean, "),
        ("[mean]\nx = 1", r"p\.toml: mean is \{'x': 1\}; it must be a number or a list"),
        ('scale = "1"', r"p\.toml: scale is '1'; it must be a number"),
        ("scale = true", r"p\.toml: scale is True"),
        ("resize = 22.5", r"p\.toml: resize is 22\.5; it must be a whole number"),
        ("resize = true", r"p\.toml: resize is True"),
        ('layout = "CHWN"', r"p\.toml: layout is 'CHWN'; it must be NCHW or NHWC"),
        ("std = 0", r"p\.toml: std is 0; every value must be above 0"),
        ('preset = "imagnet"', r"p\.toml: preset is 'imagnet'; it must be one of raw, "),
        ("preset = 1", r"p\.toml: preset is 1; it must be a name in quotes"),
        ("scale = \nmean = 1", r"p\.toml: not a TOML file: .*line 1"),
    ],
)
def test_a_toml_file_is_read_strictly(tmp_path, text, message):
    path = tmp_path / "p.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        preprocessing_from_toml(path)


def test_a_missing_or_binary_toml_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml: cannot read the preprocessing file: No such file"):
        preprocessing_from_toml(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"binary\.toml: not a TOML file"):
        preprocessing_from_toml(tmp_path / "binary.toml")
