"""Figures over time: which run changed them, according to the gate's tests.

runs   date, commit and place of each run                 lines   a method's figure from run to run, judged
plot   one figure, a line per method and machine          text    the changes as Markdown, the numbers as a table
page   plots and changes in one HTML file                 write   all of them in a folder
"""
