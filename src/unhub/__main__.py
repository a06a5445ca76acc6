"""``python -m unhub`` is ``unhub``."""

import sys

from unhub.cli.main import main

sys.exit(main())
