"""What the package may use."""

import ast
import sys

from tests.running_lab import ROOT


def test_lab_imports_nothing_that_python_does_not_bring() -> None:
    imported = {
        name.split(".")[0]
        for path in (ROOT / "lab").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }

    assert imported - sys.stdlib_module_names == {"lab"}
