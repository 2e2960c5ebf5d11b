"""The ground all else stands on: files, settings, paths, locks. It knows no noun of the field."""
