"""The live secrets, indexed so that a clean text is told from a dirty one in about 2 microseconds.

Every spelling of a secret is at least 8 bytes long, so whatever its position in a text, one of the text's
aligned 4-byte words lies wholly in the last 7 bytes of the spelling. The index holds those four words of each
spelling; a text none of whose aligned words is in it holds no secret, however many there are. Ends are
indexed, not beginnings, because tokens begin alike (`eyJhbGciOi...`, vendor prefixes) and end at random.
"""

import sys
import threading
from collections import deque
from collections.abc import Iterator

from worker.vault.forms import forms

SHORTEST = 8  # characters; masking a shorter word by value would garble every path and every name it is part of
PAST_VALUES = 4096  # secrets no longer in use but still masked: rotated tokens linger in answers and tracebacks
PAST_CHARACTERS = 1 << 20  # their total length: with all spellings about 20 MB
_WORD = 4  # bytes

Span = tuple[int, int]  # start and end in a text, in characters


class Known:
    """The values to mask: all that are in use, and the newest of those that were.

    Readers take no lock: words are replaced in the index one at a time, never half.
    """

    def __init__(self, past_values: int = PAST_VALUES, past_characters: int = PAST_CHARACTERS) -> None:
        self._past_values = past_values
        self._past_characters = past_characters
        self._lock = threading.Lock()
        self._live: dict[str, int] = {}  # value to the number of its holders
        self._past: dict[str, None] = {}  # oldest first
        self._past_size = 0  # characters
        self._released: deque[str] = deque()
        self._holders: dict[str, int] = {}  # spelling to the number of values that have it
        self._index: dict[int, tuple[str, ...]] = {}  # word to spellings

    def __len__(self) -> int:
        return len(self._live) + len(self._past)

    def remember(self, value: str) -> None:
        """Masks `value` from now on, and for a good while after its last `release`."""
        with self._lock:
            self._settle()
            if len(value) < SHORTEST:
                return
            if value in self._past:
                self._leave_past(value)
            elif value not in self._live:
                self._add(value)
            self._live[value] = self._live.get(value, 0) + 1

    def release(self, value: str) -> None:
        """Notes that one holder of `value` is gone; takes no lock: the collector may call it anywhere."""
        self._released.append(value)

    def may_hold(self, data: bytes) -> bool:
        """Tells whether a UTF-8 text could hold a known value: no is certain, yes asks for `spans`."""
        return not self._index.keys().isdisjoint(_words(data))

    def spans(self, text: str) -> list[Span]:
        """Returns where in `text` known values stand, in any spelling."""
        data = text.encode("utf-8", "surrogatepass")
        likely = {form for word in _words(data) for form in self._index.get(word, ())}
        return [span for form in likely for span in _occurrences(form, text)]

    def _settle(self) -> None:
        while self._released:
            value = self._released.popleft()
            holders = self._live.get(value, 0) - 1
            if holders > 0:
                self._live[value] = holders
            elif holders == 0:
                del self._live[value]
                self._past[value] = None
                self._past_size += len(value)
        while len(self._past) > self._past_values or self._past_size > self._past_characters:
            oldest = next(iter(self._past))
            self._leave_past(oldest)
            self._remove(oldest)

    def _leave_past(self, value: str) -> None:
        del self._past[value]
        self._past_size -= len(value)

    def _add(self, value: str) -> None:
        for form in forms(value):
            self._holders[form] = self._holders.get(form, 0) + 1
            if self._holders[form] == 1:
                for word in _last_words(form):
                    self._index[word] = (*self._index.get(word, ()), form)

    def _remove(self, value: str) -> None:
        for form in forms(value):
            self._holders[form] -= 1
            if self._holders[form] == 0:
                del self._holders[form]
                for word in _last_words(form):
                    self._unlink(word, form)

    def _unlink(self, word: int, form: str) -> None:
        rest = tuple(other for other in self._index[word] if other != form)
        if rest:
            self._index[word] = rest
        else:
            del self._index[word]


def _words(data: bytes) -> memoryview:
    return memoryview(data)[: len(data) & -_WORD].cast("I")


def _last_words(form: str) -> set[int]:
    data = form.encode("utf-8", "surrogatepass")
    starts = range(len(data) - 2 * _WORD + 1, len(data) - _WORD + 1)
    return {int.from_bytes(data[start : start + _WORD], sys.byteorder) for start in starts}


def _occurrences(form: str, text: str) -> Iterator[Span]:
    at = text.find(form)
    while at >= 0:
        yield at, at + len(form)
        at = text.find(form, at + 1)  # occurrences may overlap
