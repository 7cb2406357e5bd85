"""No module imports, in however many steps, itself."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

ROOTS = ("clawdet_infra", "localcloud", "engine", "policy")


def test_no_import_is_circular_not_even_one_for_types_or_inside_a_function() -> None:
    graph = grimp.build_graph(*ROOTS, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imports) > 300, "all modules are read"

    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail("circular import, to be cut by a module that both sides use: " + " <- ".join(error.args[1]))
