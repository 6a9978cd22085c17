"""The daemon's life: start order, signals, reload, drain."""
