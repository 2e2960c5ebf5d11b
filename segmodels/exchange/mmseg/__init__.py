"""mmsegmentation's model zoo, read from its package as claims and weights of this project."""
