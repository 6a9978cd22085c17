"""The demo's folder: a configuration as a user would write it, secrets in files of their own, a key ring."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from jobs.contract import WorkerError
from worker.vault.keyring import create

_MARK = "# written by `worker demo`; change it, keep it, or delete the folder\n"

_CONFIG = """\
include = ["jobs.d/*.toml"]

[worker]
name = "demo"
drain_timeout = "10s"

[database]
url = "sqlite:///worker.db"

[vault]
keys = {{ file = "worker.keys" }}

[log]
format = "json"
file = "worker.log"

[accounts.tangoe]                # RFC 9700 forbids the password grant; the API this imitates offers no other
profile = "tangoe"
base_url = "{url}/mobproc/v1"
token_url = "{url}/as/token.oauth2"
tenant = "{tangoe tenant}"
client_id = "{tangoe client_id}"
client_secret = {{ file = "secrets/tangoe_client_secret" }}
grant = "password"
accept_password_grant = true
username = "{tangoe username}"
password = {{ file = "secrets/tangoe_password" }}

[accounts.servicenow]
profile = "servicenow"
base_url = "{url}"
grant = "client_credentials"
client_id = "{servicenow client_id}"
client_secret = {{ file = "secrets/servicenow_client_secret" }}
"""

_TANGOE_JOBS = """\
[jobs.tangoe-devices]
type = "sync"
schedule = { every = "3s" }
source = { account = "tangoe", resource = "devices" }
destination = { table = "tangoe_devices" }

[jobs.tangoe-orders]
type = "sync"
schedule = { every = "4s" }
source = { account = "tangoe", resource = "orders" }
destination = { table = "tangoe_orders" }

[jobs.tangoe-employees]          # runs whenever tangoe-devices has succeeded
type = "sync"
schedule = { after = ["tangoe-devices"] }
source = { account = "tangoe", resource = "employees" }
destination = { table = "tangoe_employees" }
"""

_SERVICENOW_JOBS = """\
[jobs.servicenow-incidents]
type = "sync"
schedule = { every = "5s" }
source = { account = "servicenow", resource = "table/incident" }
destination = { table = "servicenow_incidents" }
"""

BACK, STAGING = "tangoe-to-servicenow", "u_tangoe_devices"
_BACK_JOB = """\
[jobs.tangoe-to-servicenow]      # from one API through a table to the other; rows that it refuses become rejects
type = "sync"
schedule = { after = ["tangoe-devices"] }
max_rejects = 10
source = { table = "tangoe_devices", changed_only = true }

[jobs.tangoe-to-servicenow.map]
u_id = "id"
u_serial = "serialNumber"
u_carrier = "carrier"
u_user = "employee.email"
u_cost = { from = "cost", type = "decimal" }
u_updated = "updated"

[jobs.tangoe-to-servicenow.destination]
account = "servicenow"
resource = "import_set/u_tangoe_devices"
key = "u_serial"
parallel = 4
"""

TABLES = {  # table: what the sandbox calls the resource, its key, its time of change
    "tangoe_devices": ("devices", "id", "updated"),
    "tangoe_orders": ("orders", "id", "updated"),
    "tangoe_employees": ("employees", "id", "updated"),
    "servicenow_incidents": ("incident", "sys_id", "sys_updated_on"),
}

_SECRETS = ("tangoe client_secret", "tangoe password", "servicenow client_secret")


def write(folder: Path, far_end: Mapping[str, str]) -> Path:
    """Writes the folder anew and returns its configuration's path; `far_end` is what `worker sandbox --json` told.

    Raises WorkerError where the folder cannot be written or holds something that no demo wrote.
    """
    try:
        return _write(folder, far_end)
    except OSError as error:
        raise WorkerError(f"{folder} cannot be written ({error.strerror}); name another one with --folder") from None


def _write(folder: Path, far_end: Mapping[str, str]) -> Path:
    config = folder / "config.toml"
    if folder.exists() and any(folder.iterdir()):
        if not config.exists() or not config.read_text().startswith(_MARK):
            raise WorkerError(f"{folder} holds files that no demo wrote; name another folder with --folder")
        shutil.rmtree(folder)
    for part in (folder, folder / "jobs.d", folder / "secrets"):
        part.mkdir(mode=0o700, parents=True, exist_ok=True)
    config.write_text(_MARK + _CONFIG.format_map(dict(far_end)))
    (folder / "jobs.d" / "tangoe.toml").write_text(_TANGOE_JOBS)
    (folder / "jobs.d" / "servicenow.toml").write_text(_SERVICENOW_JOBS)
    (folder / "jobs.d" / "there_and_back.toml").write_text(_BACK_JOB)
    for name in _SECRETS:
        file = folder / "secrets" / name.replace(" ", "_")
        file.touch(mode=0o600)
        file.write_text(far_end[name] + "\n")
    create(folder / "worker.keys")
    return config
