"""Train the two kinds of network on which Goyal et al. (arXiv 2102.02147) search bit widths.

The sequential one has 14 convolutions (32 channels in the first 6, 64 in the others), each followed by ReLU and then
batch norm, a max pool after every fourth, a global max pool and a dense layer: 15 weighted layers, 324 thousand
weights. The branched one has 23 weighted layers: a convolution, seven blocks in which a branch of two 3x3 convolutions
and one of a 1x1 convolution are added, and a dense layer.

Run from anywhere, with the extra ``train`` installed, for each file of labelled images (uint8 ``images`` ``[N, H, W]``
or ``[N, H, W, C]`` and ``labels``)::

    python models/train_searched.py sequential cifar10_train.npz cifar10_test.npz --out trained --epochs 16

A part of the training images is held back and written beside the networks, ``NAME_search.npz``: a search that chooses
by accuracy wants images that the network has not learnt by heart. The test images are read for the final figure only.
The networks read pixels divided by 255.
"""

import argparse
import json
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from exporting import count_correct, export
from torch import nn
from torch.nn import functional

SEED = 14
HELD_BACK = 0.2  # of the training images
BATCH = 64
PEAK_LEARNING_RATE = 0.004
WEIGHT_DECAY = 5e-4
LARGEST_SHIFT = 2  # pixels, of the training images


def unit(inputs: int, outputs: int, kernel: int = 3) -> list[nn.Module]:
    """Return a convolution that keeps height and width, ReLU, and batch norm, in the order of the paper."""
    return [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.ReLU(), nn.BatchNorm2d(outputs)]


class Branches(nn.Module):
    """``relu(conv3x3(unit3x3(x)) + conv1x1(x))``, then batch norm."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.deep = nn.Sequential(*unit(inputs, outputs), nn.Conv2d(outputs, outputs, 3, padding=1))
        self.shallow = nn.Conv2d(inputs, outputs, 1)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the block's output, ``[N, outputs, H, W]``."""
        return self.norm(functional.relu(self.deep(x) + self.shallow(x)))


def network_of(kind: str, channels: int, classes: int) -> nn.Module:
    """Return an untrained network of that kind for images of that many channels."""
    layers: list[nn.Module] = []
    if kind == "sequential":
        widths = [channels, *6 * [32], *8 * [64]]
        for i, (inputs, outputs) in enumerate(pairwise(widths)):
            layers += unit(inputs, outputs)
            if i % 4 == 3:
                layers.append(nn.MaxPool2d(2))
    else:
        layers += unit(channels, 32)
        widths = [*4 * [32], *4 * [64]]
        for i, (inputs, outputs) in enumerate(pairwise(widths)):
            layers.append(Branches(inputs, outputs))
            if i % 2 == 1:
                layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(64, classes))


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return images, uint8 ``[N, H, W, C]``, and labels, int64 ``[N]``."""
    with np.load(path) as data:
        images, labels = data["images"], data["labels"].astype(np.int64)
    return images.reshape(*images.shape[:3], -1), labels


def nchw(images: np.ndarray) -> np.ndarray:
    """Return the pixels as the network reads them, float32 ``[N, C, H, W]`` of 0 to 1."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32) / 255


def varied(batch: torch.Tensor, random: np.random.Generator, *, mirror: bool) -> torch.Tensor:
    """Return the batch, each image moved by up to ``LARGEST_SHIFT`` pixels; with ``mirror`` half of them mirrored."""
    d = LARGEST_SHIFT
    padded = functional.pad(batch, (d, d, d, d))
    corners = random.integers(0, 2 * d + 1, size=(len(batch), 2))
    flips = random.random(len(batch)) < 0.5
    height, width = batch.shape[2:]
    return torch.stack(
        [
            torch.flip(crop, [2]) if mirror and flip else crop
            for image, (y, x), flip in zip(padded, corners, flips, strict=True)
            for crop in (image[:, y : y + height, x : x + width],)
        ]
    )


def train(network: nn.Module, images: np.ndarray, labels: np.ndarray, epochs: int, *, mirror: bool) -> nn.Module:
    """Train with AdamW under a one-cycle schedule, on cross entropy, and return the network in evaluation mode."""
    random = np.random.default_rng(SEED)
    x, y = torch.from_numpy(nchw(images)), torch.from_numpy(labels)
    network = network.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK_LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = len(x) // BATCH  # the last, short batch of an epoch is dropped: batch norm wants batches of one size
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LEARNING_RATE, total_steps=epochs * steps)
    for epoch in range(epochs):
        order = random.permutation(len(x))
        total, started = 0.0, time.monotonic()
        for step in range(steps):
            chosen = torch.from_numpy(order[step * BATCH : (step + 1) * BATCH])
            batch = varied(x[chosen], random, mirror=mirror).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = network(batch)
            loss = functional.cross_entropy(logits.float(), y[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(
            f"epoch {epoch + 1} of {epochs}: loss {total / steps:.3f}, {time.monotonic() - started:.0f} s", flush=True
        )
    return network.eval().to(memory_format=torch.contiguous_format)


def main() -> None:
    """Train one network, export it, and write its held-back images and its accuracy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["sequential", "branched"])
    parser.add_argument("train", type=Path, help="training images, .npz")
    parser.add_argument("test", type=Path, help="test images, .npz")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--mirror", action="store_true", help="mirror half of the training images")
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # the order of sums, and so the weights, would depend on the number of threads
    images, labels = read(arguments.train)
    order = np.random.default_rng(SEED).permutation(len(images))
    held = int(HELD_BACK * len(images))
    data = arguments.train.stem.removesuffix("_train")
    np.savez_compressed(out / f"{data}_search.npz", images=images[order[:held]], labels=labels[order[:held]])

    height, width, channels = images.shape[1:]
    network = network_of(arguments.kind, channels, int(labels.max()) + 1)
    learnt = order[held:]
    network = train(network, images[learnt], labels[learnt], arguments.epochs, mirror=arguments.mirror)
    path = out / f"{arguments.kind}_{data}.onnx"
    export(network, (channels, height, width), path)
    tests, answers = read(arguments.test)
    correct = count_correct(path, nchw(tests), answers)
    entry = {"file": path.name, "epochs": arguments.epochs, "correct": correct, "images": len(answers)}
    (out / f"{path.stem}.json").write_text(json.dumps(entry, indent=2) + "\n")
    print(json.dumps(entry))


if __name__ == "__main__":
    main()
