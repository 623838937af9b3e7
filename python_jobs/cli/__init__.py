"""The command line: `shelfcast --help`."""
