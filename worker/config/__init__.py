"""TOML to options; names the wrong key, its file and its line."""
