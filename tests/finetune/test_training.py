"""A training: reproducible, stopped and gone on with, and what changes on the way."""

import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'qonnx-tools[finetune]'")

from small_classifier import normalized_classifier, small_classifier, small_images

from qonnx_tools.conversion import apply, convert, copied, prepare_for
from qonnx_tools.errors import ConfigError, DataError
from qonnx_tools.feature_map_plan import FeatureMapPlan
from qonnx_tools.finetune.building import student_of
from qonnx_tools.finetune.finetune import _device, finetune
from qonnx_tools.finetune.images import Batches, Split, augmented, mixed
from qonnx_tools.finetune.losses import loss_of
from qonnx_tools.finetune.options import FinetuneOptions
from qonnx_tools.finetune.training import SCORE_RATE, Training, score_weight
from qonnx_tools.plan import Plan
from qonnx_tools.runtime import run, session
from qonnx_tools.search.images import Images

FEW = FinetuneOptions(epochs=2, batch_size=8, learning_rate=0.01, augment="none", validation=0.25)


def data(count=64, labels=True):
    images = small_images(count)
    truth = run(session(small_classifier()), images)[0].argmax(axis=1) if labels else None
    return Images(images, truth, "random images")


def plan(**options):
    return convert(small_classifier(), **{"weight_bits": 2, "activation_bits": 3} | options).plan


def losses(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_training_brings_the_network_nearer_to_its_teacher(tmp_path):
    options = replace(FEW, epochs=8)
    result = finetune(small_classifier(), plan(), data(200), tmp_path, options=options)
    assert result.best.loss < 0.7 * result.measured[0].loss
    assert [each.epoch for each in result.measured] == list(range(9))
    assert result.best.loss == min(each.loss for each in result.measured)
    assert all(each.differing == 0 for each in result.measured[1:]), "what is trained is what the integers compute"
    images = small_images(50)
    expected = apply(copied(prepare_for(small_classifier(), result.plan)), result.plan, "native").model
    assert np.array_equal(run(session(result.conversion.model), images)[0], run(session(expected), images)[0])


def test_the_same_seed_gives_the_same_plan_and_another_one_another(tmp_path):
    found = [
        finetune(small_classifier(), plan(), data(), tmp_path / str(at), options=replace(FEW, seed=seed)).measured
        for at, seed in enumerate((0, 0, 1))
    ]
    assert found[0] == found[1]
    assert found[0] != found[2]


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_interrupted_and_resumed_it_ends_as_if_it_had_not_been(tmp_path, optimizer, monkeypatch):
    options = replace(FEW, epochs=3, optimizer=optimizer, average=0.9, groups=(0.5, 1.0), wider_bits=2)
    monkeypatch.setattr("qonnx_tools.finetune.course.SAVE_SECONDS", 0)
    whole = finetune(small_classifier(), plan(), data(), tmp_path / "whole", options=options)

    def stop(_words, done, _total):
        if done == 8:  # in the middle of the second epoch
            raise KeyboardInterrupt

    part = finetune(small_classifier(), plan(), data(), tmp_path / "part", options=options, progress=stop)
    assert part.interrupted
    assert len(part.measured) == 2
    assert part.measured == whole.measured[:2]
    again = finetune(small_classifier(), plan(), data(), tmp_path / "part", options=options, resume=True)
    assert not again.interrupted
    assert again.measured == whole.measured
    assert again.plan == whole.plan
    assert losses(tmp_path / "part") == losses(tmp_path / "whole")


def test_what_cannot_be_resumed_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"holds no training to go on with: 'state.pt' is missing"):
        finetune(small_classifier(), plan(), data(), tmp_path, options=FEW, resume=True)
    finetune(small_classifier(), plan(), data(), tmp_path, options=replace(FEW, epochs=1))
    with pytest.raises(ConfigError, match="holds a training with other options; give the same as then"):
        finetune(small_classifier(), plan(), data(), tmp_path, options=FEW, resume=True)
    other = plan(activation_bits=4)
    with pytest.raises(ConfigError, match="holds a training with other plan and images; give the same as then"):
        finetune(small_classifier(), other, data(72), tmp_path, options=replace(FEW, epochs=1), resume=True)
    (tmp_path / "state.pt").write_bytes(b"PK no archive")
    with pytest.raises(ConfigError, match=r"state.pt' is damaged"):
        finetune(small_classifier(), plan(), data(), tmp_path, options=FEW, resume=True)


