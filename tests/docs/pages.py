"""What the tests of the documents share: blocks and tables of a page, and examples made whole."""

import re
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from datetime import date, time
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).parents[2]

SURROUNDINGS = """
[vault]
keys = { file = "worker.keys" }

[databases.warehouse]
url = "sqlite:///warehouse.db"

[accounts.tangoe]
profile = "tangoe"
base_url = "https://api.example.com/mobproc/v1"
tenant = "XYZ"
client_id = "me"
client_secret = { env = "SECRET" }
grant = "password"
accept_password_grant = true
username = "command://svc-sync"
password = { env = "SECRET" }

[accounts.servicenow]
profile = "servicenow"
base_url = "https://example.service-now.com"
client_id = "me"
client_secret = { env = "SECRET" }

[accounts.erp]
base_url = "https://erp.example.com"
grant = "api_key"
api_key = { env = "SECRET" }
act_for_headers = { employee_id = "X-On-Behalf-Of" }

[accounts.crm]
base_url = "https://crm.example.com"
grant = "api_key"
api_key = { env = "SECRET" }
act_for_headers = { employee_id = "X-On-Behalf-Of" }
"""

_LEFT_OUT: dict[str, Any] = {
    "type": "sync",
    "source": {"account": "erp", "path": "/v2/orders"},
    "destination": {"table": "things", "key": "id"},
}

Tables = list[dict[str, str]]


def page(name: str) -> str:
    """Returns a document's text."""
    return (ROOT / name).read_text()


def blocks(name: str, language: str) -> list[str]:
    """Returns a document's examples in a language, in their order."""
    return re.findall(rf"```{language}\n(.*?)```", page(name), re.DOTALL)


def tables(name: str) -> dict[str, Tables]:
    """Returns a document's tables by the section that they stand in and their first heading: rows by heading."""
    found: dict[str, Tables] = {}
    section, names = "", list[str]()
    for line in page(name).splitlines():
        if match := re.match(r"#+ (.*)", line):
            section, names = match[1], []
        elif not line.startswith("| "):
            names = []
        elif cells := [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]:
            if not names:
                names = cells
            elif not cells[0].startswith("---"):
                place = f"{section}: {names[0]}".replace("`", "")
                found.setdefault(place, []).append(dict(zip(names, cells, strict=True)))
    return found


def whole(example: str) -> str:
    """Returns an example as a configuration that can be loaded: with accounts, and with what its jobs leave out."""
    document: dict[str, Any] = tomllib.loads(example)
    if "vault" in document:
        return example
    for job in document.get("jobs", {}).values():
        left_out = deepcopy(_LEFT_OUT) if job.get("type", "sync") == "sync" else {}
        for key, value in left_out.items():
            job.setdefault(key, value)
    return SURROUNDINGS + "".join(
        f"\n[{section}.{name}]\n{_lines(table)}" for section, named in document.items() for name, table in named.items()
    )


def written(value: object) -> str:
    """Returns a value as TOML."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(key)} = {written(part)}' for key, part in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, date | time):
        return value.isoformat()
    return orjson.dumps(value).decode()


def _lines(table: Mapping[str, object]) -> str:
    return "".join(f"{_key(key)} = {written(value)}\n" for key, value in table.items())


def _key(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else orjson.dumps(name).decode()
