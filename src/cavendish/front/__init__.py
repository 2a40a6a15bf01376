"""The ways in: the command line, the Python clients, and the composition root that they share."""
