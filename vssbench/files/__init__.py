"""Files that a user names, read with care, and files that vssbench writes completely or not at all."""
