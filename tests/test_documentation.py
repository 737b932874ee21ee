"""What the documents show works as shown."""

import json
import re

from qonnx_tools.plan import plan_from_json, plan_to_json


def test_the_plan_in_the_documents_is_a_plan(repo_root):
    (text,) = re.findall(r"```json\n(.*?)```", (repo_root / "docs/plans.md").read_text(), re.DOTALL)
    plan = plan_from_json(text)
    assert json.loads(plan_to_json(plan)) == json.loads(text)
