"""Evaluation of models whose outputs are known: the images are the logits."""

import math

import numpy as np
import pytest

from qonnx_tools.cli.evaluate import to_json
from qonnx_tools.data import Batch, Dataset
from qonnx_tools.errors import DataError, ModelError
from qonnx_tools.evaluation import evaluate
from qonnx_tools.graph import from_proto, parse, save

HEAD = '<ir_version: 8, opset_import: ["" : 17]> '


class Given(Dataset):
    """Logits as images, a batch at a time."""

    description = "given logits"
    notes = ("a note",)

    def __init__(self, images, labels=None):
        self.images = np.asarray(images, np.float32)
        self.labels = None if labels is None else np.asarray(labels, np.int64)
        self.sizes = []

    @property
    def has_labels(self):
        return self.labels is not None

    def count(self, limit=None):
        return min(len(self.images), limit or len(self.images))

    def batches(self, size, limit=None):
        self.sizes.append(size)
        total = self.count(limit)
        for start in range(0, total, size):
            span = slice(start, min(start + size, total))
            yield Batch(self.images[span], None if self.labels is None else self.labels[span])


def model(body="y = Identity (x)", batch="N", classes="6", results="y"):
    shape = f"float[{batch}, {classes}]"
    outputs = ", ".join(f"{shape} {name}" for name in results.split())
    return parse(f"{HEAD} g ({shape} x) => ({outputs}) <float half = {{0.5}}> {{ {body} }}")


LOGITS = [
    [9, 0, 0, 0, 0, 0],  # 0 first
    [5, 9, 4, 3, 2, 1],  # 0 second
    [1, 2, 3, 4, 5, 6],  # 0 last
    [7, 7, 0, 0, 0, 0],  # a tie between 0 and 1
    [0, 0, 0, 0, 0, 0],  # all equal
]


def shares(result):
    return result.model.top1.share, result.model.top5.share


@pytest.mark.parametrize(
    ("labels", "top1", "top5"),
    [
        ([0, 0, 0, 0, 0], 3 / 5, 4 / 5),  # of equal logits the first wins
        ([0, 1, 5, 1, 1], 3 / 5, 5 / 5),
        ([0, 1, 5, 0, 4], 4 / 5, 5 / 5),
        ([1, 5, 0, 1, 5], 0, 2 / 5),  # the last of six equal logits is not among the first five
    ],
)
def test_top1_and_top5_with_ties(labels, top1, top5):
    assert shares(evaluate(model(), Given(LOGITS, labels))) == (top1, top5)


def test_top1_is_what_argmax_says():
    random = np.random.default_rng(0)
    logits, labels = random.integers(0, 3, (500, 6)), random.integers(0, 6, 500)
    expected = (logits.argmax(axis=1) == labels).mean()
    assert evaluate(model(), Given(logits, labels)).model.top1.share == expected


def test_nan_is_never_right():
    body = "l = Sqrt (x) y = Identity (l)"
    result = evaluate(
        model(body), Given([[-1, -1, -1, -1, -1, -1], [-1, 4, 1, 0, 0, 0], [-1, 4, 1, 0, 0, 0]], [0, 0, 1])
    )
    assert shares(result) == (1 / 3, 1 / 3)


def test_intervals_hold_the_share():
    top1 = evaluate(model(), Given(LOGITS, [0] * 5)).model.top1
    assert 0 < top1.low < top1.share < top1.high < 1


def test_against_itself():
    result = evaluate(model(), Given(LOGITS, [0] * 5), against=model())
    compared = result.against
    assert (compared.agreement.share, compared.sqnr_db) == (1, math.inf)
    assert (compared.paired.difference, compared.paired.only_candidate, compared.paired.only_reference) == (0, 0, 0)
    document = to_json(result)
    assert document["against"]["sqnr_db"] is None
    assert document["against"]["identical_outputs"] is True
    assert (document["images"], document["data"], document["top1"]) == (5, "given logits", 0.6)


