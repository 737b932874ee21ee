"""The example of docs/passes.md runs, and its table names every canonical pass."""

import re

from qonnx_tools.pipeline import CANONICAL


def test_example(repo_root, capsys):
    text = (repo_root / "docs" / "passes.md").read_text()
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    exec(code, {"__name__": "example"})  # noqa: S102  # our own documentation
    (promised,) = re.findall(r"It prints `(.*)`\.", text)
    assert capsys.readouterr().out.strip() == promised


def test_table(repo_root):
    text = (repo_root / "docs" / "passes.md").read_text()
    assert re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE) == [each.name for each in CANONICAL] + [
        "fold-batch-norm",
        "reduce-batch-norm",
        "separate-layer-inputs",
        "fuse-tables",
        "fuse-residual-add",
    ]
