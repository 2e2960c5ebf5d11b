"""Evaluation: from an image to labels and counts; the reference path and the fast one beside it."""
