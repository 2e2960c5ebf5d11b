"""Verdicts: a claim, evidence and rules say whether a number holds. No HTML here, and no torch."""
