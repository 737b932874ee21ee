"""The trained networks that the tests convert: where they are, what feeds them, what is in them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qonnx_tools.data import ChannelOrder, Preprocessing, open_data, preprocessing
from qonnx_tools.graph import load

ROOT = Path(__file__).resolve().parents[2]
TREATMENTS = ("fold", "merge", "separate")


@dataclass(frozen=True)
class RealNetwork:
    """Test data, their preprocessing and how many of the images to use; whether batch norms stand apart.

    ``exact`` says that the simulation equals the native graph, scheme fixed: its sums on these images fit float32.
    """

    data: str
    prepared: Preprocessing | None
    images: int
    batch_norm: bool = True
    exact: bool = False

    @property
    def treatments(self) -> tuple[str, ...]:
        return TREATMENTS if self.batch_norm else TREATMENTS[:1]


COCO = preprocessing("raw", channel_order=ChannelOrder.BGR, resize=416, crop=416)
NETWORKS = {
    "digits_resnet": RealNetwork("digits_test.npz", None, 5, exact=True),
    "resnet20_cifar10": RealNetwork("cifar10_test.npz", preprocessing("cifar10"), 3, exact=True),
    "resnet32_cifar10": RealNetwork("cifar10_test.npz", preprocessing("cifar10"), 2, exact=True),
    "mlperf_tiny_resnet8_cifar10": RealNetwork("cifar10_test.npz", preprocessing("raw"), 3, exact=True),
    "cnn6_fashion_mnist": RealNetwork("fashion_mnist_test.npz", preprocessing("fashion-mnist"), 5, exact=True),
    "mnist8_onnxzoo": RealNetwork("mnist_test.npz", preprocessing("raw"), 1, batch_norm=False, exact=True),
    "mobilenet_v1_075_imagenet": RealNetwork("imagenet_val100", preprocessing("mobilenet"), 1),
    "squeezenet11_imagenet": RealNetwork("imagenet_val100", preprocessing("caffe"), 1, batch_norm=False),
    "yolox_nano_coco": RealNetwork("coco_val128", COCO, 1, batch_norm=False),
}
SHIPPED = ("digits_resnet",)


def model_path(name: str, assets: Path | None) -> Path:
    """The file of a network: in the repository's models/, or in the assets."""
    return (ROOT if name in SHIPPED or assets is None else assets) / "models" / f"{name}.onnx"


def feeds(name: str, path: Path) -> dict[str, np.ndarray]:
    """The first test images, as the network at ``path`` reads them."""
    network = NETWORKS[name]
    folder = path.parent if name in SHIPPED else path.parent.parent / "data"
    (entry,) = load(path).graph.inputs
    dataset = open_data(str(folder / network.data), network.prepared, tuple(entry.shape))
    (batch,) = dataset.batches(network.images, limit=network.images)
    return {entry.name: batch.images}
