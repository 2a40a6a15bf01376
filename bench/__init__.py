"""Benchmarks: what Cavendish costs beside what others do, as ratios of one run on one machine.

``python -m bench [NAME ...] [--quick] [--record]``. Never part of the tests' verdict: only that they run is tested.
"""
