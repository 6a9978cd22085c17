"""The rows of the Table API as ServiceNow stores them: every value is text, a reference is a sys_id."""

from worker.sandbox.seeds import MODELS, guid, mixed, moment, person, pick, salt_of
from worker.sandbox.table import PLAIN, Row

TOPICS = ("VPN drops", "Printer is offline", "Password reset", "Mailbox is full", "Laptop will not start")


class ServicenowRows:
    """Makes the index-th row of each table for one seed; `people` bounds the rows that others refer to."""

    def __init__(self, seed: int, people: int) -> None:
        self._people = people
        self._salts = {name: salt_of(seed, name) for name in ("incident", "cmdb_ci", "sys_user", "u_plain")}

    def incident(self, index: int) -> Row:
        """Returns an incident as the Table API stores it: every value a string, references as sys_id."""
        salt = self._salts["incident"]
        bits = mixed(salt, index)
        stamp = moment(salt, index, PLAIN)
        state = pick(("1", "2", "3", "6", "7"), bits)
        return {
            "sys_id": guid(salt, index),
            "number": f"INC{index + 10_000:07d}",
            "short_description": f"{pick(TOPICS, bits >> 3)} ({bits % 1000})",
            "state": state,
            "priority": str(1 + (bits >> 7) % 5),
            "impact": str(1 + (bits >> 9) % 3),
            "urgency": str(1 + (bits >> 11) % 3),
            "active": "false" if state == "7" else "true",
            "category": pick(("software", "hardware", "network", ""), bits >> 13),
            "caller_id": guid(self._salts["sys_user"], bits % self._people),
            "assigned_to": guid(self._salts["sys_user"], (bits >> 17) % self._people) if bits >> 15 & 3 else "",
            "cmdb_ci": guid(self._salts["cmdb_ci"], (bits >> 21) % self._people),
            "opened_at": stamp.replace("2025", "2024"),
            "closed_at": stamp if state == "7" else "",
            **_system_fields(stamp),
        }

    def cmdb_ci(self, index: int) -> Row:
        """Returns a configuration item as the Table API stores it."""
        salt = self._salts["cmdb_ci"]
        bits = mixed(salt, index)
        maker, model = MODELS[bits % len(MODELS)]
        return {
            "sys_id": guid(salt, index),
            "name": f"{model} {index}",
            "asset_tag": f"P{100_000 + index}",
            "serial_number": f"SN{bits >> 24:010X}",
            "manufacturer": maker,
            "install_status": pick(("1", "2", "7"), bits >> 6),
            "operational_status": pick(("1", "2"), bits >> 8),
            "sys_class_name": pick(("cmdb_ci_computer", "cmdb_ci_handheld_computing"), bits >> 10),
            "assigned_to": guid(self._salts["sys_user"], (bits >> 17) % self._people),
            "ip_address": f"10.{bits >> 20 & 255}.{bits >> 28 & 255}.{bits >> 36 & 255}",
            "cost": f"{(bits >> 16) % 300_000 / 100:.2f}",
            "discovery_source": "",
            **_system_fields(moment(salt, index, PLAIN)),
        }

    def sys_user(self, index: int) -> Row:
        """Returns a user as the Table API stores it."""
        salt = self._salts["sys_user"]
        bits = mixed(salt, index)
        first, last, email = person(index)
        return {
            "sys_id": guid(salt, index),
            "user_name": f"person{index}",
            "first_name": first,
            "last_name": last,
            "name": f"{first} {last}",
            "email": email,
            "title": pick(("Engineer", "Analyst", "Manager", ""), bits >> 4),
            "employee_number": f"{index:08d}",
            "active": "true" if bits >> 11 & 15 else "false",
            "locked_out": "false",
            "manager": guid(salt, bits % self._people) if bits >> 8 & 7 else "",
            "time_zone": pick(("GMT", "Europe/Berlin", "US/Pacific", ""), bits >> 15),
            **_system_fields(moment(salt, index, PLAIN)),
        }

    def u_plain(self, index: int) -> Row:
        """Returns a row of a table that does not tell when its rows changed."""
        salt = self._salts["u_plain"]
        bits = mixed(salt, index)
        return {"sys_id": guid(salt, index), "u_name": f"plain {index}", "u_value": str(bits % 1000), "state": "1"}

    def sys_audit_delete(self, _index: int) -> Row:
        """Returns the columns of the record of a deletion."""
        names = ("sys_id", "tablename", "documentkey", "display_value", "sys_created_on", "sys_created_by")
        return dict.fromkeys(names, "")

    def sys_import_set(self, _index: int) -> Row:
        """Returns the columns of an import set."""
        names = ("sys_id", "number", "state", "table_name", "multi_import_set", "run_after", *_system_fields(""))
        return dict.fromkeys(names, "")


def _system_fields(stamp: str) -> Row:
    return {
        "sys_created_on": stamp.replace("2025", "2024"),
        "sys_created_by": "admin",
        "sys_updated_on": stamp,
        "sys_updated_by": "admin",
        "sys_mod_count": "0",
    }
