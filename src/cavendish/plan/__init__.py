"""What will be done, what it will cost and when it will be finished: computed before a call leaves.

Pure. Must not know clocks (a time is an argument), files, sockets, wire formats or the governor.
"""
