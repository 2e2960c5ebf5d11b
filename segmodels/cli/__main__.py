"""`python -m segmodels.cli`, which torchrun needs."""

from segmodels.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
