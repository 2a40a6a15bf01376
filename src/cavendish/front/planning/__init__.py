"""Planning: an input read, every route to it priced and timed, the best split found, told, and kept in a file.

The arithmetic is in ``plan``: here are the keys, tiers, files and words around it. Must make no call.
"""
