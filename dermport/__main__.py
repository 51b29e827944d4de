"""``python -m dermport``: the command line."""

from dermport.cli.main import main

main()
