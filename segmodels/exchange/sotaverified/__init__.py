"""SOTAVerified's interface: the board in its shape, and a paper's JSON as claims.

What is known of the interface is the shape of a paper (`docs/sotaverified.md`); nothing is sent.
"""
