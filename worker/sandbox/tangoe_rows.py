"""The rows of the Tangoe-style and the generic API: nested records with numbers, booleans and nulls."""

from worker.sandbox.seeds import MODELS, mixed, moment, person, pick, salt_of
from worker.sandbox.table import MICROSECONDS, SECONDS, Row

CARRIERS = ("Verizon", "T-Mobile", "AT&T", "Vodafone", "Telekom")
STATUSES = ("ACTIVE", "ORDERED", "SUSPENDED", "RETIRED")
ORDER_STATUSES = ("SUBMITTED", "APPROVED", "SHIPPED", "COMPLETED", "CANCELLED")


class TangoeRows:
    """Makes the index-th row of each resource for one seed; `people` bounds whom rows refer to."""

    def __init__(self, seed: int, people: int) -> None:
        self._people = people
        names = ("devices", "services", "orders", "employees", "items", "order_lines")
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
            "status": pick(STATUSES, bits >> 8),
            "carrier": pick(CARRIERS, bits >> 12),
            "phoneNumber": f"+1{2_000_000_000 + (bits >> 5) % 7_999_999_999}",
            "cost": (bits >> 16) % 200_000 / 100,
            "storageGb": 64 << (bits >> 20) % 4,
            "byod": bits >> 33 & 7 == 0,
            "employee": self._holder(bits % self._people) if bits >> 40 & 15 else None,
            "purchased": moment(salt, index, MICROSECONDS)[:10],
            "revision": 0,
            "updated": moment(salt, index, MICROSECONDS),
        }

    def services(self, index: int) -> Row:
        """Returns a line of service: second stamps, a list of features."""
        salt = self._salts["services"]
        bits = mixed(salt, index)
        return {
            "id": f"SVC{index:08d}",
            "phoneNumber": f"+49{1_500_000_000 + bits % 400_000_000}",
            "carrier": pick(CARRIERS, bits >> 7),
            "plan": {
                "id": f"PLN{bits % 12:03d}",
                "name": f"Business {1 + bits % 12}",
                "dataGb": 1 + bits % 12,
            },
            "status": pick(STATUSES, bits >> 11),
            "monthlyCost": (bits >> 16) % 9_000 / 100,
            "currency": "EUR" if bits >> 20 & 1 else "USD",
            "roaming": bool(bits >> 21 & 1),
            "features": ["voice", "data", "sms"][: 1 + bits % 3],
            "deviceId": f"DEV{bits % self._people:08d}",
            "employee": self._holder(bits % self._people),
            "contractEnd": None if bits >> 30 & 3 == 0 else f"2027-{1 + bits % 12:02d}-28",
            "costCenter": f"{1000 + (bits >> 34) % 90}",
            "revision": 0,
            "updated": moment(salt, index, SECONDS),
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
            "type": pick(("NEW", "UPGRADE", "REPLACE", "CANCEL"), bits >> 6),
            "status": pick(ORDER_STATUSES, bits >> 9),
            "employee": self._holder(bits % self._people),
            "requestor": self._holder((bits >> 13) % self._people),
            "lines": [{"sku": f"{maker[:2].upper()}-{model[-2:].upper()}", "quantity": quantity, "price": price}],
            "total": round(quantity * price, 2),
            "currency": "USD",
            "expedite": bits >> 25 & 7 == 0,
            "approvals": bits >> 28 & 3,
            "created": moment(salt ^ 1, index, SECONDS).replace("2025", "2024"),
            "shipTo": {
                "city": pick(("Berlin", "Bristol", "Boston"), bits >> 31),
                "zip": f"{bits % 100_000:05d}",
            },
            "revision": 0,
            "updated": moment(salt, index, SECONDS),
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
            "title": pick(("Engineer", "Analyst", "Manager", "Technician"), bits >> 4),
            "department": {"id": f"DEP{bits % 9:02d}", "name": pick(("IT", "Sales", "Finance"), bits)},
            "managerId": f"EMP{bits % self._people:08d}" if bits >> 8 & 7 else None,
            "active": bits >> 11 & 15 != 0,
            "country": pick(("DE", "US", "GB", "FR"), bits >> 15),
            "costCenter": f"{1000 + (bits >> 34) % 90}",
            "hired": f"20{10 + bits % 15}-{1 + (bits >> 5) % 12:02d}-01",
            "revision": 0,
            "updated": moment(salt, index, SECONDS),
        }

    def items(self, index: int) -> Row:
        """Returns an item of the generic API: flat, microsecond stamps."""
        salt = self._salts["items"]
        bits = mixed(salt, index)
        return {
            "id": 1_000_000 + index,  # as many digits each, so that text sorts as numbers do
            "name": f"item {index}",
            "status": pick(("open", "closed", "held"), bits),
            "quantity": bits % 1000,
            "price": (bits >> 16) % 100_000 / 100,
            "active": bool(bits >> 9 & 1),
            "note": None if bits >> 12 & 3 == 0 else f"note {bits % 97}",
            "owner": {"id": bits % 50, "name": person(bits % 50)[0]},
            "tags": ["red", "green", "blue"][: bits % 4],
            "created_at": moment(salt ^ 1, index, SECONDS).replace("2025", "2024"),
            "revision": 0,
            "updated_at": moment(salt, index, MICROSECONDS),
        }

    def order_lines(self, index: int) -> Row:
        """Returns a line of some order; of the orders, one in three has none and others have several."""
        salt = self._salts["order_lines"]
        bits = mixed(salt, index)
        order = bits % self._people
        return {
            "id": f"ORD{order:08d}-{index:08d}",
            "order_id": f"ORD{order:08d}",
            "line": 1 + index,
            "sku": f"SKU-{bits >> 20 & 4095:04d}",
            "quantity": 1 + (bits >> 34) % 9,
            "price": (bits >> 16) % 150_000 / 100,
            "revision": 0,
            "updated_at": moment(salt, index, SECONDS),
        }
