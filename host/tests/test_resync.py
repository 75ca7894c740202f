"""The three ways of receive resynchronisation in the stack, corner by corner."""

from collections.abc import Iterator

import pytest

from host.resync import (
    ASYNC_LOGMAX,
    DELTA_MAX,
    NUMBER_MASK,
    Resync,
    ResyncType,
    RxResync,
)

SIZE = 100  # of every record here


def stack(kind: ResyncType) -> RxResync:
    resync = RxResync()
    resync.type = kind
    return resync


def records(first: int = 0, number: int = 0, size: int = SIZE) -> Iterator[tuple[int, int]]:
    """Places and numbers of records, one behind the other."""
    while True:
        yield first & 0xFFFF_FFFF, number
        first, number = first + size, number + 1


def parse(resync: RxResync, seq: int, number: int) -> Resync | None:
    """A record whose header is the last thing that is there."""
    return resync.new_rec(seq, SIZE, number, queued=20)


# -- DRIVER_REQ ---------------------------------------------------------------------------------


def test_a_synchronous_request_is_of_the_headers_last_byte() -> None:
    for wrong in (0, 1, 2, 3, 5):
        resync = stack(ResyncType.DRIVER_REQ)
        resync.request(1000 + wrong)
        assert parse(resync, 1000, 7) is None
    resync.request(1004)
    assert parse(resync, 1000, 7) == Resync(1004, 7)


def test_it_wraps() -> None:
    resync = stack(ResyncType.DRIVER_REQ)
    resync.request(1)
    assert parse(resync, 0xFFFF_FFFD, 7) == Resync(1, 7)


def test_it_is_answered_once() -> None:
    resync = stack(ResyncType.DRIVER_REQ)
    assert parse(resync, 900, 6) is None
    resync.request(1004)
    assert parse(resync, 1000, 7) == Resync(1004, 7)
    assert parse(resync, 1000, 7) is None


def test_it_stands_until_its_place_comes() -> None:
    resync = stack(ResyncType.DRIVER_REQ)
    resync.request(4 + 50 * SIZE)
    answers = [parse(resync, *each) for each, _ in zip(records(), range(60), strict=False)]
    assert [n for n, each in enumerate(answers) if each] == [50]


def test_a_later_request_takes_its_place() -> None:
    """One that has gone by would never be answered."""
    resync = stack(ResyncType.DRIVER_REQ)
    resync.request(4)
    assert parse(resync, 100, 1) is None
    resync.request(204)
    assert parse(resync, 200, 2) == Resync(204, 2)
    assert parse(resync, 0, 0) is None


def test_a_place_that_is_no_header_is_never_answered() -> None:
    resync = stack(ResyncType.DRIVER_REQ)
    resync.request(4 + 10 * SIZE + 1)
    assert not any(parse(resync, *each) for each, _ in zip(records(), range(99), strict=False))


# -- DRIVER_REQ_ASYNC ---------------------------------------------------------------------------


@pytest.mark.parametrize("start", [0, 0xFFFF_FFFF - 250, 0x7FFF_FF80])
@pytest.mark.parametrize("asked", range(4))
@pytest.mark.parametrize("later", range(4))
def test_the_number_is_that_of_the_record_asked_about(start: int, asked: int, later: int) -> None:
    """Records of the span go by, then others; the answer comes with the next one."""
    resync = stack(ResyncType.DRIVER_REQ_ASYNC)
    coming = records(start, number=5)
    places = [next(coming) for _ in range(4)]
    resync.request_start(start, 4 * SIZE - 1)
    for each in (*places, *(next(coming) for _ in range(later))):
        assert parse(resync, *each) is None
    resync.request_end(places[asked][0])
    assert parse(resync, *next(coming)) == Resync(*places[asked])
    assert parse(resync, *next(coming)) is None


def test_the_example_of_the_contract() -> None:
    resync = stack(ResyncType.DRIVER_REQ_ASYNC)
    resync.request_start(1000, 500)
    assert parse(resync, 1000, 30) is None
    assert parse(resync, 1100, 31) is None
    resync.request_end(1100)
    assert parse(resync, 1200, 32) == Resync(1100, 31)


def test_the_place_is_the_headers_first_byte() -> None:
    resync = stack(ResyncType.DRIVER_REQ_ASYNC)
    resync.request_end(1004)
    assert parse(resync, 1000, 7) is None
    resync.request_end(1000)
    assert parse(resync, 1000, 7) == Resync(1000, 7)


def test_nothing_is_asked_nothing_is_answered() -> None:
    resync = stack(ResyncType.DRIVER_REQ_ASYNC)
    assert parse(resync, 0, 0) is None


