"""Data from .npz files: what is read, in which order, and what is refused."""

import numpy as np
import pytest

from qonnx_tools.data import Preprocessing, open_data, preprocessing
from qonnx_tools.errors import DataError

SHAPE = ("N", 3, 4, 4)


@pytest.fixture
def write(tmp_path):
    def write_npz(**arrays):
        path = tmp_path / "data.npz"
        np.savez(path, **arrays)
        return str(path)

    return write_npz


def pixels(count=6, shape=(4, 4, 3)):
    """Return uint8 images of which each holds its own position, everywhere."""
    return np.broadcast_to(np.arange(count, dtype=np.uint8).reshape(-1, *[1] * len(shape)), (count, *shape)).copy()


def everything(data, size=4, limit=None):
    batches = list(data.batches(size, limit))
    labels = None if batches[0].labels is None else np.concatenate([batch.labels for batch in batches])
    return np.concatenate([batch.images for batch in batches]), labels


def test_uint8_images_without_options_are_fed_as_they_are_and_a_note_says_so(write):
    data = open_data(write(images=pixels(), labels=np.arange(6)), None, SHAPE, seed=None)
    images, labels = everything(data)
    assert images.dtype == np.float32
    assert labels.dtype == np.int64
    assert images[:, 0, 0, 0].tolist() == labels.tolist() == [0, 1, 2, 3, 4, 5]
    assert data.notes == ("No preprocessing was given: the model is fed the pixel values as they are stored.",)
    assert data.description.startswith("6 images of ")
    assert (len(data), data.has_labels) == (6, True)


def test_preprocessing_is_applied(write):
    data = open_data(write(images=pixels()), preprocessing("unit"), SHAPE, seed=None)
    assert data.notes == ()
    np.testing.assert_array_equal(everything(data)[0], preprocessing("unit").apply(pixels()))


def test_grey_images_may_leave_the_channel_out(write):
    data = open_data(write(images=pixels(shape=(4, 4))), None, (1, 1, 4, 4))
    assert everything(data, size=1)[0].shape == (6, 1, 4, 4)


def test_floats_pass_untouched_in_the_models_own_shape(write, random):
    values = random.standard_normal((5, 3, 4, 4))
    data = open_data(write(images=values), None, SHAPE, seed=None)
    np.testing.assert_array_equal(everything(data)[0], values.astype(np.float32))
    assert data.notes == ()
    vectors = random.standard_normal((5, 7)).astype(np.float32)
    np.testing.assert_array_equal(everything(open_data(write(images=vectors), None, (1, 7), seed=None))[0], vectors)


def test_preprocessing_floats_is_refused(write):
    with pytest.raises(DataError, match=r"images are float32, so they count as preprocessed; leave the preprocessing"):
        open_data(write(images=np.zeros((2, 3, 4, 4), np.float32)), Preprocessing(), SHAPE)


def test_batches_have_the_size_asked_for_and_the_last_the_rest(write):
    data = open_data(write(images=pixels(7)), None, SHAPE)
    assert [len(batch.images) for batch in data.batches(3)] == [3, 3, 1]
    assert [len(batch.images) for batch in data.batches(3, limit=4)] == [3, 1]
    assert [len(batch.images) for batch in data.batches(1, limit=2)] == [1, 1]
    assert (data.count(), data.count(limit=4), data.count(limit=40)) == (7, 4, 7)


def test_the_order_is_random_seeded_and_shares_the_classes_out(write):
    labels = np.repeat([0, 1, 2], [80, 40, 40])
    path = write(images=pixels(160), labels=labels)
    first = open_data(path, None, SHAPE, seed=1)
    images, drawn = everything(first, limit=40)
    np.testing.assert_array_equal(labels[images[:, 0, 0, 0].astype(int)], drawn)
    counts = np.bincount(drawn, minlength=3)
    assert np.all(np.abs(counts - [20, 10, 10]) <= 1)
    np.testing.assert_array_equal(everything(open_data(path, None, SHAPE, seed=1), size=7, limit=40)[0], images)
    assert not np.array_equal(everything(open_data(path, None, SHAPE, seed=2), limit=40)[0], images)
    whole, _ = everything(first)
    assert sorted(whole[:, 0, 0, 0].tolist()) == list(range(160))


def test_a_pass_can_be_repeated(write):
    data = open_data(write(images=pixels()), None, SHAPE)
    np.testing.assert_array_equal(everything(data)[0], everything(data)[0])


def test_labels_are_missed_only_when_they_are_asked_for(write):
    data = open_data(write(images=pixels()), None, SHAPE)
    assert everything(data)[1] is None
    with pytest.raises(DataError, match=r"data\.npz: no labels, and accuracy needs them; add 'labels'"):
        data.require_labels()
    open_data(write(images=pixels(), labels=np.zeros(6, int)), None, SHAPE).require_labels()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros(3)}, r"data\.npz: no array called 'images' \(there are: x\); rename it"),
        ({"images": np.zeros((0, 4, 4, 3), np.uint8)}, r"'images' is empty, of shape \[0, 4, 4, 3\]"),
        ({"images": np.array(3)}, r"'images' is empty, of shape \[\]"),
        (
            {"images": np.array([{}, {}])},
            r"data\.npz: not an \.npz file, or one that holds Python objects; write plain",
        ),
        ({"images": np.zeros((2, 4, 4, 3), np.int32)}, "images are int32; store pixels as uint8"),
        ({"images": np.full((2, 3, 4, 4), np.nan, np.float32)}, "an image holds NaN"),
        ({"images": pixels(), "labels": np.zeros(5, int)}, "6 images but 5 labels"),
        ({"images": pixels(), "labels": np.zeros(6)}, r"labels are float64 of shape \[6\]; they must be integers"),
        ({"images": pixels(), "labels": np.zeros((6, 1), int)}, r"labels are int64 of shape \[6, 1\]"),
        ({"images": pixels(), "labels": np.full(6, -1)}, "label -1 is out of range; labels must be in 0..9"),
        ({"images": pixels(), "labels": np.arange(6) + 5}, "label 10 .* in 0..9, as the model has 10 classes"),
    ],
)
def test_bad_contents_are_refused(write, arrays, message):
    with pytest.raises(DataError, match=message):
        open_data(write(**arrays), None, SHAPE, classes=10)


