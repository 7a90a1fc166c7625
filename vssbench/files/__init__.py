"""Files that a user names, read with care, and files that vssbench writes whole or not at all."""
