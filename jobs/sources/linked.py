"""Paging by what the last answer names: a link in its header, a URL in its body, a token."""

import re
from typing import Literal, Self
from urllib.parse import urljoin, urlsplit

from pydantic import Field, model_validator

from jobs.contract import BadAnswer
from jobs.paths import Path, getter
from jobs.sources.steps import Ask, Carrier, Pager, Position, Seen, Sized, Span, stored_total


class Linked(Pager):
    """A URL stands for path and parameters; the positions are URLs, the first one empty."""

    own_host: bool = Field(
        default=False,
        description="Of a link only path and parameters count, at the account's own host: for APIs whose links name "
        "another one.",
    )

    def ask(self, at: Position, size: int, span: Span) -> Ask:  # noqa: ARG002 - one form for all kinds
        """Returns the request as configured, or the one for the linked page."""
        return Ask(url=at)

    def told(self, at: Position) -> str:
        """Returns a position in words."""
        return "the linked page" if at else "the first page"

    def joined(self, seen: Seen, link: str) -> str:
        """Returns a link as a whole URL; raises BadAnswer where it is none."""
        try:
            if self.own_host:
                link = urlsplit(link)._replace(scheme="", netloc="").geturl()
            return urljoin(seen.url, link)
        except ValueError:  # such as http://[
            raise BadAnswer(f"{seen.place} names a next page whose URL cannot be read: {link[:100]!r}.") from None


class LinkPaging(Linked):
    """The `Link` header names the next page with rel=next (RFC 8288); an empty page is not the end."""

    kind: Literal["link"]

    def after(self, seen: Seen) -> Position | None:
        """Returns the URL of the linked page."""
        link = next_link(seen.headers.get("link", ""))
        return self.joined(seen, link) if link else None

    def total_of(self, seen: Seen) -> int | None:
        """Returns what X-Total-Count says, where it is sent."""
        return stored_total(seen)


class NextUrlPaging(Linked):
    """The body holds the next page's URL; an empty page is not the end."""

    kind: Literal["next_url"]
    next: Path = Field(description="JMESPath to the next URL; absent, null or empty on the last page.")

    def after(self, seen: Seen) -> Position | None:
        """Returns the URL of the page that the body names; raises BadAnswer where it is no text."""
        link = getter(self.next)(seen.document)
        if link is None or link == "":
            return None
        if not isinstance(link, str):
            raise BadAnswer(
                f"{seen.place} has a {type(link).__name__} at {self.next!r}; expected the next page's URL. "
                "Check paging.next."
            )
        return self.joined(seen, link)


class TokenPaging(Sized):
    """The body holds a token that asks for the next page; an empty page is not the end."""

    kind: Literal["token"]
    next: Path = Field(description="JMESPath to the next page's token; absent, null or empty on the last page.")
    param: str = Field(default="page_token", min_length=1, description="The parameter that takes the token.")
    size: int = Field(default=0, ge=0, le=100_000, description="Records per page; 0: as many as the server likes.")
    size_param: str = Field(default="", description="The parameter that takes the size.")
    carrier: Carrier = Field(default="query", alias="in", description="Where the paging's parameters stand.")

    @model_validator(mode="after")
    def _size_has_its_parameter(self) -> Self:
        if bool(self.size) != bool(self.size_param):
            raise ValueError("size and size_param go together: give both or neither")
        return self

    @property
    def sizes(self) -> tuple[int, int] | None:
        """The most and the least records a page is asked for, where a size is sent."""
        return super().sizes if self.size else None

    @property
    def carried_in(self) -> Carrier:
        """Where its parameters stand."""
        return self.carrier

    def ask(self, at: Position, size: int, span: Span) -> Ask:  # noqa: ARG002 - one form for all kinds
        """Returns the request for the token's page."""
        sized = {self.size_param: size} if self.size else {}
        return Ask(sized if at == "" else {**sized, self.param: at})

    def after(self, seen: Seen) -> Position | None:
        """Returns the next token; raises BadAnswer where it is neither text nor number."""
        token = getter(self.next)(seen.document)
        if token is None or token == "":
            return None
        if not isinstance(token, str | int) or isinstance(token, bool):
            raise BadAnswer(
                f"{seen.place} has a {type(token).__name__} at {self.next!r}; expected the next page's token. "
                "Check paging.next."
            )
        return token

    def told(self, at: Position) -> str:
        """Returns a position in words; tokens are long and may tell more than they should."""
        return "the first page" if at == "" else "the page that the last answer's token names"


_PARAMETER = re.compile(r';\s*([^\s=;,]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";,]+)))?')
_LINK = re.compile(r'<([^<>]*)>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s";,]+))?)*)')


def next_link(header: str) -> str:
    """Returns the target of the first link whose relation is `next`, or nothing (RFC 8288 section 3)."""
    for target, parameters in _LINK.findall(header):
        for name, quoted, bare in _PARAMETER.findall(parameters):
            if name.lower() == "rel" and "next" in (quoted or bare).lower().split():
                return str(target).strip()
    return ""
