"""Bodies: whole or not at all, bounded as sent and inflated."""

import gzip
import io
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import HTTPResponse

from worker.wire.body import BadBody, Intake, TooLarge

BOUND = 1_000_000


def taken(data: bytes, coding: str = "", bound: int = BOUND) -> bytes:
    """Returns what an intake makes of a body sent like this."""
    headers = {"content-encoding": coding} if coding else {}
    raw = HTTPResponse(io.BytesIO(data), headers, status=200, preload_content=False, decode_content=False)
    return Intake(raw, bound).read()


def raw_deflate(data: bytes) -> bytes:
    """Returns deflate without zlib's header, as some servers send it."""
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


@given(st.binary(max_size=300_000))
def test_every_encoding_brings_the_same_bytes(data: bytes) -> None:
    """gzip, several members, both kinds of deflate and double gzip are undone."""
    half = len(data) // 2
    members = gzip.compress(data[:half]) + gzip.compress(data[half:])
    assert taken(data) == data
    assert taken(gzip.compress(data), "gzip") == data
    assert taken(gzip.compress(data), "x-gzip") == data
    assert taken(members, "gzip") == data
    assert taken(zlib.compress(data), "deflate") == data
    assert taken(raw_deflate(data), "deflate") == data
    assert taken(gzip.compress(gzip.compress(data)), "gzip, gzip") == data


@given(st.binary(min_size=1, max_size=5000), st.data())
def test_cut_gzip_is_refused(data: bytes, draw: st.DataObject) -> None:
    """A gzip body that ends before its end is never taken for whole."""
    sent = gzip.compress(data)
    cut = draw.draw(st.integers(min_value=1, max_value=len(sent) - 1))
    with pytest.raises(BadBody):
        taken(sent[:cut], "gzip")


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip, gzip", "chunked"])
def test_unknown_encoding_is_refused(coding: str) -> None:
    """What was not asked for is refused by name."""
    with pytest.raises(BadBody, match=coding.split(",", maxsplit=1)[0]):
        taken(b"x", coding)


def test_bytes_that_are_no_gzip_are_refused() -> None:
    """A body that is not what its header says is refused."""
    with pytest.raises(BadBody, match="damaged"):
        taken(b"<html>", "gzip")


@pytest.mark.parametrize("coding", ["", "gzip", "gzip, gzip", "deflate"])
def test_bound_holds_to_the_byte(coding: str) -> None:
    """A body of exactly the bound is taken, one more byte is not."""
    encode: dict[str, Callable[[bytes], bytes]] = {"": bytes, "gzip": gzip.compress, "deflate": zlib.compress}
    for size, fits in ((1000, True), (1001, False)):
        data = bytes(size)
        for layer in coding.split(", "):
            data = encode[layer](data)
        if fits:
            assert taken(data, coding, 1000) == bytes(size)
        else:
            with pytest.raises(TooLarge):
                taken(data, coding, 1000)


@pytest.mark.parametrize("layers", [1, 2])
def test_bomb_takes_no_more_than_the_bound(layers: int) -> None:
    """300 MB inside a few kilobytes are refused while little more than the bound was ever held."""
    stream = zlib.compressobj(9, wbits=31)
    bomb = b"".join(stream.compress(bytes(1_000_000)) for _ in range(300)) + stream.flush()
    for _ in range(layers - 1):
        bomb = gzip.compress(bomb)
    tracemalloc.start()
    with pytest.raises(TooLarge):
        taken(bomb, ", ".join(["gzip"] * layers))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2.5 * BOUND


def test_bound_holds_for_what_was_sent_as_well() -> None:
    """Bytes that inflate to nothing are not read for ever."""
    with pytest.raises(TooLarge, match="more than the 1000 bytes"):
        taken(gzip.compress(b"") * 10_000, "gzip", 1000)
