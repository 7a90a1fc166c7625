"""The gate: did a change make a method worse? Rules, a baseline and a verdict, from result folders alone.

    rules  -> what may change by how much        baseline -> what a method had          timing -> speed, against noise
    check  -> one verdict a method and rule      outputs  -> for people, CI and programs

No torch and no method is imported: the machine that judges need not be able to measure.
"""
