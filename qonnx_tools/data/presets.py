"""Preprocessing by name, from a TOML file, or from single options."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from qonnx_tools.data.preprocessing import ChannelOrder, Preprocessing
from qonnx_tools.errors import ConfigError

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)

_PRESETS = {
    "raw": Preprocessing(),
    "unit": Preprocessing(scale=1 / 255),
    "cifar10": Preprocessing(scale=1 / 255, mean=_IMAGENET_MEAN, std=_IMAGENET_STD),
    "fashion-mnist": Preprocessing(scale=1 / 255, mean=(0.286,), std=(0.353,)),
    "imagenet": Preprocessing(scale=1 / 255, mean=_IMAGENET_MEAN, std=_IMAGENET_STD, resize=256, crop=224),
    "mobilenet": Preprocessing(mean=(127.5,), std=(127.5,), resize=256, crop=224),
    "caffe": Preprocessing(mean=(104.0, 117.0, 123.0), channel_order=ChannelOrder.BGR, resize=256, crop=224),
}


def presets() -> Mapping[str, Preprocessing]:
    """Return the named presets."""
    return MappingProxyType(_PRESETS)


def preprocessing(preset: str = "raw", **options: object) -> Preprocessing:
    """Return a preset with single fields replaced: ``preprocessing("imagenet", resize=224)``.

    Raises:
        ConfigError: an unknown preset or option, or a value of the wrong type or out of range.
    """
    return _preset(preset).with_options(options, "preprocessing")


def preprocessing_from_toml(path: str | Path) -> Preprocessing:
    """Return the preprocessing that a TOML file describes: the fields of `Preprocessing`, and ``preset``.

    Raises:
        ConfigError: the file cannot be read, is not TOML, or holds an unknown key or a bad value.
    """
    try:
        options = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the preprocessing file: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file: {error}") from error
    preset = options.pop("preset", "raw")
    if not isinstance(preset, str):
        raise ConfigError(f"{path}: preset is {preset!r}; it must be a name in quotes")
    try:
        start = _preset(preset)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    return start.with_options(options, str(path))


def _preset(name: str) -> Preprocessing:
    if name not in _PRESETS:
        raise ConfigError(f"preset is '{name}'; it must be one of {', '.join(_PRESETS)}")
    return _PRESETS[name]
