"""``python -m tollkeeper.demo``."""

from tollkeeper.demo.main import main

if __name__ == "__main__":
    main()
