"""`python -m upreel`: the same as the command `upreel`."""

from __future__ import annotations

import sys

from upreel.cli import main

sys.exit(main())
