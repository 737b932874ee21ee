"""The public Python interface: what `import qonnx_tools` offers is what it says, however it is reached."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import qonnx_tools

PUBLIC = [name for name in qonnx_tools.__all__ if name != "__version__"]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_a_function_each_time(name):
    program = f"import qonnx_tools; qonnx_tools.{name}; print(callable(qonnx_tools.{name}))"
    run = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "True\n"


def test_no_module_takes_a_public_name():
    assert not set(PUBLIC) & {module.name for module in pkgutil.iter_modules(qonnx_tools.__path__)}


def test_the_readmes_example_runs(repo_root):
    conversion = qonnx_tools.convert(
        repo_root / "models/digits_resnet.onnx", scheme="log", data=repo_root / "models/digits_calibration.npz"
    )
    result = qonnx_tools.evaluate(
        conversion.model, repo_root / "models/digits_test.npz", against=repo_root / "models/digits_resnet.onnx"
    )
    assert result.images == 500
    session = qonnx_tools.session(conversion.model)
    assert session.get_outputs()[0].name == "logits"
    assert qonnx_tools.library_path().is_file()


def test_what_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        importlib.import_module("qonnx_tools").nothing  # noqa: B018
