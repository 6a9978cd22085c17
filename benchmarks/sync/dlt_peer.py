"""dlt moves the same records, as its users would (`default`) or with all that made it faster (`tuned`).

Default is its declarative REST source with OAuth 2, offset paging and merge by key. Tuned reads with requests and
orjson, declares the columns, does not compress its work files, normalises in two processes, and loads CSV
(PostgreSQL) or Parquet (SQLite); `tuned append` also leaves the merge out. Runs in the peers' environment.
"""

import os
from collections.abc import Iterator
from typing import Any

from benchmarks.sync.data import CLIENT_ID, CLIENT_SECRET, KINDS, TABLE
from benchmarks.sync.spec import Spec, Told, Watch, perform

_TUNED = {
    "DATA_WRITER__DISABLE_COMPRESSION": "true",
    "NORMALIZE__WORKERS": "2",
    "SOURCES__DATA_WRITER__FILE_MAX_ITEMS": "50000",  # several files, so that both processes have work
    "EXTRACT__DATA_WRITER__FILE_MAX_ITEMS": "50000",
}
_KINDS = {"text": "text", "bigint": "bigint", "double precision": "double", "boolean": "bool"}


def work(spec: Spec) -> Told:
    """Runs one pipeline; dlt reads its settings from the environment."""
    tuned = spec.variant.startswith("tuned")
    os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL"} | (_TUNED if tuned else {})
    import dlt  # noqa: PLC0415  it reads the environment

    source = _tuned(dlt, spec) if tuned else _default(spec)
    pipeline = dlt.pipeline(
        "benchmark",
        pipelines_dir=f"{spec.folder}/dlt",
        destination=_destination(dlt, spec),
        dataset_name="main" if spec.sqlite else "public",
    )
    options = {"loader_file_format": "parquet" if spec.sqlite else "csv"} if tuned else {}
    watch = Watch()
    pipeline.run(source, **options)
    return watch.told()


def _destination(dlt: Any, spec: Spec) -> Any:  # noqa: ANN401  no types without the peers' environment
    if spec.sqlite:
        return dlt.destinations.sqlalchemy(credentials=spec.database)
    head, socket = spec.database.split("?host=")
    name = head.rpartition("/")[2]
    return dlt.destinations.postgres(credentials=f"postgresql://postgres:unused@{socket}:5432/{name}")


def _default(spec: Spec) -> Any:  # noqa: ANN401
    from dlt.sources.helpers.rest_client.auth import OAuth2ClientCredentials  # noqa: PLC0415
    from dlt.sources.rest_api import rest_api_source  # noqa: PLC0415

    auth = OAuth2ClientCredentials(
        access_token_url=f"{spec.url}/token",
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        access_token_request_data={"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
    )
    paginator = {"type": "offset", "limit": spec.size, "total_path": "total"}
    resource = {
        "name": TABLE,
        "primary_key": "id",
        "write_disposition": "merge",
        "endpoint": {"path": "devices", "data_selector": "items"},
    }
    client = {"base_url": f"{spec.url}/", "auth": auth, "paginator": paginator}
    return rest_api_source({"client": client, "resources": [resource]})


def _tuned(dlt: Any, spec: Spec) -> Any:  # noqa: ANN401
    import orjson  # noqa: PLC0415
    import requests  # noqa: PLC0415

    def pages() -> Iterator[list[dict[str, Any]]]:
        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        with requests.Session() as session:
            token = session.post(f"{spec.url}/token", data=form, timeout=60).json()["access_token"]
            session.headers["Authorization"] = f"Bearer {token}"
            for offset in range(0, spec.rows, spec.size):
                answer = session.get(f"{spec.url}/devices?offset={offset}&limit={spec.size}", timeout=60)
                answer.raise_for_status()
                yield orjson.loads(answer.content)["items"]

    return dlt.resource(
        pages,
        name=TABLE,
        primary_key="id",
        write_disposition="append" if "append" in spec.variant else "merge",
        columns={name: {"data_type": _KINDS.get(kind, "timestamp")} for name, kind in KINDS.items()},
        max_table_nesting=0,
    )


if __name__ == "__main__":
    perform(work)
