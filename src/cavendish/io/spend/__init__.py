"""What all runs of a user spent, and the caps on it: one book for all processes, and on a server for all machines.

The ledger of a run is the truth about the run. The book holds sums that can be made from ledgers again, and what runs
at work have set aside. It knows nothing of engines, routes or providers.
"""
