"""The gate: did a change make a method worse? Rules, a baseline and verdicts, from result folders alone.

    rules     what may change by how much          baseline  the accepted figures, and the two sides of a comparison
    check     from them to verdicts                conditions, timing, paired  what a verdict rests on
    verdict   one per method and rule, their report  wording, table, junit, github  for people and for CI

Neither torch nor any method is imported: the machine that judges need not be able to measure.
"""
