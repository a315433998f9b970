"""`python -m refkube`."""

from refkube.cli import main

if __name__ == "__main__":
    main()
