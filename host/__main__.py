"""`python -m host` is `tlsnic`."""

import sys

from host.cli import main

sys.exit(main())
