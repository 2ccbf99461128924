"""``python -m tollkeeper``: the command line."""

from tollkeeper.cli import main

if __name__ == "__main__":
    main()
