"""From a folder to its description: which images and masks pair, what the masks hold, and what nobody could know.

`tree` finds the pictures, `pictures` tells frames from masks, `series` finds the patterns that they lie in, `pairs`
puts frames and masks together, `meaning` reads a sample of the masks, `tables` and `splits` read the files next to
them, `classes` draws the conclusions, `write` makes the YAML.
"""
