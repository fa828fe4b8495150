"""Imports point down only: the table of layers, checked against what every module imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import upreel.errors

ROWS: tuple[frozenset[str], ...] = (
    frozenset({"core", "errors"}),
    frozenset({"ops"}),
    frozenset({"video", "models", "scans"}),
    frozenset({"losses", "metrics"}),
    frozenset({"inference", "data"}),
    frozenset({"evaluation", "recognition"}),
    frozenset({"training", "farm"}),
    frozenset({"ui"}),
    frozenset({"cli"}),
)
"""Errors are everybody's: they import nothing, and even their neighbour `core` may import them."""
ROW = {part: number for number, row in enumerate(ROWS) for part in row}
TOP = frozenset({"__init__", "__main__"})
"""The package's face: it may import everything, and only the command line may import it."""

SOURCE = Path(upreel.errors.__file__).parent


def part_of(path: Path, source: Path) -> str:
    """The name of the package, or of the single module, right below `source`."""
    return path.relative_to(source).with_suffix("").parts[0]


def imported(path: Path, source: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import in a file, wherever it stands: functions count too."""
    package = ("upreel", *path.relative_to(source).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join((*base, *filter(None, [node.module])))
            for alias in node.names:
                yield node.lineno, f"{stem}.{alias.name}"


def broken_rules(source: Path) -> Iterator[str]:
    """A sentence for each import that does not point down."""
    parts = {part_of(path, source) for path in source.rglob("*.py")}
    for path in sorted(source.rglob("*.py")):
        here = part_of(path, source)
        if here in TOP:
            continue
        if here not in ROW:
            yield f"{path.relative_to(source)} is in no layer: name '{here}' in the table"
            continue
        for line, name in imported(path, source):
            head, *rest = name.split(".")
            if head != "upreel":
                continue
            there = rest[0] if rest and rest[0] in parts else "__init__"
            if there in (here, "errors") or (there == "__init__" and here == "cli"):
                continue
            if there not in ROW or ROW[there] >= ROW[here]:
                whole = source.joinpath(*rest).with_suffix(".py")
                target = whole if whole.exists() else source.joinpath(*rest[:-1]).with_suffix(".py")
                if not target.exists():
                    target = source.joinpath(
                        *(rest[:1] if there != "__init__" else ()), "__init__.py"
                    )
                yield (
                    f"{path.relative_to(source)}:{line} ({here}, row {ROW[here]}) imports "
                    f"{target.relative_to(source)} ({there}, row {ROW.get(there, 'none')}): "
                    "imports point down only"
                )


def test_imports_point_down_only() -> None:
    rules = list(dict.fromkeys(broken_rules(SOURCE)))
    assert not rules, "\n" + "\n".join(rules)


@pytest.mark.parametrize(
    ("path", "text", "sentence"),
    [
        ("ops/blur.py", "from upreel.video.frame import Frame", "ops/blur.py:1 .* video/frame.py"),
        ("video/frame.py", "import upreel.models.zoo", "video/frame.py:1 .* models/zoo.py"),
        ("core/a.py", "def f():\n    from ..ops import blur", "core/a.py:2 .* ops/blur.py"),
        ("core/a.py", "from upreel import ops", r"core/a.py:1 .* ops/__init__.py"),
        ("inference/a.py", "from upreel import upscale", r"inference/a.py:1 .* __init__.py"),
        ("helpers/a.py", "", "helpers/a.py is in no layer"),
    ],
)
def test_an_import_that_points_up_is_named(
    tmp_path: Path, path: str, text: str, sentence: str
) -> None:
    for name in (
        "ops/__init__.py",
        "ops/blur.py",
        "video/frame.py",
        "models/zoo.py",
        "__init__.py",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(text)
    with pytest.raises(AssertionError, match=sentence):
        raise AssertionError("\n".join(broken_rules(tmp_path)))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("video/frame.py", "import upreel.ops.blur\nfrom upreel.core import files\nimport os"),
        ("video/frame.py", "from . import reader\nfrom .reader import read"),
        ("cli/main.py", "from upreel import upscale"),
        ("__init__.py", "from upreel.cli import main"),
    ],
)
def test_an_import_that_points_down_passes(tmp_path: Path, path: str, text: str) -> None:
    for name in ("ops/blur.py", "core/files.py", "cli/main.py", "video/reader.py", path):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / path).write_text(text)
    assert list(broken_rules(tmp_path)) == []
