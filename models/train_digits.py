"""Train the digits network, export it and write its data and its entry in the manifest.

Run from anywhere, with the extra ``train`` installed::

    python models/train_digits.py

It takes about a minute on one core and, with the same versions of PyTorch and scikit-learn, writes the same weights
each time. The 1,797 images are split at random, the same share of each digit in each part. The network is trained on
the training part alone, for a fixed number of epochs, so neither of the other two parts chose anything about it.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from exporting import count_correct, export
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional

SEED = 20
TEST_IMAGES = 500
CALIBRATION_IMAGES = 200
EPOCHS = 60
BATCH = 64
PEAK_LEARNING_RATE = 0.01
WEIGHT_DECAY = 5e-4
LARGEST_SHIFT = 1  # pixels, of the training images

Split = dict[str, tuple[np.ndarray, np.ndarray]]


class Residual(nn.Module):
    """``relu(norm2(conv2(relu(norm1(conv1(x))))) + shortcut(x))``.

    The shortcut is the identity, or a strided 1x1 convolution and batch norm where the block halves the image.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the block's output, ``[N, outputs, H / stride, W / stride]``."""
        y = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class DigitsNet(nn.Module):
    """Three residual blocks of 16, 32 and 48 channels over ``[N, 1, 8, 8]``; returns logits ``[N, 10]``.

    It reads pixels as scikit-learn gives them, 0 to 16: the batch norm behind the first convolution takes up the scale.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.blocks = nn.Sequential(Residual(16, 16), Residual(16, 32, stride=2), Residual(32, 48, stride=2))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(48, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``[N, 10]``."""
        return self.classifier(torch.flatten(self.pool(self.blocks(self.stem(x))), 1))


def split_digits() -> Split:
    """Return images uint8 ``[N, 8, 8, 1]`` of 0..16 and labels uint8, of each part by its name."""
    digits = load_digits()
    images = digits.images.astype(np.uint8)[..., None]
    labels = digits.target.astype(np.uint8)
    rest, test, rest_labels, test_labels = train_test_split(
        images, labels, test_size=TEST_IMAGES, stratify=labels, random_state=SEED
    )
    train, calibration, train_labels, calibration_labels = train_test_split(
        rest, rest_labels, test_size=CALIBRATION_IMAGES, stratify=rest_labels, random_state=SEED
    )
    return {
        "train": (train, train_labels),
        "calibration": (calibration, calibration_labels),
        "test": (test, test_labels),
    }


def nchw(images: np.ndarray) -> np.ndarray:
    """Return the pixels as the network reads them, float32 ``[N, 1, 8, 8]``."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32)


def shifted(batch: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """Return the batch, each image moved by up to ``LARGEST_SHIFT`` pixels each way, zeros behind it."""
    d = LARGEST_SHIFT
    padded = functional.pad(batch, (d, d, d, d))
    corners = random.integers(0, 2 * d + 1, size=(len(batch), 2))
    height, width = batch.shape[2:]
    return torch.stack([image[:, y : y + height, x : x + width] for image, (y, x) in zip(padded, corners, strict=True)])


def train(images: np.ndarray, labels: np.ndarray) -> DigitsNet:
    """Train with AdamW under a one-cycle schedule, on cross entropy, and return the network in evaluation mode."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # the order of sums, and so the weights, would depend on the number of threads
    torch.use_deterministic_algorithms(mode=True)
    random = np.random.default_rng(SEED)
    x, y = torch.from_numpy(nchw(images)), torch.from_numpy(labels.astype(np.int64))
    network = DigitsNet().train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK_LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = len(x) // BATCH  # the last, short batch of an epoch is dropped: batch norm wants batches of one size
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LEARNING_RATE, total_steps=EPOCHS * steps)
    for epoch in range(EPOCHS):
        order = random.permutation(len(x))
        total = 0.0
        for step in range(steps):
            chosen = torch.from_numpy(order[step * BATCH : (step + 1) * BATCH])
            loss = functional.cross_entropy(network(shifted(x[chosen], random)), y[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1} of {EPOCHS}: loss {total / steps:.3f}")
    return network.eval()


def described(path: Path) -> dict[str, object]:
    """Return what identifies a file: its name, its size in bytes and its SHA-256."""
    content = path.read_bytes()
    return {"file": path.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def manifest_entry(model: Path, parts: dict[str, Path], split: Split) -> dict[str, object]:
    """Return the network's entry in the manifest, its accuracy measured on the exported file."""
    images, labels = split["test"]
    correct = count_correct(model, nchw(images), labels)
    return {
        **described(model),
        "task": "classify 8x8 grey images of handwritten digits, 10 classes",
        "input": {"name": "input", "shape": ["N", 1, 8, 8], "layout": "NCHW", "dtype": "float32"},
        "output": {"name": "logits", "shape": ["N", 10]},
        "preprocessing": "none: the pixels 0..16 as they are in the .npz files, as float32",
        "float_accuracy": {
            "data": parts["test"].name,
            "correct": correct,
            "images": len(labels),
            "top1_percent": round(100 * correct / len(labels), 2),
        },
        "parameters": sum(int(np.prod(tensor.dims)) for tensor in onnx.load(model).graph.initializer),
        "training": {
            "script": Path(__file__).name,
            "seed": SEED,
            "epochs": EPOCHS,
            "images": len(split["train"][1]),
            "torch": torch.__version__,
            "augmentation": f"shifts by up to {LARGEST_SHIFT} pixel",
        },
        "data": [described(path) | {"images": len(split[part][1])} for part, path in parts.items()],
        "data_source": {
            "name": "Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine Learning "
            "Repository, 1998, https://doi.org/10.24432/C50P49; its test part, as scikit-learn ships it "
            "(sklearn.datasets.load_digits)",
            "licence": "CC BY 4.0",
            "changes": "split at random into the three files; stored as uint8",
        },
        "licence": "Apache-2.0",
    }


def main() -> None:
    """Train, export, measure and write everything into one folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write to")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    split = split_digits()
    parts = {part: out / f"digits_{part}.npz" for part in split}
    for part, (images, labels) in split.items():
        np.savez_compressed(parts[part], images=images, labels=labels)
    model = out / "digits_resnet.onnx"
    export(train(*split["train"]), (1, 8, 8), model)
    entry = manifest_entry(model, parts, split)
    (out / "manifest.json").write_text(json.dumps({"models": [entry]}, indent=2) + "\n")
    print(json.dumps(entry["float_accuracy"]))


if __name__ == "__main__":
    main()
