"""What models can do, where they are served, what they cost and how long they live: dated data with a source.

Pure but for reading its own data files. Must not know clocks (the date is an argument), sockets or wire formats.
"""
