"""Times of a whole column: the quick way says what the slow way says, or leaves the column to it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.kinds import Kind
from jobs.sinks.kinds import Column, fit, utc_text
from jobs.stamps import whole_seconds, with_microseconds

_MOMENTS = st.datetimes(timezones=st.just(UTC))


@given(st.lists(_MOMENTS, min_size=1))
def test_a_column_of_the_usual_form_is_read_as_each_of_its_texts_is(moments: list[datetime]) -> None:
    """Times and texts are those that one text after the other gives."""
    texts = [f"{moment.replace(microsecond=0, tzinfo=None).isoformat()}Z" for moment in moments]
    assert whole_seconds(texts) == [datetime.fromisoformat(text) for text in texts]
    assert with_microseconds(texts) == [utc_text(text) for text in texts]


@pytest.mark.parametrize(
    "odd",
    [
        "2026-01-31T08:00:00.5Z",
        "2026-01-31T08:00:00+01:00",
        "2026-01-31 08:00:00Z",
        "2026-W05-6T08:00:00Z",
        "2026-02-30T08:00:00Z",
        "2026-01-31T08:00:00Z\n2026-01-31T08:00:00Z",
        "2026-01-31T08:00:0\u0660Z",
        "\n",
        "",
    ],
)
def test_one_text_of_another_form_leaves_the_column_to_the_slow_way(odd: str) -> None:
    """The whole column is refused, wherever the text stands in it."""
    usual = "2026-01-31T08:00:00Z"
    assert whole_seconds([odd, usual]) is None
    assert whole_seconds([usual, odd]) is None


@given(st.lists(st.text(alphabet="0123456789-:TZ\n ", max_size=21) | st.just("2026-01-31T08:00:00Z"), min_size=1))
def test_what_is_fitted_at_once_is_what_is_fitted_one_by_one(texts: list[str]) -> None:
    """A column of times holds the same, whichever way its page took."""
    column = Column("at", Kind.TIMESTAMP)
    values, reasons = fit(column, texts)
    each = [fit(column, [text]) for text in texts]
    assert list(values) == [value for one, _ in each for value in one]
    assert set(reasons) == {place for place, (_, bad) in enumerate(each) if bad}
