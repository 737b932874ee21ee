"""A user's own function as the source of data."""

import sys

import numpy as np
import pytest

from qonnx_tools.data import open_data, preprocessing
from qonnx_tools.errors import DataError

SHAPE = ("N", 3, 4, 4)

MODULE = """
import numpy as np

IMAGES = np.broadcast_to(np.arange(10, dtype=np.uint8)[:, None, None, None], (10, 4, 4, 3))
LABELS = np.arange(10) % 5

def arrays(): return IMAGES, LABELS
def images(): return IMAGES
def floats(): return np.zeros((3, 3, 4, 4)), None
def batches():
    for start, stop in ((0, 3), (3, 3), (3, 7), (7, 10)):
        yield IMAGES[start:stop], LABELS[start:stop]
def unlabelled(): return [IMAGES[:4], IMAGES[4:]]
def mixed(): return [IMAGES[:4], (IMAGES[4:], LABELS[4:])]
def nothing(): return []
def number(): return 3
def triples(): return [(IMAGES, LABELS, LABELS)]
def words(): return ["cat"]
def odd_size(): return [IMAGES, IMAGES[:, :3]]
NOT_A_FUNCTION = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch, request):
    name = f"loader_{abs(hash(request.node.nodeid))}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    return name


def passed(data, size, limit=None):
    return [
        (batch.images[:, 0, 0, 0].tolist(), None if batch.labels is None else batch.labels.tolist())
        for batch in data.batches(size, limit)
    ]


def test_arrays_are_put_in_the_seeded_order(module):
    data = open_data(f"{module}:arrays", None, SHAPE)
    (images, labels), *rest = passed(data, size=5)
    assert sorted(labels) == [0, 1, 2, 3, 4]
    assert [image % 5 for image in images] == labels
    assert (len(data), len(rest), data.has_labels) == (10, 1, True)
    assert "as they are stored" in data.notes[0]


def test_images_alone_have_no_labels(module):
    assert not open_data(f"{module}:images", None, SHAPE).has_labels
    assert not open_data(f"{module}:floats", None, SHAPE).has_labels


def test_batches_are_cut_anew_and_keep_their_order(module):
    data = open_data(f"{module}:batches", preprocessing("raw"), SHAPE, classes=5)
    data.require_labels()
    assert passed(data, 4) == [([0, 1, 2, 3], [0, 1, 2, 3]), ([4, 5, 6, 7], [4, 0, 1, 2]), ([8, 9], [3, 4])]
    assert [len(images) for images, _ in passed(data, 1)] == [1] * 10
    assert passed(data, 100) == [(list(range(10)), [0, 1, 2, 3, 4] * 2)]
    assert passed(data, 4, limit=6) == [([0, 1, 2, 3], [0, 1, 2, 3]), ([4, 5], [4, 0])]
    assert (data.count(), data.count(limit=4), data.count(limit=40)) == (10, 4, 10)
    assert data.notes == ()


def test_batches_may_have_no_labels(module):
    data = open_data(f"{module}:unlabelled", None, SHAPE)
    assert [labels for _, labels in passed(data, 6)] == [None, None]
    with pytest.raises(DataError, match="no labels"):
        data.require_labels()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("nothing", "returned no images"),
        ("number", r"returned int; return \(images, labels\)"),
        ("triples", "gave 3 values at once"),
        ("words", "gave str where an array of images must stand"),
        ("mixed", "some batches have labels and some do not"),
        ("odd_size", r"\[N, 3, 3, 4\] .*its input is \[N, 3, 4, 4\]"),
        ("arrays", "label 4 is out of range"),
        ("batches", r"label 2 is out of range; labels must be in 0\.\.1"),
        ("absent", "has no function 'absent'; check the spelling"),
        ("NOT_A_FUNCTION", "has no function 'NOT_A_FUNCTION'"),
    ],
)
def test_what_is_no_data_is_refused(module, function, message):
    with pytest.raises(DataError, match=message):
        passed(open_data(f"{module}:{function}", None, SHAPE, classes=2), 3)


def test_a_module_that_cannot_be_imported_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="no_such_module:f: cannot import the module 'no_such_module': No module named"):
        open_data("no_such_module:f", None, SHAPE)
    (tmp_path / "loader_with_a_slip.py").write_text("def f(:")
    with pytest.raises(DataError, match="cannot import the module 'loader_with_a_slip': invalid syntax"):
        open_data("loader_with_a_slip:f", None, SHAPE)
    (tmp_path / "loader_in_need.py").write_text("import a_package_that_is_missing")
    with pytest.raises(DataError, match="No module named 'a_package_that_is_missing'"):
        open_data("loader_in_need:f", None, SHAPE)


def test_the_working_directory_does_not_stay_on_the_path(module):
    before = list(sys.path)
    open_data(f"{module}:arrays", None, SHAPE)
    assert sys.path == before


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("raise ZeroDivisionError('mine')", 2),
        ("yield numpy.zeros((1, 3, 4, 4), 'f')\n    raise ZeroDivisionError('mine')", 3),
    ],
)
def test_the_users_own_error_is_named_with_its_place(tmp_path, monkeypatch, body, line):
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"loader_that_fails_{line}.py").write_text(f"import numpy\ndef f():\n    {body}")
    with pytest.raises(
        DataError, match=rf"the loader raised ZeroDivisionError: mine \(loader_that_fails_{line}.py"
    ) as error:
        list(open_data(f"loader_that_fails_{line}:f", None, (1, 3, 4, 4)).batches(1))
    assert isinstance(error.value.__cause__, ZeroDivisionError)


def test_a_model_input_of_another_layout_reaches_the_loader(module):
    data = open_data(f"{module}:arrays", preprocessing(layout="NHWC"), (1, 4, 4, 3))
    assert next(data.batches(2)).images.shape == (2, 4, 4, 3)
    assert next(data.batches(2)).images.dtype == np.float32
