"""Operation: what those who run a gateway see of it, and what keeps it from being abused."""
