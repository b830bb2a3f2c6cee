"""``python -m server`` is ``tongping``."""

from server.cli import main

if __name__ == "__main__":
    main()