def test_against_another():
    """Half the logits: the noise has a quarter of the power. The other turned round: right where this is wrong."""
    result = evaluate(model("y = Mul (x, half)"), Given(LOGITS, [0] * 5), against=model())
    assert result.against.sqnr_db == pytest.approx(10 * math.log10(4))
    assert result.against.agreement.share == 1
    turned = evaluate(model(), Given(LOGITS, [0] * 5), against=model("y = Neg (x)"))
    paired = turned.against.paired
    assert turned.against.other.top1.share == 2 / 5  # the third image, and all equal
    assert (paired.only_candidate, paired.only_reference) == (2, 1)
    assert paired.difference == pytest.approx(1 / 5)
    assert turned.against.agreement.share == 1 / 5
    assert to_json(turned)["against"]["identical_outputs"] is False


def test_sqnr_of_nothing():
    result = evaluate(model(), Given(np.ones((2, 6))), against=model("y = Sub (x, x)"), labelled=False)
    assert result.against.sqnr_db == -math.inf
    assert to_json(result)["against"]["sqnr_db"] is None


def test_infinite_outputs_are_valid_json():
    result = evaluate(model("y = Log (x)"), Given(np.zeros((2, 6))), against=model(), labelled=False)
    assert to_json(result)["against"]["sqnr_db"] is None


def test_no_labels():
    result = evaluate(model(), Given(LOGITS, [0] * 5), against=model(), labelled=False)
    assert (result.model.top1, result.model.top5, result.against.paired) == (None, None, None)
    assert "top1" not in to_json(result)
    assert evaluate(model(), Given(LOGITS), labelled=False).images == 5
    with pytest.raises(DataError, match="given logits: no labels"):
        evaluate(model(), Given(LOGITS))


def test_only_the_first_output_counts():
    body = "y = Identity (x) z = Neg (x)"
    both = evaluate(model(body, results="y z"), Given(LOGITS, [0] * 5))
    assert shares(both) == (3 / 5, 4 / 5)


def test_limit_notes_and_progress():
    seen = []
    result = evaluate(model(), Given(LOGITS * 40, [0] * 200), limit=130, progress=lambda *pair: seen.append(pair))
    assert (result.images, result.notes) == (130, ("a note",))
    assert seen == [(64, 130), (128, 130), (130, 130)]
    assert result.model.images_per_second > 0


@pytest.mark.parametrize("batch", [1, 4])
def test_a_fixed_batch_size(batch):
    data = Given(LOGITS, [0] * 5)
    result = evaluate(model(batch=batch), data, against=model(batch=3))
    assert data.sizes == [batch]
    assert result.images == 5
    assert (shares(result), result.against.sqnr_db) == ((3 / 5, 4 / 5), math.inf)


@pytest.mark.parametrize(("labels", "bad"), [([0, 1, 2, 3, 6], 6), ([0, -1, 2, 7, 6], -1)])
def test_label_out_of_range(labels, bad):
    with pytest.raises(DataError, match=f"label {bad} is not one of the 6 classes of the model"):
        evaluate(model(), Given(LOGITS, labels))


def test_names(tmp_path):
    save(from_proto(model()), tmp_path / "m.onnx")
    result = evaluate(tmp_path / "m.onnx", Given(LOGITS, [0] * 5), against=model())
    assert (result.model.name, result.against.other.name) == (str(tmp_path / "m.onnx"), "the model")


def test_outputs_that_are_not_one_an_image():
    text = f"{HEAD} g (float[N, 6] x) => (float[1, 6] y) <int64[1] a = {{0}}> {{ y = ReduceSum (x, a) }}"
    with pytest.raises(ModelError, match=r"the model: output 'y' is float32 of shape \[1, 6\] for 5 images"):
        evaluate(parse(text), Given(LOGITS, [0] * 5))


def test_outputs_of_other_shapes():
    text = f"{HEAD} g (float[N, 6] x) => (float[N, 1, 6] y) <int64[1] a = {{1}}> {{ y = Unsqueeze (x, a) }}"
    with pytest.raises(ModelError, match=r"output of shape \[5, 1, 6\] is not \[N, classes\]; use --no-labels"):
        evaluate(parse(text), Given(LOGITS, [0] * 5))
    with pytest.raises(ModelError, match=r"its output \[5, 1, 6\] differs in shape from \[5, 6\]"):
        evaluate(model(), Given(LOGITS), against=parse(text), labelled=False)


def test_no_images():
    with pytest.raises(DataError, match="given logits: there are no images to evaluate on"):
        evaluate(model(), Given(np.zeros((0, 6)), []))
