"""Databases that jobs may read and write: any that SQLAlchemy has a dialect and this machine a driver for."""

import sqlalchemy as sa

from worker.model.urls import holds_password

_OURS = {"sqlite": "pysqlite", "postgresql": "psycopg"}  # the only drivers that the worker's bulk paths know
_DIALECTS = {  # of those that SQLAlchemy does not bring along: the package on PyPI
    "awsathena": "PyAthena[SQLAlchemy]",
    "bigquery": "sqlalchemy-bigquery",
    "clickhouse": "clickhouse-sqlalchemy",
    "cockroachdb": "sqlalchemy-cockroachdb",
    "databricks": "databricks-sqlalchemy",
    "db2": "ibm_db_sa",
    "duckdb": "duckdb-engine",
    "firebird": "sqlalchemy-firebird",
    "hana": "sqlalchemy-hana",
    "redshift": "sqlalchemy-redshift",
    "snowflake": "snowflake-sqlalchemy",
    "teradatasql": "teradatasqlalchemy",
    "trino": "trino[sqlalchemy]",
}
_DRIVERS = {"MySQLdb": "mysqlclient", "mysql": "mysql-connector-python", "psycopg2": "psycopg2-binary"}


def any_database_url(url: str) -> str:
    """Returns a database's URL; raises ValueError where no driver for it is installed, naming the package."""
    parsed = _parsed(url)
    if parsed.password is not None or holds_password(url):
        raise ValueError('the URL holds a password: take it out and write password = { env = "NAME" } beside it')
    kind = parsed.get_backend_name()
    own = _OURS.get(kind)
    if own and parsed.drivername not in (kind, f"{kind}+{own}"):
        raise ValueError(f"expected {kind}://, found {parsed.drivername}://: the driver for {kind} is {own}")
    if own is None:
        _check_driver(parsed)
    return url


def _parsed(url: str) -> sa.URL:
    try:
        return sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise ValueError(
            "expected a URL of SQLAlchemy such as sqlite:///file.db, postgresql://user@host/name or "
            "mysql+pymysql://user@host/name, found none that can be read"
        ) from None  # the library's error holds the whole text


def _check_driver(url: sa.URL) -> None:
    try:
        dialect = url.get_dialect()
        dialect.import_dbapi()
    except sa.exc.NoSuchModuleError:
        raise ValueError(_unknown(url)) from None
    except ImportError as error:
        module = (error.name or url.get_driver_name()).partition(".")[0]
        package = _DRIVERS.get(module, module)
        raise ValueError(
            f"{url.drivername} needs the driver {module}, which is not installed: pip install {package}"
        ) from None
    if dialect.is_async:
        raise ValueError(f"{url.drivername} is a driver for asynchronous programs; name another, which is not")


def _unknown(url: sa.URL) -> str:
    package = _DIALECTS.get(url.get_backend_name())
    if package:
        return f"{url.drivername} needs a package that is not installed: pip install {package}"
    return (
        f"expected sqlite, postgresql, mysql, mariadb, mssql, oracle or another database that an installed package of "
        f"SQLAlchemy knows, found {url.drivername}"
    )
