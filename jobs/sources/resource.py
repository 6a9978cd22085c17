"""One resource of an API as it is configured: how it is asked for, walked through and read."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from jobs.contract import AccountRef, Json
from jobs.options import Options
from jobs.paths import OptionalPath
from jobs.sources.counted import Counted, PagePaging
from jobs.sources.decode import BodyFormat, Decoder
from jobs.sources.keyset import KeysetPaging
from jobs.sources.linked import NextUrlPaging, TokenPaging
from jobs.sources.paging import NoPaging, Paging
from jobs.sources.tableapi import OWN, ServiceNowPaging
from jobs.templates import places
from jobs.times import Output

_KNOWN = ("since", "until")
_FOREIGN = ("parent.", "slice.")  # filled by those who walk through several resources


class ResourceOptions(Options):
    """Where at an API records are, and how to walk through them.

    Path, params and body may hold the places {since} and {until}: the span of time that the run covers.
    """

    account: AccountRef
    path: str = Field(min_length=1, description="Below the account's base_url; parameters stand in params.")
    method: Literal["GET", "POST"] = Field(default="GET", description="POST for searches; it must change nothing.")
    params: dict[str, str] = Field(
        default_factory=dict,
        description="Sent with each request; the cursor's and the paging's own come on top.",
    )
    headers: dict[str, str] = Field(default_factory=dict)
    body: Json = Field(default=None, description="The JSON document that a POST sends.")
    act_for: dict[str, str] = Field(
        default_factory=dict, description="On whose behalf it reads, over what the account says."
    )
    times: Output = Field(
        default="iso", description="How {since} and {until} are written; a pattern such as %Y-%m-%d too. In UTC."
    )
    records: OptionalPath = Field(
        default="", description="JMESPath to the list of records; empty: the body is the list."
    )
    single: bool = Field(default=False, description="What stands there is one record, not a list.")
    format: BodyFormat = Field(default="json", description="json, ndjson (one document a line) or csv.")
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="Between the values of csv.")
    failed: OptionalPath = Field(
        default="", description="JMESPath: what is not null there makes an answer of a good status a failure."
    )
    error_pages: dict[str, str] = Field(
        default_factory=dict, description="Text in a page that is no JSON, and what it means: the error's words."
    )
    paging: Paging = NoPaging()

    @field_validator("path")
    @classmethod
    def _has_no_query(cls, path: str) -> str:
        if "?" in path or "#" in path:
            raise ValueError(f"expected a path such as /v2/orders, found {path!r}; parameters stand in params")
        return path

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        for name in sorted(places([self.path, self.params, self.body])):
            if name not in _KNOWN and not name.startswith(_FOREIGN):
                raise ValueError(
                    f"nothing is known to fill {{{name}}}: write {{since}} or {{until}}, or {{{{ for a brace"
                )
        if self.method == "GET" and (self.body is not None or self.paging.carried_in == "body"):
            raise ValueError('a body needs method = "POST"')
        if self.paging.carried_in == "body" and not isinstance(self.body, dict | None):
            raise ValueError('paging.in = "body" needs a body that is a table')
        self._check_format()
        self._check_servicenow()
        return self

    def _check_format(self) -> None:
        if self.format == "json":
            return
        paging = self.paging
        looks_inside = isinstance(paging, NextUrlPaging | TokenPaging) or (
            isinstance(paging, Counted | KeysetPaging)
            and (paging.total or (isinstance(paging, PagePaging) and paging.total_pages))
        )
        if self.records or self.single or self.failed or looks_inside:
            raise ValueError(
                f'format = "{self.format}" holds nothing but records: no records, single, failed, next, total'
            )

    def _check_servicenow(self) -> None:
        if not isinstance(self.paging, ServiceNowPaging):
            return
        if "/v1/" in self.path:
            raise ValueError(
                "path: version 1 of the Table API answers 404 to pages that access rules have emptied, which cannot be "
                "told from the end; use /api/now/table/NAME or /api/now/v2/table/NAME"
            )
        if taken := OWN.intersection(self.params):
            raise ValueError(
                f"params: {min(taken)} is the paging's own where kind is servicenow; conditions stand in paging.filter"
            )
        fields = self.params.get("sysparm_fields")
        if fields is not None and self.paging.key.removesuffix(".value") not in fields.split(","):
            raise ValueError(f"params: sysparm_fields has to name {self.paging.key}, after which the walk goes on")

    @property
    def decoder(self) -> Decoder:
        """Reads the resource's answers."""
        return Decoder(self.format, self.records, self.single, self.failed, self.delimiter, self.error_pages)
