"""Transit: bytes in and out over HTTP, pictures on the disk and never whole in memory."""
