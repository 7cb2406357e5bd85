"""What modules import: never themselves in a circle, and on servers nothing that is not there."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOTS = ("clawdet_infra", "localcloud", "toolchain", "policy")
TOGETHER = ("clawdet_infra.agent", "clawdet_infra.error_line", "clawdet_infra.redaction")
"""The packages and modules that run on servers and travel together."""
OLDEST_PYTHON = (3, 11)
"""What servers have to have, as docs/reference/configuration.md says."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Who imports whom, with what is imported inside of functions and for types alone."""
    return grimp.build_graph(*ROOTS, include_external_packages=True, cache_dir=None)


def test_no_import_is_circular_not_even_one_for_types_or_inside_a_function(graph: grimp.ImportGraph) -> None:
    own = {module for module in graph.modules if module.split(".")[0] in ROOTS}
    imports = {module: graph.find_modules_directly_imported_by(module) & own for module in own}
    assert len(imports) > 300, "all modules are read"

    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail("circular import, to be cut by a module that both sides use: " + " <- ".join(error.args[1]))


def within(module: str, packages: Iterable[str]) -> bool:
    return any(module == one or module.startswith(f"{one}.") for one in packages)


def runs_on_servers(module: str) -> bool:
    return within(module, TOGETHER)


def test_what_runs_on_servers_imports_only_pythons_own_library_and_what_comes_with_it(graph: grimp.ImportGraph) -> None:
    modules = [module for module in graph.modules if runs_on_servers(module)]
    assert len(modules) > 20, "all of them are read"

    found = {
        (module, imported)
        for module in modules
        for imported in graph.find_modules_directly_imported_by(module)
        if imported.split(".")[0] not in sys.stdlib_module_names
        and not (within(module, TOGETHER) and within(imported, TOGETHER))
    }
    assert found == set()


def test_what_runs_on_servers_has_no_newer_syntax_than_their_python(graph: grimp.ImportGraph) -> None:
    for module in filter(runs_on_servers, graph.modules):
        path = ROOT / module.replace(".", "/")
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        ast.parse(file.read_text(), str(file), feature_version=OLDEST_PYTHON)
