"""The verb that is the daemon: run."""

from worker.cli.opening import DEFAULT_CONFIG, ConfigPath
from worker.cli.rooms import room
from worker.daemon import life

app = room()


@app.command(epilog="Example: `worker run --config /etc/worker/config.toml`")
def run(config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Run the daemon until TERM or INT; a second one ends it at once. HUP reloads, USR1 tells its state to the log.

    It brings the database's schema up to date, makes up for missed ticks, then works until it is told to leave;
    what runs by then has `drain_timeout` to end.
    """
    life.run(config)
    life.leave()
