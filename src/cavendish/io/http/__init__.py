"""HTTP to providers: one exchange per call, bodies streamed both ways, every failure a ``Fault``. No retries.

Must not know models, prices, quotas or what any body means.
"""
