"""Image folders: labels from names, decoding, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from qonnx_tools.data import open_data, preprocessing
from qonnx_tools.errors import DataError

SHAPE = ("N", 3, 4, 4)


def put(path, value, size=(4, 4), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)


def values(data, size=3):
    """Return the first value of each image, and the labels."""
    batches = list(data.batches(size))
    return (
        [float(image.flat[0]) for batch in batches for image in batch.images],
        None if batches[0].labels is None else [int(label) for batch in batches for label in batch.labels],
    )


def test_a_folder_of_images_has_no_labels(tmp_path):
    for index, name in enumerate(["a.png", "b.PNG", "c.bmp"]):
        put(tmp_path / name, (index, 0, 0))
    (tmp_path / "notes.txt").write_text("no image")
    data = open_data(str(tmp_path), None, SHAPE, seed=None)
    assert values(data) == ([0, 1, 2], None)
    assert data.notes == ("No preprocessing was given: the model is fed the pixel values as they are stored.",)
    with pytest.raises(DataError, match="no labels"):
        data.require_labels()


def test_numbers_as_folder_names_are_the_labels_whatever_the_gaps(tmp_path):
    for label in (7, 0, 999):
        put(tmp_path / f"{label:04}" / "x.png", (label % 256, 0, 0))
    data = open_data(str(tmp_path), preprocessing("raw"), SHAPE, seed=None, classes=1000)
    assert values(data) == ([0, 7, 999 % 256], [0, 7, 999])
    assert data.notes == ()


def test_other_folder_names_are_labelled_by_their_order_and_a_note_says_so(tmp_path):
    for index, name in enumerate(["bird", "cat", "dog", "emu"]):
        put(tmp_path / name / "x.png", (index, 0, 0))
    (tmp_path / ".cache").mkdir()
    data = open_data(str(tmp_path), preprocessing("raw"), SHAPE, seed=None)
    assert values(data) == ([0, 1, 2, 3], [0, 1, 2, 3])
    assert data.notes == (
        "Labels are the positions of the folder names in sorted order: bird = 0, cat = 1, dog = 2, ....",
    )


def test_a_limit_takes_from_every_class(tmp_path):
    for label in range(4):
        for index in range(5):
            put(tmp_path / str(label) / f"{index}.png", (label, 0, 0))
    data = open_data(str(tmp_path), None, SHAPE)
    (batch,) = data.batches(8, limit=8)
    assert np.bincount(batch.labels).tolist() == [2, 2, 2, 2]
    np.testing.assert_array_equal(batch.images[:, 0, 0, 0], batch.labels)


def test_files_are_read_with_the_channels_of_the_model(tmp_path):
    put(tmp_path / "grey.png", 9, mode="L")
    put(tmp_path / "rgba.png", (9, 9, 9, 0), mode="RGBA")
    put(tmp_path / "palette.gif", 0, mode="P")
    for shape in ((1, 1, 4, 4), (1, 3, 4, 4), (1, None, 4, 4)):
        (batch,) = open_data(str(tmp_path), None, shape, seed=None).batches(3)
        assert batch.images.shape == (3, shape[1] or 3, 4, 4)
        assert batch.images[0].min() == batch.images[0].max() == 9
    (batch,) = open_data(str(tmp_path), preprocessing(layout="NHWC"), (1, 4, 4, 1)).batches(3)
    assert batch.images.shape == (3, 4, 4, 1)


def test_images_of_different_sizes_are_resized_and_cropped_one_by_one(tmp_path):
    put(tmp_path / "a.png", (1, 0, 0), size=(8, 5))
    put(tmp_path / "b.png", (2, 0, 0), size=(5, 9))
    data = open_data(str(tmp_path), preprocessing(resize=4, crop=4), SHAPE, seed=None)
    assert values(data)[0] == [1, 2]


def test_an_image_of_the_wrong_size_is_named(tmp_path):
    put(tmp_path / "a.png", (1, 0, 0))
    put(tmp_path / "b.png", (2, 0, 0), size=(5, 5))
    with pytest.raises(DataError, match=r"b\.png: images reach the model as \[N, 3, 5, 5\].*resize and crop to 4"):
        values(open_data(str(tmp_path), None, SHAPE))


def test_an_image_too_small_for_the_crop_is_named(tmp_path):
    put(tmp_path / "a.png", (1, 0, 0), size=(3, 8))
    with pytest.raises(DataError, match=r"a\.png: an image of 3x8 pixels is too small for crop 4"):
        values(open_data(str(tmp_path), preprocessing(crop=4), SHAPE))


@pytest.mark.parametrize("content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n\0\0"])
def test_a_damaged_image_is_named(tmp_path, content):
    put(tmp_path / "1" / "a.png", (1, 0, 0))
    (tmp_path / "1" / "b.png").write_bytes(content)
    data = open_data(str(tmp_path), None, SHAPE)
    with pytest.raises(DataError, match=r"b\.png: cannot read the image, it may be damaged"):
        values(data)


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "gif", "webp", "tiff"])
def test_a_truncated_image_is_named(tmp_path, random, ending):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(random.integers(0, 256, (40, 40, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(DataError, match=rf"a\.{ending}: cannot read the image"):
        values(open_data(str(tmp_path), None, (1, 3, 40, 40)))


def test_pixels_of_more_than_8_bits_are_refused(tmp_path):
    Image.fromarray(np.full((4, 4), 1000, np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png: pixels of more than 8 bits \(Pillow mode I"):
        values(open_data(str(tmp_path), None, SHAPE))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "no images"),
        (["train/1/a.png"], "no images"),
        (["a.png", "1/a.png"], r"holds both images \(a\.png\) and folders of images \(1\)"),
        (["1/a.png", "cat/a.png"], r"partly numbers \('1'\) and partly not \('cat'\)"),
        (["1/a.png", "01/a.png"], "two folders have names for the same class index"),
        (["12/a.png"], "label 12 is out of range; labels must be in 0..9"),
    ],
)
def test_folders_that_are_no_data_are_refused(tmp_path, files, message):
    for name in files:
        put(tmp_path / name, (0, 0, 0))
    with pytest.raises(DataError, match=message):
        open_data(str(tmp_path), None, SHAPE, classes=10)


@pytest.mark.parametrize(
    ("shape", "message"), [((1, 12), "image files need an input of 4 dim"), ((1, 4, 4, 3), "give the layout NHWC")]
)
def test_a_model_that_reads_no_images_is_refused(tmp_path, shape, message):
    put(tmp_path / "a.png", (0, 0, 0))
    with pytest.raises(DataError, match=message):
        open_data(str(tmp_path), None, shape)
