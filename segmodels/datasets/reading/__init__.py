"""What the readers of datasets share: folders, archives, label encodings."""
