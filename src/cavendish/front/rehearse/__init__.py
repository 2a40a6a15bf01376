"""Rehearse: plays of a run on the virtual clock, before anything is bought: how long, how dear, what it would meet."""
