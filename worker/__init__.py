"""The daemon: schedules sync jobs, keeps credentials, records every call."""
