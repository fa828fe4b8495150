"""Draw the package's tree into README.md, each file with the first line of its docstring.

`python scripts/draw_tree.py` rewrites what is between the two markers; a test fails when it is old.
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- tree -->", "<!-- end of tree -->"
ROWS = (
    ("__init__.py", "__main__.py"),
    ("errors.py", "core"),
    ("ops",),
    ("video", "scans", "models"),
    ("losses", "metrics"),
    ("inference", "data"),
    ("evaluation",),
    ("training",),
    ("farm",),
    ("cli",),
)
"""The package's face, then its parts from the lowest layer to the highest."""


def read_caption(path: Path) -> str:
    """The first line of a module's docstring, without the full stop."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].rstrip(".:")


def draw_folder(folder: Path, indent: str = "") -> list[str]:
    """The lines of one package: its files, in the order of their names, then packages in it."""
    caption = read_caption(folder / "__init__.py") if (folder / "__init__.py").exists() else ""
    lines = [f"{indent}├── {folder.name + '/':<{25 - len(indent)}} {caption}".rstrip()]
    files = [path for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]
    inner = [path.parent for path in sorted(folder.glob("*/__init__.py"))]
    indent += "│   "
    for path in files:
        bend = "└──" if path == files[-1] and not inner else "├──"
        lines.append(f"{indent}{bend} {path.name:<{25 - len(indent)}} {read_caption(path)}")
    for package in inner:
        lines += draw_folder(package, indent)
    return lines


def draw(source: Path) -> str:
    """The whole tree, bottom layer first, as a block of Markdown."""
    lines = ["src/upreel/"]
    for path in (source / name for row in ROWS for name in row):
        if path.suffix:
            lines.append(f"├── {path.name:<25} {read_caption(path)}")
        elif any(path.glob("*.py")):
            lines += draw_folder(path)
    lines += [
        f"├── {'recipes/':<25} How the networks were trained, for upreel train",
        f"├── {'weights/':<25} The networks that ship, and their manifest",
        f"└── {'sample/':<25} The clip of `make demo`, and where its pictures come from",
    ]
    return "\n".join(["```text", *lines, "```"])


def main() -> None:
    """Rewrite the README."""
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    tree = draw(ROOT / "src" / "upreel")
    readme.write_text(f"{before}{BEGIN}\n{tree}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
