"""PostgreSQL and Valkey from PyPI wheels, the two commands' machinery, and the demo company."""
