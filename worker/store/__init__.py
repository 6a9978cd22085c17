"""The database, one file per table; sees sealed bytes only."""
