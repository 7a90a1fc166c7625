"""Files that a user names, which are read with care, and files that vssbench writes completely or not at all."""
