"""`python -m timbrel` is `timbrel`."""

from timbrel.cli.main import main

main()
