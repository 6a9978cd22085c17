"""All resources of a sandbox, each built when first asked for, and the steps by which they change."""

from collections.abc import Callable
from datetime import UTC, datetime

from worker.sandbox.data import tables
from worker.sandbox.table import Row, Table

MAIN = ("devices", "services", "orders", "employees", "incident", "cmdb_ci", "sys_user", "items")
EXTRA = ("order_lines", "u_plain", "sys_audit_delete", "sys_import_set")  # apart from churn, counted once built
_BARE = frozenset({"sys_audit_delete", "sys_import_set"})  # hold nothing at the start
_NEW_EVERY = 10  # of so many changes one is a new row ...
_STATUS_EVERY = 4  # ... one in so many touches the status ...
_REMARK_EVERY = 20  # ... and one in so many brings a field no row of the start has


class World:
    """The resources by name and the staging tables that the Import Set API fills; not safe for threads."""

    def __init__(self, seed: int, rows: int, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.now = now
        self._rows = rows
        self._empty = tables(seed, rows)
        self._tables: dict[str, Table] = {}
        self._steps: dict[str, int] = {}
        self._born: dict[str, list[str]] = {}  # keys of the rows made, in the order they came
        self._next: dict[str, int] = {}
        self._turn = 0
        self.staging: dict[str, Table] = {}

    def table(self, resource: str) -> Table:
        """Returns the resource's table, filled; raises KeyError for a name that is none."""
        found = self._tables.get(resource)
        if found is None:
            found, make = self._empty[resource]
            rows = [make(index) for index in range(0 if resource in _BARE else self._rows)]
            found.fill(rows)
            self._tables[resource] = found
            self._born[resource] = [str(row[found.key]) for row in rows]
        return found

    def any_table(self, name: str) -> Table:
        """Returns a resource's table or a staging table; raises KeyError when it is neither."""
        return self.staging[name] if name in self.staging else self.table(name)

    def columns(self, name: str) -> frozenset[str]:
        """Returns the fields of a resource, or those that the rows of a staging table have brought so far."""
        if name not in self.staging:
            return frozenset(self._empty[name][1](0))
        return frozenset(field for row in self.staging[name].all() for field in row)

    def counts(self) -> dict[str, int]:
        """Returns the number of rows of each resource and staging table; builds none for it."""
        counts = {name: len(self._tables[name]) if name in self._tables else self._rows for name in MAIN}
        counts |= {name: len(self._tables[name]) for name in EXTRA if name in self._tables}
        return counts | {name: len(table) for name, table in self.staging.items()}

    def names(self) -> list[str]:
        """Returns the names of all resources and staging tables."""
        return [*MAIN, *EXTRA, *self.staging]

    def knows(self, name: str) -> bool:
        """Tells whether there is a resource or a staging table of this name."""
        return name in self._empty or name in self.staging

    def fresh(self, resource: str) -> Row:
        """Returns a new row of a resource as the next step of churn would make it, not yet in its table."""
        table = self.table(resource)
        row = self._empty[resource][1](len(self._born[resource]))
        self._born[resource].append(str(row[table.key]))
        return row

    def churn(self, steps: int, resource: str | None = None) -> dict[str, int]:
        """Changes the next so many rows, of one resource or of each in turn, and returns how many of which.

        Raises KeyError for an unknown resource.
        """
        done: dict[str, int] = {}
        for _ in range(steps):
            name = resource or MAIN[self._turn % len(MAIN)]
            if resource is None:
                self._turn += 1
            self._step(name)
            done[name] = done.get(name, 0) + 1
        return done

    def _step(self, resource: str) -> None:
        table = self.table(resource)
        step = self._steps[resource] = self._steps.get(resource, 0) + 1
        old = None if step % _NEW_EVERY == 0 else self._turn_of(resource)
        row = self.fresh(resource) if old is None else _turned(old, step)
        table.put(row | self.stamped(table))

    def stamped(self, table: Table) -> Row:
        """Returns the member that tells a change now; none for a table without a stamp."""
        return {table.stamp: table.write_stamp(self.now())} if table.stamp else {}

    def _turn_of(self, resource: str) -> Row | None:
        """Returns the next row in the order they came, deleted ones passed over; None when there is none."""
        table, born = self._tables[resource], self._born[resource]
        for _ in born:
            place = self._next.get(resource, 0) % len(born)
            self._next[resource] = place + 1
            row = table.get(born[place])
            if row is not None:
                return row
        return None


def _turned(old: Row, step: int) -> Row:
    """Returns the row as the step changes it: its counter, sometimes the status, seldom a new field."""
    plain = "sys_id" in old  # ServiceNow-style: every value is text and the columns are fixed
    counter = next((name for name in ("sys_mod_count", "u_value") if name in old), "revision")
    count = int(str(old[counter])) + 1
    row = old | {counter: str(count) if plain else count}
    if step % _STATUS_EVERY == 0:
        name, value = ("state", str(1 + step % 3)) if plain else ("status", f"STEP{step % 3}")
        row |= {name: value} if name in old else {}
    if step % _REMARK_EVERY == 1 and not plain:
        row["remark"] = f"changed in step {step}"
    return row
