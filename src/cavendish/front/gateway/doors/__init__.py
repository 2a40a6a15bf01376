"""The doors: one for each wire format that clients speak."""
