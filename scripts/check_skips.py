"""Print every test that was skipped and why; fail on one that the committed list does not know.

`python scripts/check_skips.py SKIPS.txt REPORT.xml...`, the reports from pytest's `--junitxml`.
A line of the list is `TEST | REASON`, both with `*` for anything; TEST is written as in the
report, `tests.video.test_reader.test_name`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from xml.etree import ElementTree


def read_skips(report: Path) -> Iterator[tuple[str, str]]:
    """The name and the reason of each skipped test (and of each expected failure)."""
    for case in ElementTree.parse(report).iter("testcase"):
        for skip in case.iter("skipped"):
            name = ".".join(filter(None, (case.get("classname"), case.get("name"))))
            yield name, " ".join((skip.get("message") or "").split())


def main(known: Path, reports: list[Path]) -> int:
    """Returns the exit status."""
    lines = [line.strip() for line in known.read_text().splitlines()]
    patterns = [
        tuple(part.strip() for part in line.split("|", 1))
        for line in lines
        if line and not line.startswith("#")
    ]
    unknown = 0
    for name, reason in (skip for report in reports for skip in read_skips(report)):
        is_known = any(
            fnmatchcase(name, test) and fnmatchcase(reason, why) for test, why in patterns
        )
        unknown += not is_known
        print(f"skipped{'' if is_known else ', not on the list'}: {name}: {reason}")
    if unknown:
        print(
            f"ci: expected skips of {known} only, found {unknown} other: run the test, or list it"
        )
    return int(unknown > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]))
