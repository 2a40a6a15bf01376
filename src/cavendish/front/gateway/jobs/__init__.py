"""Jobs: what is made of each request, from its wish to its answer, whoever brought it. Knows no wire format."""
