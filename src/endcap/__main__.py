"""`python -m endcap` is the command `endcap`."""

import sys

from endcap.cli.main import main

sys.exit(main())
