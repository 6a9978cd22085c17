"""Bodies read whole or not at all: bounded as sent and inflated, their length and their gzip end checked."""

import io
import zlib
from collections.abc import Iterator

from urllib3 import HTTPResponse

_CHUNK = 64 * 1024
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32  # recognises either by its header
_LAYERS = 2  # some proxies compress what is compressed
_PLAIN = ("", "identity")
_KNOWN = ("gzip", "x-gzip", "deflate")


class BadBody(Exception):
    """The body is not what its headers say; the text says how, for people."""


class TooLarge(Exception):
    """The body passes its bound; the text says by what, for people."""


class _Inflater:
    """One layer of gzip or deflate; yields at most one chunk at a time, however much a byte inflates to."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._stream: zlib._Decompress | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yields what the data inflates to; raises BadBody."""
        full = False
        while data or full:  # a full chunk may leave more behind inside the stream
            if data and (self._stream is None or self._stream.eof):  # gzip may have several members (RFC 1952)
                self._stream = zlib.decompressobj(self._window(data))
            chunk, data = self._step(data)
            full = len(chunk) == _CHUNK
            if chunk:
                yield chunk

    def _step(self, data: bytes) -> tuple[bytes, bytes]:
        """Returns one chunk, and what of the data is left."""
        if self._stream is None:
            return b"", b""
        try:
            chunk = self._stream.decompress(data, _CHUNK)
        except zlib.error:
            raise BadBody(f"its {self._coding} body is damaged") from None
        return chunk, self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail

    def _window(self, data: bytes) -> int:
        raw = self._coding == "deflate" and data[0] & 0x0F != zlib.DEFLATED  # some send deflate without zlib's header
        return -zlib.MAX_WBITS if raw else _GZIP_OR_ZLIB

    def finish(self) -> None:
        """Raises BadBody unless the stream has come to its end."""
        if self._stream is not None and not self._stream.eof:
            raise BadBody(f"its {self._coding} body ends before its end")


class Intake:
    """Takes one answer's body; `wire` counts its bytes as sent, also when it fails."""

    def __init__(self, raw: HTTPResponse, bound: int) -> None:
        self.wire = 0
        self._raw = raw
        self._bound = bound

    def read(self) -> bytes:
        """Returns the inflated body; raises BadBody or TooLarge, and whatever the connection raises."""
        layers = [_Inflater(coding) for coding in self._codings()]
        expected = self._raw.length_remaining
        if (expected or 0) > self._bound:
            raise TooLarge(f"its body has {expected} bytes, more than the {self._bound} of max_body")
        whole = io.BytesIO()
        for chunk in self._inflated(layers):
            if whole.tell() + len(chunk) > self._bound:
                raise TooLarge(f"its body inflates to more than the {self._bound} bytes of max_body")
            whole.write(chunk)
        if expected is not None and self.wire != expected:
            raise BadBody(f"its body ended after {self.wire} of {expected} bytes")
        for layer in layers:
            layer.finish()
        return whole.getvalue()

    def _codings(self) -> list[str]:
        codings = [name.strip().lower() for name in self._raw.headers.get("content-encoding", "").split(",")]
        codings = [name for name in codings if name not in _PLAIN]
        if len(codings) > _LAYERS or not set(codings) <= set(_KNOWN):
            raise BadBody(f"its body is encoded as {', '.join(codings)[:100]}, though only gzip was asked for")
        return codings[::-1]

    def _inflated(self, layers: list[_Inflater]) -> Iterator[bytes]:
        stream = self._sent()
        for layer in layers:
            stream = _through(layer, stream)
        return stream

    def _sent(self) -> Iterator[bytes]:
        whole = self._raw.length_remaining
        while chunk := self._raw.read(_CHUNK, decode_content=False):
            self.wire += len(chunk)
            if self.wire > self._bound:
                raise TooLarge(f"its body has more than the {self._bound} bytes of max_body")
            yield chunk
            if self.wire == whole:  # to read on would only cost time
                return


def _through(layer: _Inflater, stream: Iterator[bytes]) -> Iterator[bytes]:
    for data in stream:
        yield from layer.feed(data)
