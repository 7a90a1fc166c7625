"""The gate: did a change make a method worse? Rules, a baseline and verdicts, from result folders alone.

    rules     what may change by how much            baseline               the accepted figures, and both sides' data
    check     from these to verdicts                 comparable, speed      what a verdict is based on
    verdict   one per method and rule, their report  text, junit, github    for people and for CI

Neither torch nor any method is imported: the machine that judges need not be able to measure.
"""
