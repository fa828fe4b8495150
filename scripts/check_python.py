"""Say in one line why a virtual environment cannot be made with this Python; silent if it can.

Runs under the Python that is being judged, however old: nothing here may need a newer one.
"""

# ruff: noqa: UP031, UP036
import sys

if sys.version_info < (3, 11):
    sys.exit(
        "upreel: expected Python 3.11 or newer, found %d.%d at %s: name another one, for example "
        "make PYTHON=python3.12" % (sys.version_info[0], sys.version_info[1], sys.executable)
    )
try:
    import ensurepip  # noqa: F401  (Debian and Ubuntu leave it out of python3)
    import venv  # noqa: F401
except ImportError:
    sys.exit(
        "upreel: expected Python's venv module, found a %s without it: install it "
        "(Debian, Ubuntu: sudo apt install python3-venv) and run make again" % sys.executable
    )
