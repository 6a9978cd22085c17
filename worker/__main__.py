"""`python -m worker`: the command line, where the command `worker` is not on the path."""

from worker.cli.app import main

if __name__ == "__main__":
    main()
