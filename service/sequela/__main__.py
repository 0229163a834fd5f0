"""`python -m sequela` is `sequela serve`."""

import sys

from sequela.main import main

sys.exit(main())
