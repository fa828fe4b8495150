"""The README says what is so."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "upreel"
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_file_is_in_the_tree() -> None:
    tree = README.split("<!-- tree -->")[1].split("<!-- end of tree -->")[0]
    drawn = re.findall(r"── (\w+\.py) ", tree)
    names = [path.name for path in SOURCE.rglob("*.py")]
    packages = {path.parent for path in SOURCE.rglob("__init__.py")} - {SOURCE}
    expected = [*(name for name in names if name != "__init__.py"), "__init__.py"]
    assert sorted(drawn) == sorted(expected), "run: python scripts/draw_tree.py"
    for package in packages:
        assert f"── {package.name}/ " in tree, "run: python scripts/draw_tree.py"


def test_every_link_leads_somewhere() -> None:
    for document in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        text = (ROOT / document).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (ROOT / target).exists(), f"{document} points to {target}"