def test_both_ends_of_the_span_belong_to_it() -> None:
    for seq, inside in ((999, False), (1000, True), (1300, True), (1301, False)):
        resync = stack(ResyncType.DRIVER_REQ_ASYNC)
        resync.request_start(1000, 300)
        assert parse(resync, seq, 7) is None
        resync.request_end(seq)
        assert parse(resync, seq + SIZE, 8) == (Resync(seq, 7) if inside else None)


def test_records_before_the_span_do_not_count() -> None:
    resync = stack(ResyncType.DRIVER_REQ_ASYNC)
    resync.request_start(1000, 300)
    for number, seq in enumerate((800, 900, 1000, 1100)):
        parse(resync, seq, number)
    resync.request_end(1100)
    assert parse(resync, 1200, 4) == Resync(1100, 3)


def test_a_span_has_at_most_so_many_records() -> None:
    for asked in (ASYNC_LOGMAX - 1, ASYNC_LOGMAX):
        resync = stack(ResyncType.DRIVER_REQ_ASYNC)
        resync.request_start(0, 60_000)
        coming = records()
        places = [next(coming) for _ in range(20)]
        for each in places:
            parse(resync, *each)
        resync.request_end(places[asked][0])
        known = Resync(*places[asked]) if asked < ASYNC_LOGMAX else None
        assert parse(resync, *next(coming)) == known


def test_what_is_not_in_the_log_may_still_come() -> None:
    resync = stack(ResyncType.DRIVER_REQ_ASYNC)
    resync.request_start(0, 99)
    coming = records()
    parse(resync, *next(coming))
    resync.request_end(3 * SIZE)
    assert [parse(resync, *next(coming)) for _ in range(4)] == [None, None, Resync(300, 3), None]


def test_the_log_is_for_the_first_record_behind_it() -> None:
    resync = stack(ResyncType.DRIVER_REQ_ASYNC)
    resync.request_start(0, 99)
    coming = records()
    parse(resync, *next(coming))
    resync.request_end(7)
    assert parse(resync, *next(coming)) is None
    resync.request_end(0)
    assert parse(resync, *next(coming)) is None


def test_a_request_can_be_cancelled() -> None:
    resync = stack(ResyncType.DRIVER_REQ_ASYNC)
    resync.request_start(0, 99)
    resync.request_cancel()
    parse(resync, 0, 0)
    resync.request_end(0)
    resync.request_cancel()
    assert parse(resync, 0, 0) is None


def test_a_new_span_forgets_the_one_before() -> None:
    resync = stack(ResyncType.DRIVER_REQ_ASYNC)
    resync.request_start(0, 10_000)
    coming = records()
    for _ in range(ASYNC_LOGMAX):
        parse(resync, *next(coming))
    place = next(coming)
    resync.request_start(place[0], 1000)
    parse(resync, *place)
    resync.request_end(place[0])
    assert parse(resync, *next(coming)) == Resync(*place)


def test_a_device_that_never_says_which_is_not_waited_for() -> None:
    """65,535 records are counted, no more."""
    for count in (DELTA_MAX, DELTA_MAX + 1):
        resync = stack(ResyncType.DRIVER_REQ_ASYNC)
        resync.request_start(0, 0)
        coming = records()
        for _ in range(count):
            parse(resync, *next(coming))
        if count == DELTA_MAX:
            resync.request_end(0)
            assert parse(resync, *next(coming)) == Resync(0, 0)
    assert resync._request is None


def test_going_back_in_numbers_borrows() -> None:
    resync = stack(ResyncType.DRIVER_REQ_ASYNC)
    resync.request_start(0, 10)
    for number, seq in ((0xFFFF_FFFF, 0), (0x1_0000_0000, 100), (0x1_0000_0001, 200)):
        parse(resync, seq, number)
    resync.request_end(0)
    assert parse(resync, 300, 0x1_0000_0002) == Resync(0, 0xFFFF_FFFF)


def test_a_span_has_16_bits() -> None:
    resync = stack(ResyncType.DRIVER_REQ_ASYNC)
    resync.request_start(0, 0x1_0000 + 50)
    parse(resync, 0, 0)
    parse(resync, 100, 1)
    resync.request_end(100)
    assert parse(resync, 200, 2) is None


# -- what will never be answered ----------------------------------------------------------------


@pytest.mark.parametrize("start", [1000, 0xFFFF_FFF0])
def test_a_synchronous_request_goes_by_with_the_next_header(start: int) -> None:
    resync = stack(ResyncType.DRIVER_REQ)
    for place, gone in ((start - 1, True), (start + 1, False), (start + SIZE + 1, False)):
        resync.request(place + 4 & 0xFFFF_FFFF)
        assert parse(resync, start, 7) is None
        assert resync.gone_by is gone
    parse(resync, start + SIZE & 0xFFFF_FFFF, 8)
    assert not resync.gone_by
    parse(resync, start + 2 * SIZE & 0xFFFF_FFFF, 9)
    assert resync.gone_by


