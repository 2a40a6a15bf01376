"""Keys at work: who comes in at the gateway, what each may ask for, and how much. Knows no wire format."""
