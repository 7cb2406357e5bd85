"""No decision reads a sentence of our own: what the product compares text with is not what it writes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("clawdet_infra", "localcloud", "policy", "toolchain", "ops", "scripts")
_METHODS = {"startswith", "endswith", "find", "index", "count", "search", "match", "fullmatch", "findall", "finditer"}
_PHRASE = re.compile(r"[A-Za-z][a-z']+(?: [a-z']+)+")
"""At least two words, as sentences have them."""

FOREIGN = ("clawdet_infra/engine/output.py",)
"""Where texts of the engine are read, and nothing else."""

SHARED = {
    "no such": "Docker's",
    "not found": "Docker's",
    "cannot be deleted": "the engine's, of what is protected",
    "exit status": "Go's, in an error of Docker",
    "preview failed": "the engine's",
    "shared host": "the kind of an owner, and a key of the summary above a deployment's command",
    "gateway image": "a key of the summary above a deployment's command",
}
"""Phrases that decide and that we write as well: of other programs, or codes."""


def modules() -> dict[str, tuple[ast.Module, list[ast.AST]]]:
    """Return each module by its path, with all its nodes."""
    files = [*(path for one in PACKAGES for path in (ROOT / one).rglob("*.py")), ROOT / "__main__.py"]
    trees = {str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8")) for path in files}
    return {path: (tree, list(ast.walk(tree))) for path, tree in trees.items()}


def texts(node: ast.AST) -> Iterator[ast.Constant]:
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one


def constants(module: ast.Module) -> dict[str, ast.AST]:
    """Return what the module's constants are; not of mappings, whose values may be what is written."""
    return {
        target.id: one.value
        for one in module.body
        if isinstance(one, ast.Assign | ast.AnnAssign) and isinstance(one.value, ast.Constant | ast.Tuple | ast.Call)
        for target in (one.targets if isinstance(one, ast.Assign) else [one.target])
        if isinstance(target, ast.Name)
    }


def compared(module: ast.Module, nodes: list[ast.AST]) -> Iterator[ast.Constant]:
    """Yield the texts with which others are compared: in place, by a constant's name, or in a loop over a constant."""
    known = constants(module)
    loops = {
        one.target.id: one.iter
        for one in nodes
        if isinstance(one, ast.comprehension | ast.For) and isinstance(one.target, ast.Name)
    }

    def resolved(node: ast.AST) -> Iterator[ast.Constant]:
        yield from texts(node)
        for one in ast.walk(node):
            if isinstance(one, ast.Name):
                source = loops.get(one.id, one)
                if isinstance(source, ast.Name) and source.id in known:
                    yield from texts(known[source.id])

    for node in nodes:
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn | ast.Eq | ast.NotEq):
            yield from resolved(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
            for part in (node.func.value, *node.args):
                yield from resolved(part)


def docstrings(nodes: list[ast.AST]) -> set[ast.AST]:
    return {
        one.value
        for node in nodes
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        for one in node.body
        if isinstance(one, ast.Expr)
    }


def phrases(text: str) -> set[str]:
    """Return the runs of words in a text or in a regular expression."""
    return {one.lower().strip() for one in _PHRASE.findall(re.sub(r"\\[a-z]|[][(){}|?*+^$\\]", " . ", text))}


def test_what_decides_is_not_what_we_write() -> None:
    deciding: dict[str, str] = {}
    used: set[ast.AST] = set()
    written: list[tuple[str, ast.Constant]] = []
    for path, (module, nodes) in modules().items():
        used |= docstrings(nodes)
        for one in compared(module, nodes):
            used.add(one)
            if path in FOREIGN:
                continue
            for phrase in phrases(str(one.value)):
                deciding.setdefault(phrase, f"{path}:{one.lineno}")
        written += [
            (f"{path}:{one.lineno}", one)
            for one in nodes
            if isinstance(one, ast.Constant) and isinstance(one.value, str) and " " in one.value
        ]
    assert len(deciding) > 10, "the texts of other programs are found"
    found = [
        f"{where} decides by “{phrase}”, which {writer} writes"
        for writer, one in written
        if one not in used
        for phrase, where in deciding.items()
        if phrase not in SHARED and phrase in str(one.value).lower()
    ]
    assert not found, "\n".join(found)
