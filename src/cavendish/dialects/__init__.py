"""Wire formats, one each, in both directions: the client's half and the gateway's and simulator's.

Pure, and strangers to one another. Must not know addresses, keys, prices, files or clocks.
"""
