"""The rows a sandbox starts with: each is a pure function of seed, resource and index, so two starts agree."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from worker.sandbox.table import MICROSECONDS, PLAIN, SECONDS, Row, Table

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)  # rows of the start were last changed in the year that begins here
_YEAR_S = 365 * 86400
_MASK = (1 << 64) - 1
_TIED = 3  # rows in a row that share a stamp: real servers tie, and readers must bear it

FIRST = (
    "Ada",
    "Björn",
    "Chloé",
    "Dmitri",
    "Emeka",
    "Fatima",
    "Grace",
    "Hiroshi",
    "Ines",
    "Jane",
    "Kofi",
    "Lena",
)
LAST = (
    "Abbott",
    "Brandt",
    "Cruz",
    "Dubois",
    "Eze",
    "Fischer",
    "García",
    "Hughes",
    "Ito",
    "Jensen",
    "O'Neill",
)
MODELS = (("Apple", "iPhone 15"), ("Samsung", "Galaxy S24"), ("Google", "Pixel 8"), ("Lenovo", "ThinkPad X1"))
CARRIERS = ("Verizon", "T-Mobile", "AT&T", "Vodafone", "Telekom")
STATUSES = ("ACTIVE", "ORDERED", "SUSPENDED", "RETIRED")
ORDER_STATUSES = ("SUBMITTED", "APPROVED", "SHIPPED", "COMPLETED", "CANCELLED")
TOPICS = ("VPN drops", "Printer is offline", "Password reset", "Mailbox is full", "Laptop will not start")


def mixed(salt: int, index: int) -> int:
    """Returns 64 well-mixed bits for an index (the finaliser of splitmix64)."""
    bits = (salt + index * 0x9E3779B97F4A7C15) & _MASK
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _MASK
    return bits ^ (bits >> 31)


def salt_of(seed: int, resource: str) -> int:
    """Returns the number that tells the rows of one seed and resource from all others."""
    return int.from_bytes(blake2b(f"{seed}:{resource}".encode(), digest_size=8).digest(), "big")


def guid(salt: int, index: int) -> str:
    """Returns a 32-digit hexadecimal id, unique per index: the first half alone is a bijection of it."""
    return f"{mixed(salt, index):016x}{mixed(salt ^ _MASK, index):016x}"


def person(index: int) -> tuple[str, str, str]:
    """Returns first name, last name and e-mail address of the index-th employee."""
    return FIRST[index % len(FIRST)], LAST[index // len(FIRST) % len(LAST)], f"person{index}@example.com"


def _pick(options: Sequence[str], bits: int) -> str:
    return options[bits % len(options)]


def _moment(salt: int, index: int, form: str) -> str:
    bits = mixed(salt ^ 0x5A, index // _TIED)
    at = BEGIN + timedelta(seconds=bits % _YEAR_S, microseconds=bits >> 44 if form == MICROSECONDS else 0)
    return at.strftime(form)


class Makers:
    """Makes the index-th row of each resource for one seed; `rows` bounds the people rows refer to."""

    def __init__(self, seed: int, rows: int) -> None:
        self._people = max(rows, 1)
        names = ("devices", "services", "orders", "employees", "incident", "cmdb_ci", "sys_user", "items")
        self._salts = {name: salt_of(seed, name) for name in names}

    def _holder(self, index: int) -> Row:
        first, last, email = person(index)
        return {"id": f"EMP{index:08d}", "email": email, "name": f"{first} {last}"}

    def devices(self, index: int) -> Row:
        """Returns a device: microsecond stamps, a nested holder, money as a number, some nulls."""
        salt = self._salts["devices"]
        bits = mixed(salt, index)
        maker, model = MODELS[bits % len(MODELS)]
        return {
            "id": f"DEV{index:08d}",
            "serialNumber": f"SN{bits >> 24:010X}",
            "imei": f"{bits % 10**15:015d}" if maker != "Lenovo" else None,
            "manufacturer": maker,
            "model": model,
            "status": _pick(STATUSES, bits >> 8),
            "carrier": _pick(CARRIERS, bits >> 12),
            "phoneNumber": f"+1{2_000_000_000 + (bits >> 5) % 7_999_999_999}",
            "cost": (bits >> 16) % 200_000 / 100,
            "storageGb": 64 << (bits >> 20) % 4,
            "byod": bits >> 33 & 7 == 0,
            "employee": self._holder(bits % self._people) if bits >> 40 & 15 else None,
            "purchased": _moment(salt, index, MICROSECONDS)[:10],
            "revision": 0,
            "updated": _moment(salt, index, MICROSECONDS),
        }

    def services(self, index: int) -> Row:
        """Returns a line of service: second stamps, a list of features."""
        salt = self._salts["services"]
        bits = mixed(salt, index)
        return {
            "id": f"SVC{index:08d}",
            "phoneNumber": f"+49{1_500_000_000 + bits % 400_000_000}",
            "carrier": _pick(CARRIERS, bits >> 7),
            "plan": {
                "id": f"PLN{bits % 12:03d}",
                "name": f"Business {1 + bits % 12}",
                "dataGb": 1 + bits % 12,
            },
            "status": _pick(STATUSES, bits >> 11),
            "monthlyCost": (bits >> 16) % 9_000 / 100,
            "currency": "EUR" if bits >> 20 & 1 else "USD",
            "roaming": bool(bits >> 21 & 1),
            "features": ["voice", "data", "sms"][: 1 + bits % 3],
            "deviceId": f"DEV{bits % self._people:08d}",
            "employee": self._holder(bits % self._people),
            "contractEnd": None if bits >> 30 & 3 == 0 else f"2027-{1 + bits % 12:02d}-28",
            "costCenter": f"{1000 + (bits >> 34) % 90}",
            "revision": 0,
            "updated": _moment(salt, index, SECONDS),
        }

    def orders(self, index: int) -> Row:
        """Returns an order: second stamps, nested requester and lines."""
        salt = self._salts["orders"]
        bits = mixed(salt, index)
        quantity = 1 + bits % 5
        price = (bits >> 16) % 150_000 / 100
        maker, model = MODELS[bits % len(MODELS)]
        return {
            "id": f"ORD{index:08d}",
            "externalOrderNumber": f"EXT-{bits >> 40:06d}" if bits >> 3 & 1 else None,
            "type": _pick(("NEW", "UPGRADE", "REPLACE", "CANCEL"), bits >> 6),
            "status": _pick(ORDER_STATUSES, bits >> 9),
            "employee": self._holder(bits % self._people),
            "requestor": self._holder((bits >> 13) % self._people),
            "lines": [
                {"sku": f"{maker[:2].upper()}-{model[-2:].upper()}", "quantity": quantity, "price": price}
            ],
            "total": round(quantity * price, 2),
            "currency": "USD",
            "expedite": bits >> 25 & 7 == 0,
            "approvals": bits >> 28 & 3,
            "created": _moment(salt ^ 1, index, SECONDS).replace("2025", "2024"),
            "shipTo": {
                "city": _pick(("Berlin", "Bristol", "Boston"), bits >> 31),
                "zip": f"{bits % 100_000:05d}",
            },
            "revision": 0,
            "updated": _moment(salt, index, SECONDS),
        }

    def employees(self, index: int) -> Row:
        """Returns an employee: second stamps, umlauts and apostrophes in names."""
        salt = self._salts["employees"]
        bits = mixed(salt, index)
        first, last, email = person(index)
        return {
            "id": f"EMP{index:08d}",
            "companyEmployeeId": email,
            "firstName": first,
            "lastName": last,
            "name": f"{first} {last}",
            "email": email,
            "title": _pick(("Engineer", "Analyst", "Manager", "Technician"), bits >> 4),
            "department": {"id": f"DEP{bits % 9:02d}", "name": _pick(("IT", "Sales", "Finance"), bits)},
            "managerId": f"EMP{bits % self._people:08d}" if bits >> 8 & 7 else None,
            "active": bits >> 11 & 15 != 0,
            "country": _pick(("DE", "US", "GB", "FR"), bits >> 15),
            "costCenter": f"{1000 + (bits >> 34) % 90}",
            "hired": f"20{10 + bits % 15}-{1 + (bits >> 5) % 12:02d}-01",
            "revision": 0,
            "updated": _moment(salt, index, SECONDS),
        }

    def items(self, index: int) -> Row:
        """Returns an item of the generic API: flat, microsecond stamps."""
        salt = self._salts["items"]
        bits = mixed(salt, index)
        return {
            "id": index + 1,
            "name": f"item {index}",
            "status": _pick(("open", "closed", "held"), bits),
            "quantity": bits % 1000,
            "price": (bits >> 16) % 100_000 / 100,
            "active": bool(bits >> 9 & 1),
            "note": None if bits >> 12 & 3 == 0 else f"note {bits % 97}",
            "owner": {"id": bits % 50, "name": person(bits % 50)[0]},
            "tags": ["red", "green", "blue"][: bits % 4],
            "created_at": _moment(salt ^ 1, index, SECONDS).replace("2025", "2024"),
            "revision": 0,
            "updated_at": _moment(salt, index, MICROSECONDS),
        }

    def incident(self, index: int) -> Row:
        """Returns an incident as the Table API stores it: every value a string, references as sys_id."""
        salt = self._salts["incident"]
        bits = mixed(salt, index)
        stamp = _moment(salt, index, PLAIN)
        state = _pick(("1", "2", "3", "6", "7"), bits)
        return {
            "sys_id": guid(salt, index),
            "number": f"INC{index + 10_000:07d}",
            "short_description": f"{_pick(TOPICS, bits >> 3)} ({bits % 1000})",
            "state": state,
            "priority": str(1 + (bits >> 7) % 5),
            "impact": str(1 + (bits >> 9) % 3),
            "urgency": str(1 + (bits >> 11) % 3),
            "active": "false" if state == "7" else "true",
            "category": _pick(("software", "hardware", "network", ""), bits >> 13),
            "caller_id": guid(self._salts["sys_user"], bits % self._people),
            "assigned_to": guid(self._salts["sys_user"], (bits >> 17) % self._people)
            if bits >> 15 & 3
            else "",
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
            "install_status": _pick(("1", "2", "7"), bits >> 6),
            "operational_status": _pick(("1", "2"), bits >> 8),
            "sys_class_name": _pick(("cmdb_ci_computer", "cmdb_ci_handheld_computing"), bits >> 10),
            "assigned_to": guid(self._salts["sys_user"], (bits >> 17) % self._people),
            "ip_address": f"10.{bits >> 20 & 255}.{bits >> 28 & 255}.{bits >> 36 & 255}",
            "cost": f"{(bits >> 16) % 300_000 / 100:.2f}",
            "discovery_source": "",
            **_system_fields(_moment(salt, index, PLAIN)),
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
            "title": _pick(("Engineer", "Analyst", "Manager", ""), bits >> 4),
            "employee_number": f"{index:08d}",
            "active": "true" if bits >> 11 & 15 else "false",
            "locked_out": "false",
            "manager": guid(salt, bits % self._people) if bits >> 8 & 7 else "",
            "time_zone": _pick(("GMT", "Europe/Berlin", "US/Pacific", ""), bits >> 15),
            **_system_fields(_moment(salt, index, PLAIN)),
        }


def _system_fields(stamp: str) -> Row:
    return {
        "sys_created_on": stamp.replace("2025", "2024"),
        "sys_created_by": "admin",
        "sys_updated_on": stamp,
        "sys_updated_by": "admin",
        "sys_mod_count": "0",
    }


def tables(seed: int, rows: int) -> dict[str, tuple[Table, Callable[[int], Row]]]:
    """Returns for each resource its empty table and the maker of its rows."""
    makers = Makers(seed, rows)
    return {
        "devices": (Table("id", "updated", MICROSECONDS), makers.devices),
        "services": (Table("id", "updated"), makers.services),
        "orders": (Table("id", "updated"), makers.orders),
        "employees": (Table("id", "updated"), makers.employees),
        "items": (Table("id", "updated_at", MICROSECONDS), makers.items),
        "incident": (Table("sys_id", "sys_updated_on", PLAIN), makers.incident),
        "cmdb_ci": (Table("sys_id", "sys_updated_on", PLAIN), makers.cmdb_ci),
        "sys_user": (Table("sys_id", "sys_updated_on", PLAIN), makers.sys_user),
    }
