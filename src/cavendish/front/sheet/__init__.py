"""Contact sheets at work: several pictures of one prompt drawn as one, where a run was told so, and never otherwise."""
