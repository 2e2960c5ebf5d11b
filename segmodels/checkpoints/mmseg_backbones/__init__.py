"""From mmsegmentation's names of a backbone's tensors to ours; one file per backbone.

Each has ``renamed(tensors)``. It changes keys below ``backbone.`` and hands on all others.
"""
