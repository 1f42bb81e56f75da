"""`python -m loam_trainer`, as torchrun starts it."""

import sys

from .cli import main

sys.exit(main())