def test_what_was_answered_or_never_asked_has_not_gone_by() -> None:
    for kind in (ResyncType.DRIVER_REQ, ResyncType.DRIVER_REQ_ASYNC):
        resync = stack(kind)
        parse(resync, 1000, 7)
        assert not resync.gone_by
    resync = stack(ResyncType.DRIVER_REQ)
    resync.request(1004)
    assert not resync.gone_by
    parse(resync, 1000, 7)
    parse(resync, 1100, 8)
    assert not resync.gone_by


@pytest.mark.parametrize("kind", [ResyncType.DRIVER_REQ, ResyncType.DRIVER_REQ_ASYNC])
def test_a_header_that_was_parsed_before_it_was_asked_about(kind: ResyncType) -> None:
    resync = stack(kind)
    parse(resync, 1000, 7)
    if kind is ResyncType.DRIVER_REQ:
        resync.request(1004)
    else:
        resync.request_start(1000, 100)
        resync.request_end(1000)
    assert resync.gone_by
    assert parse(resync, 1100, 8) is None


def test_an_asynchronous_request_goes_by_when_it_is_not_in_the_log() -> None:
    for place, gone in ((1000, False), (1100, False), (1050, True), (900, True), (1101, False)):
        resync = stack(ResyncType.DRIVER_REQ_ASYNC)
        resync.request_start(1000, 500)
        parse(resync, 1000, 7)
        parse(resync, 1100, 8)
        assert not resync.gone_by
        resync.request_end(place)
        assert resync.gone_by is gone


# -- CORE_NEXT_HINT -----------------------------------------------------------------------------

FIRES = (3, 5, 9, 17, 33, 65, 129, 257, 385, 513, 641)


def encrypted(resync: RxResync, seq: int, number: int, more: bool = False) -> Resync | None:
    return resync.encrypted(seq + SIZE, number, more)


@pytest.mark.parametrize("before", [None, "decrypted"])
def test_the_points_at_which_hints_are_given(before: str | None) -> None:
    resync = stack(ResyncType.CORE_NEXT_HINT)
    coming = records(0xFFFF_0000, number=50)
    if before:
        for _ in range(7):
            encrypted(resync, *next(coming))
        resync.not_encrypted()
    fired = []
    for count in range(1, 700):
        seq, number = next(coming)
        hint = encrypted(resync, seq, number)
        if hint:
            assert hint == Resync(seq + SIZE & 0xFFFF_FFFF, number + 1)
            fired.append(count)
    assert fired == list(FIRES)


def test_hints_are_only_given_in_their_mode() -> None:
    for kind in (ResyncType.DRIVER_REQ, ResyncType.DRIVER_REQ_ASYNC):
        resync = stack(kind)
        assert not any(encrypted(resync, 0, n) for n in range(20))


def test_requests_are_only_answered_in_theirs() -> None:
    resync = stack(ResyncType.CORE_NEXT_HINT)
    resync.request(1004)
    assert parse(resync, 1000, 7) is None


def pending() -> RxResync:
    """One whose hint is due, but the device has seen the next header."""
    resync = stack(ResyncType.CORE_NEXT_HINT)
    for number in range(2):
        encrypted(resync, number * SIZE, number)
    assert encrypted(resync, 2 * SIZE, 2, more=True) is None
    return resync


def test_a_hint_is_given_at_the_last_header_that_is_there() -> None:
    resync = pending()
    assert resync.new_rec(300, SIZE, 3, queued=SIZE + 1) is None
    assert resync.new_rec(400, SIZE, 4, queued=SIZE) == Resync(500, 5)
    assert resync.new_rec(500, SIZE, 5, queued=SIZE) is None


def test_it_may_be_given_before_the_record_is_all_there() -> None:
    assert pending().new_rec(300, SIZE, 3, queued=5) == Resync(400, 4)


def test_while_a_hint_is_due_nothing_is_counted() -> None:
    resync = pending()
    for number in range(3, 50):
        assert encrypted(resync, number * SIZE, number) is None
    assert resync.new_rec(5000, SIZE, 50, queued=5) == Resync(5100, 51)
    assert encrypted(resync, 5000, 50) is None  # the fourth that counts
    assert encrypted(resync, 5100, 51) == Resync(5200, 52)


def test_the_numbers_of_hints_wrap() -> None:
    assert pending().new_rec(300, SIZE, NUMBER_MASK, queued=5) == Resync(400, 0)
