"""What all runs of a user share: small databases, a file each in the state folder or tables on a PostgreSQL server.

Quotas, caps and the book of spending live here. The ledger of a run does not: it stays in the run's own folder.
"""
