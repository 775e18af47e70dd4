"""`python -m bookend …`: the operator's one entry."""

import sys

from bookend.cli import main

sys.exit(main(sys.argv[1:]))
