"""`python -m kerasreg` is the command `kerasreg`."""

import sys

from kerasreg.cli import main

sys.exit(main())
