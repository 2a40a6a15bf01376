"""Sheets: a large picture that was drawn as a grid, cut into the pictures that its cells are.

Knows nothing of prompts, prices or models: those are ``plan.sheet``.
"""
