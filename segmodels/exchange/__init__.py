"""Exchange: other people's lists of results read as claims, and the board in others' shapes."""
