"""The governor: when the next call may leave, so that no provider has to say "too many".

Knows limits, windows, spend, back-off and what a fault teaches about them. Time and dice come in as arguments. Must not
know clocks, sockets, files, event loops, slots or wire formats.
"""