@pytest.mark.parametrize("batch_norm", ["merge", "separate"])
def test_batch_normalizations_train_where_they_are(tmp_path, batch_norm):
    model = normalized_classifier()
    given = convert(model, batch_norm=batch_norm, weight_bits=3, activation_bits=4).plan
    result = finetune(model, given, data(128), tmp_path, options=replace(FEW, epochs=4))
    changed = {name for name, value in result.plan.fitted.items() if "norm" in name}
    assert changed == {"norm.scale", "norm.offset"}
    assert result.best.epoch > 0
    assert all(each.differing == 0 for each in result.measured[1:])


def test_maps_learn_their_masks(tmp_path):
    base = plan(weight_bits=6, activation_bits=6)
    name = next(name for name, of in base.tensors.items() if name == "h")
    given = replace(base, feature_maps={name: FeatureMapPlan("wavelet53", levels=1, step=2.0, dropped=(0, 1))})
    result = finetune(small_classifier(), given, data(128), tmp_path, options=replace(FEW, epochs=3, retain=0.5))
    assert len(result.plan.feature_maps[name].dropped) == 2
    assert all(each.differing == 0 for each in result.measured[1:])
    with pytest.raises(ConfigError, match="retain: the plan compresses no feature maps"):
        finetune(small_classifier(), base, data(), tmp_path, options=replace(FEW, retain=0.5))


@pytest.mark.parametrize(("kind", "e", "h"), [("all", (), (0, 1, 2, 3)), ("each", (0, 1), (2, 3))])
def test_masks_are_learned_of_all_maps_or_of_each(tmp_path, kind, e, h):
    """They begin where the plan drops them: of all, in one map alone, as the mean over its pixels does not feel it."""
    given = replace(
        plan(weight_bits=6, activation_bits=6),
        feature_maps={
            "e": FeatureMapPlan("wavelet53", levels=1, step=2.0, dropped=e),
            "h": FeatureMapPlan("haar", levels=1, step=2.0, dropped=h),
        },
    )
    options = replace(FEW, epochs=3, retain=0.5, retain_from=kind)
    result = finetune(small_classifier(), given, data(128), tmp_path, options=options)
    assert result.best.epoch > 0
    dropped = [len(result.plan.feature_maps[name].dropped) for name in ("e", "h")]
    assert dropped == [len(e), len(h)]
    assert all(each.differing == 0 for each in result.measured[1:])


def test_masks_of_maps_of_unknown_size_are_refused():
    given = replace(plan(), feature_maps={"h": FeatureMapPlan("haar", levels=1)})
    prepared = prepare_for(small_classifier(), given)
    simulation = apply(prepared, replace(given, feature_maps={}), "simulation").model
    tensors = simulation.graph.tensors()
    tensors["h"].shape = ["N", 4, "height", 6]
    with pytest.raises(ConfigError, match="retain: the size of the feature map 'h' is not known; fix that of the in"):
        student_of(simulation, given, learn_scales=True, retain=0.5)


def test_each_map_needs_a_wavelet_of_its_own():
    maps = {"e": FeatureMapPlan("haar", levels=1), "h": FeatureMapPlan("predictive")}
    given = replace(plan(), feature_maps=maps)
    prepared = prepare_for(small_classifier(), given)
    simulation = apply(prepared, replace(given, feature_maps={}), "simulation").model
    assert len(student_of(simulation, given, learn_scales=True, retain=0.6).selections) == 1
    with pytest.raises(ConfigError, match="feature map 'h' has the transform predictive, without bands to drop"):
        student_of(simulation, given, learn_scales=True, retain=0.6, together=False)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_scores_move_by_what_the_loss_feels(optimizer):
    """Whatever trains the weights: by the slope of the mask times the rate, and no more."""
    given = replace(plan(), feature_maps={"e": FeatureMapPlan("haar", levels=1, step=4.0, dropped=(0, 1))})
    prepared = prepare_for(small_classifier(), given)
    simulation = apply(prepared, replace(given, feature_maps={}), "simulation").model
    options = replace(FEW, retain=0.5, optimizer=optimizer, warmup=0.0, teacher=0.0)
    student = student_of(simulation, given, learn_scales=True, retain=0.5)
    training = Training(student, None, Batches.of(Split.of(data(), 0.25, None, labels=True), options), options)
    ((_, found),) = student.each_map()
    before = found.scores.detach().clone()
    next(training.run_epoch())
    moved = before - SCORE_RATE * found.scores.grad
    torch.testing.assert_close(found.scores.detach(), moved.clamp(0, 1) / moved.clamp(0, 1).sum() * 2)
    assert not torch.equal(found.scores.detach(), before)