@pytest.mark.parametrize(
    ("images", "shape", "options", "message"),
    [
        (
            pixels(shape=(5, 5, 3)),
            SHAPE,
            None,
            r"as \[N, 3, 5, 5\] \(stored as \[N, 5, 5, 3\]\), its input is \[N, 3, 4, 4\]; resize and crop to 4",
        ),
        (pixels(shape=(4, 4, 1)), SHAPE, None, r"wants 3 channels and the images have 1"),
        (pixels(), (1, 4, 4, 3), None, r"\[N, 3, 4, 4\] .*, its input is \[N, 4, 4, 3\]; give the layout NHWC"),
        (pixels(), SHAPE, preprocessing(layout="NHWC"), "give the layout NCHW"),
        (pixels(), (1, 3, 4, 6), None, "store the images in the size of the model's input"),
        (pixels(), (1, 48), None, r"its input is \[N, 48\]; such an input needs floating-point data"),
        (
            pixels(shape=(3, 4, 4)),
            SHAPE,
            None,
            r"\[N, 3, 4, 4\] look like \[N, C, H, W\]; store them as \[N, H, W, C\]",
        ),
        (
            pixels(shape=(4, 4, 1)),
            SHAPE,
            preprocessing("cifar10"),
            r"data\.npz: mean has 3 values, the images have 1 ch",
        ),
        (pixels(shape=(4,)), SHAPE, None, r"must be \[N, H, W, C\] or \[N, H, W\], not \[N, 4\]"),
        (np.zeros((2, 4, 4), np.float32), SHAPE, None, "store floating-point images in the shape of the model's input"),
    ],
)
def test_images_that_do_not_fit_the_model_are_refused_with_a_remedy(write, images, shape, options, message):
    with pytest.raises(DataError, match=message):
        open_data(write(images=images), options, shape)


def test_the_remedies_work(write):
    assert everything(open_data(write(images=pixels()), preprocessing(layout="NHWC"), (1, 4, 4, 3)))[0].shape[1:] == (
        4,
        4,
        3,
    )
    larger = write(images=pixels(shape=(5, 7, 3)))
    assert everything(open_data(larger, preprocessing(resize=4, crop=4), SHAPE))[0].shape[1:] == (3, 4, 4)


def test_a_free_dimension_takes_any_size(write):
    data = open_data(write(images=pixels(shape=(5, 9, 3))), None, (None, 3, "height", None))
    assert everything(data)[0].shape == (6, 3, 5, 9)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an .npz file"),
        (b"hello world, this is text", "not an .npz file, or one that holds Python objects"),
        (bytes.fromhex("504b0506") + bytes(18), "no array called 'images' \\(there are: none\\)"),
        (b"PK\x03\x04 but no more", "truncated, damaged or encrypted"),
    ],
)
def test_files_that_are_no_npz_are_refused(tmp_path, content, message):
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_data(str(path), None, SHAPE)


def test_a_damaged_member_is_refused(write, tmp_path):
    whole = bytearray((tmp_path / write(images=pixels(200))).read_bytes())
    whole[500:600] = bytes(100)
    (tmp_path / "data.npz").write_bytes(whole)
    with pytest.raises(DataError, match="truncated, damaged or encrypted"):
        open_data(str(tmp_path / "data.npz"), None, SHAPE)


def test_a_single_array_is_refused(tmp_path):
    path = tmp_path / "images.npy"
    np.save(path, pixels())
    with pytest.raises(DataError, match=r"a single array, not an \.npz file"):
        open_data(str(path), None, SHAPE)


@pytest.mark.parametrize(
    ("source", "message"),
    [("none.npz", "none.npz: cannot read the file: No such file"), ("none", "no such file or folder; data are")],
)
def test_missing_sources_are_named(source, message):
    with pytest.raises(DataError, match=message):
        open_data(source, None, SHAPE)


@pytest.mark.parametrize(("size", "limit", "message"), [(0, None, "batch size is 0"), (1, 0, "limit is 0")])
def test_sizes_below_one_are_refused(write, size, limit, message):
    data = open_data(write(images=pixels()), None, SHAPE)
    with pytest.raises(DataError, match=message):
        list(data.batches(size, limit))


def test_the_digits_need_no_options(digits_data):
    data = open_data(str(digits_data["test"]), None, ("N", 1, 8, 8), classes=10)
    data.require_labels()
    images, labels = everything(data, size=64)
    assert (images.shape, images.min(), images.max(), len(labels)) == ((500, 1, 8, 8), 0, 16, 500)
