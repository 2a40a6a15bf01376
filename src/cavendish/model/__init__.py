"""The nouns: frozen values that every other part speaks in.

Must not know files, sockets, clocks, dice, providers or wire formats.
"""