def test_scores_are_drawn_from_the_threshold_more_and_more():
    """The thesis: 1e-3, with ten to the power of the epoch less five in the first ones."""
    found = [score_weight(quarters / 20) for quarters in (0, 1, 4, 5, 20)]
    assert found == pytest.approx([1e-8, 1e-7, 1e-4, 1e-3, 1e-3])


def test_the_weight_of_their_bits_makes_maps_smaller(tmp_path):
    base = plan()
    given = replace(base, feature_maps={"h": FeatureMapPlan("haar", levels=1, step=2.0)})

    def train(weight):
        options = replace(FEW, epochs=3, learning_rate=0.02, rate_weight=weight)
        return finetune(small_classifier(), given, data(128), tmp_path, options=options)

    alone, weighed = train(0.0), train(10.0)
    assert alone.measured[0] == weighed.measured[0]
    assert weighed.measured[-1].bits < 0.9 * alone.measured[-1].bits
    assert weighed.best == min(weighed.measured, key=lambda each: each.loss + 10 * each.bits)
    with pytest.raises(ConfigError, match="rate-weight: the plan compresses no feature maps"):
        finetune(small_classifier(), base, data(), tmp_path, options=replace(FEW, rate_weight=0.5))


def test_labels_and_teachers(tmp_path):
    result = finetune(small_classifier(), plan(), data(), tmp_path, options=replace(FEW, teacher=0.0, epochs=1))
    assert result.best.top1 is not None
    unlabelled = finetune(small_classifier(), plan(), data(labels=False), tmp_path, options=replace(FEW, epochs=1))
    assert 0 <= unlabelled.best.top1 <= 1, "the share of the teacher's answers"
    with pytest.raises(DataError, match="there are no labels, and the loss needs them"):
        finetune(small_classifier(), plan(), data(labels=False), tmp_path, options=replace(FEW, teacher=0.5))
    other = finetune(small_classifier(), plan(), data(), tmp_path, options=FEW, teacher=normalized_classifier())
    assert other.measured[0].loss != result.measured[0].loss


def test_the_plan_as_given_is_kept_where_nothing_is_better(tmp_path):
    given = plan(weight_bits=8, activation_bits=8)
    result = finetune(small_classifier(), given, data(), tmp_path, options=replace(FEW, learning_rate=10, warmup=0))
    assert result.best.epoch == 0
    assert result.plan == given


def test_too_few_images(tmp_path):
    with pytest.raises(DataError, match="random images: training needs 4 images or more"):
        finetune(small_classifier(), plan(), data(3), tmp_path, options=FEW)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "epochs is 0; it must be 1 or more"),
        ({"learning_rate": 0.0}, "lr is 0.0; it must be positive, at most 10"),
        ({"teacher": 1.5}, r"teacher is 1.5; it must be in 0..1"),
        ({"groups": (0.5, 0.9)}, "groups is 0.5,0.9; it must be rising shares up to 1"),
        ({"retain": 1.0}, "retain is 1.0; it must be between 0 and 1"),
        ({"rate_weight": -0.1}, "rate-weight is -0.1; it must be 0 or more"),
        ({"optimizer": "lbfgs"}, "optimizer is lbfgs; it must be one of adam, sgd"),
        ({"labels": False, "teacher": 0.5}, "without labels the teacher's answers are all there is"),
        ({"mix": 0.6}, "mix is 0.6; it must be in 0..0.5"),
        ({"precision": "int8"}, "precision is int8; it must be one of auto, float32, bfloat16"),
        ({"device": "tpu"}, "device is tpu; it must be one of auto, cpu, cuda"),
    ],
)
def test_options_are_checked(wrong, message):
    with pytest.raises(ConfigError, match=message):
        FinetuneOptions(**wrong)


def test_images_are_shifted_and_mirrored_whole():
    images = torch.arange(2 * 3 * 16 * 16, dtype=torch.float32).reshape(2, 3, 16, 16)
    random = np.random.default_rng(0)
    seen = {tuple(augmented(images, "shift-flip", random)[0, 0, 8, 7:10].diff().tolist()) for _ in range(40)}
    assert seen == {(1.0, 1.0), (-1.0, -1.0)}, "mirrored, or not"
    shifted = augmented(images, "shift", np.random.default_rng(1))
    for image, moved in zip(images, shifted, strict=True):
        offset = int(moved[0, 8, 8] - image[0, 8, 8])
        rows, columns = round(offset / 16), offset - 16 * round(offset / 16)
        assert max(abs(rows), abs(columns)) <= 2
        inner = slice(4, 12)
        assert torch.equal(moved[:, inner, inner], image[:, 4 + rows : 12 + rows, 4 + columns : 12 + columns]), (
            "all of it together"
        )
    assert augmented(images, "none", random) is images


