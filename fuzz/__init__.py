"""Files that mean harm, made by the thousand: see `python -m fuzz --help`."""
