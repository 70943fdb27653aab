"""``python -m glasshouse_loadgen``: as the command ``glasshouse-demo``."""

from glasshouse_loadgen.cli import main

if __name__ == "__main__":
    main()
