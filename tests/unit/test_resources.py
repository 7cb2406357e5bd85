"""Types and labels of resources are written in one place."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from clawdet_infra import resources

ROOT = Path(__file__).resolve().parents[2]
TYPE = re.compile(r"(?:hcloud|docker|random|command|clawdet|pulumi):[a-z]+(?:/[A-Za-z]+)?:[A-Z][A-Za-z]+")
NAMES = {name: value for name, value in vars(resources).items() if name.isupper()}
LABELS = {value for name, value in NAMES.items() if name.endswith("_LABEL")}


def written_in(text: str) -> list[str]:
    """The types and labels that a module writes as texts of its own, docstrings aside."""
    if not TYPE.search(text) and not any(label in text for label in LABELS):
        return []
    tree = ast.parse(text)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose
    ]
    return [text for text in texts if TYPE.search(text) or text.rstrip("=") in LABELS]


def test_no_other_module_writes_a_type_or_label_by_itself() -> None:
    files = [path for folder in ("clawdet_infra", "policy") for path in (ROOT / folder).rglob("*.py")]
    found = {str(path.relative_to(ROOT)): written_in(path.read_text()) for path in files}
    assert set(found.pop("clawdet_infra/resources.py")) >= LABELS, "the search finds them where they are"
    assert {path: texts for path, texts in found.items() if texts} == {}, "use the names of clawdet_infra/resources.py"


def test_no_two_names_stand_for_the_same() -> None:
    assert len(set(NAMES.values())) == len(NAMES)
