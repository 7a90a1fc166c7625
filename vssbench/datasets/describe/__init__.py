"""Create the description of a folder: which images and masks pair, what the masks hold, and what remains unknown.

`tree` finds the pictures, `pictures` tells frames from masks, `series` finds the patterns of their paths, `pairs`
matches frames with masks, `meaning` reads a sample of the masks, `tables` and `splits` read the files next to
them, `classes` draws the conclusions, `write` makes the YAML.
"""
