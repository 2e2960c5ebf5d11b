"""Robustness: what disturbed images or weights do to a number."""
