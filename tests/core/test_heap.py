from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import resource, sys
from upreel.core.heap import keep_freed_memory
if "keep" in sys.argv and not keep_freed_memory():
    sys.exit("not here")
faults = []
for _ in range(4):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = b"1" * 40_000_000
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    del block
print(min(faults))
"""


def count_faults(*arguments: str) -> int:
    """Pages that the system had to provide for a block of 40 MB when there was one before."""
    command = [sys.executable, "-c", _PROGRAM, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.stderr.strip() == "not here":
        pytest.skip("the allocator of this system is not glibc's")
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
def test_memory_that_is_freed_is_used_again() -> None:
    assert count_faults("keep") < 100
    assert count_faults() > 1000
