"""`python -m segmodels`: the command line."""

from segmodels.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
