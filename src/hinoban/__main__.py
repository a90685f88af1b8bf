"""`python -m hinoban` is the command `hinoban`."""

from hinoban.cli.main import main

main()
