"""Known APIs described as data, one TOML file each."""
