"""``python -m glasshouse_traffic``: as the command ``glasshouse-demo``."""

from glasshouse_traffic.cli import main

if __name__ == "__main__":
    main()
