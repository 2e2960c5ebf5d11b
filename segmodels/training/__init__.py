"""Training: one loop that can be read aloud, and its parts."""
