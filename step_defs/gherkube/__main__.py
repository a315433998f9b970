"""`python -m gherkube` is the command `gherkube`."""

from gherkube.cli import main

if __name__ == "__main__":
    main()
