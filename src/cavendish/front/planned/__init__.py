"""Planned: runs from a saved plan: each picture by the route that the plan has for it, at no more than it says."""
