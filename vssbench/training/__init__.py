"""Training: the code that all recipes share. Recipes are next to their networks, methods/<method>/recipe.py.

recipe    the interface of recipes: examples, losses, parameter groups, the files to write
clips     random access to labelled frames
augment   transformations of frames before they become an example
loop      steps, precision, several devices, the log, validation, resume
folder    the folder of one training: state, log, weights
"""