def test_the_average_follows_the_weights_and_is_what_is_measured():
    options = replace(FEW, average=0.75, teacher=0.0)
    given = plan()
    prepared = prepare_for(small_classifier(), given)
    student = student_of(apply(copied(prepared), given, "simulation").model, given, learn_scales=True)
    training = Training(student, None, Batches.of(Split.of(data(32), 0.25, None, labels=True), options), options)
    expected = {name: value.detach().clone() for name, value in student.named_parameters()}
    for _ in training.run_epoch():
        for name, value in student.named_parameters():
            expected[name] = 0.75 * expected[name] + 0.25 * value.detach()
    trained = {name: value.detach().clone() for name, value in student.named_parameters()}
    with training.averaging():
        for name, value in student.named_parameters():
            torch.testing.assert_close(value.detach(), expected[name])
    assert all(torch.equal(value, trained[name]) for name, value in student.named_parameters())
    assert any(not torch.equal(expected[name], trained[name]) for name in trained)


def test_images_are_mixed_with_the_next_one():
    images, labels = torch.eye(6)[:, None, None], torch.tensor([2, 0, 1, 2, 1, 0])
    found, shown = mixed(images, labels, 0.5, np.random.default_rng(0))
    shares = found[torch.arange(6), 0, 0, (torch.arange(6) + 1) % 6]
    assert ((shares >= 0) & (shares <= 0.5)).all()
    assert shares.unique().numel() == 6
    expected = torch.zeros(6, 3)
    for at, share in enumerate(shares):
        expected[at, labels[at]] += 1 - share
        expected[at, labels[(at + 1) % 6]] += share
    assert torch.allclose(shown, expected)
    assert torch.allclose(found.sum(dim=(1, 2, 3)), torch.ones(6))
    assert mixed(images, labels, 0.0, np.random.default_rng(0)) == (images, labels)
    assert mixed(images, None, 0.5, np.random.default_rng(0))[1] is None


def test_the_loss_of_shares_is_that_of_their_classes():
    outputs = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    whole = [loss_of(outputs, None, torch.full((3,), which), 0.0) for which in (0, 2)]
    shared = loss_of(outputs, None, torch.tensor([[0.25, 0.0, 0.75]] * 3), 0.0)
    assert torch.allclose(shared, 0.25 * whole[0] + 0.75 * whole[1])


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_loss_that_chooses_an_epoch_is_that_of_training(tmp_path, temperature):
    given, images = plan(), data()
    result = finetune(small_classifier(), given, images, tmp_path, options=replace(FEW, temperature=temperature))
    kept = images.images[:16]
    quantized = apply(copied(prepare_for(small_classifier(), given)), given, "native").model
    ours, theirs = (run(session(model), kept)[0].astype(np.float64) for model in (quantized, small_classifier()))

    def shares(logits):
        powers = np.exp((logits - logits.max(1, keepdims=True)) / temperature)
        return powers / powers.sum(1, keepdims=True)

    divergence = (shares(theirs) * np.log(shares(theirs) / shares(ours))).sum(1).mean()
    assert result.measured[0].loss == pytest.approx(temperature**2 * divergence, rel=1e-4)


def test_batches_are_mixed_the_same_whenever_they_are_asked_for():
    split = Split.of(data(32), 0.25, None, labels=True)
    batches = Batches.of(split, replace(FEW, mix=0.5))
    first, again = (list(batches.of_epoch(1)) for _ in range(2))
    assert all(torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    plain = list(Batches.of(split, replace(FEW, mix=0.0)).of_epoch(1))
    assert not torch.equal(plain[0][0], first[0][0])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_is_trained_is_what_the_integers_compute_at_any_precision_of_gradients(tmp_path, precision):
    options = replace(FEW, precision=precision, mix=0.5, teacher=0.5)
    result = finetune(small_classifier(), plan(), data(), tmp_path, options=options)
    assert all(each.differing == 0 for each in result.measured[1:])
    assert result.best.epoch


def test_a_plan_of_another_model_is_refused(tmp_path):
    wrong = Plan(tensors={"nothing": next(iter(plan().tensors.values()))})
    with pytest.raises(ConfigError, match="plan tensor 'nothing' is not in the model"):
        finetune(small_classifier(), wrong, data(), tmp_path, options=FEW)


def test_on_a_gpu_convolutions_stay_exact(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    assert _device("cpu").type == "cpu"
    assert torch.backends.cudnn.allow_tf32, "nothing changes for a CPU"
    assert _device("auto").type == "cuda"
    assert not torch.backends.cudnn.allow_tf32
