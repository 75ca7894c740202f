"""The in-order device: what it decrypts, and how it loses and finds a boundary."""

from host.sweep_document import Document

SIZE = 100  # of the records


def test_in_order_all_is_decrypted() -> None:
    device = Document(SIZE)
    assert all(device.receive(at, at + 30) for at in range(0, 900, 30))


def test_a_hole_before_the_header_costs_the_rest_and_the_segment_with_the_header() -> None:
    device = Document(SIZE)
    assert device.receive(0, 30)
    assert not device.receive(60, 90)
    assert not device.receive(90, 120)  # has the header: go on behind it
    assert device.receive(120, 150)
    assert not device.receive(30, 60)  # older
    assert device.receive(150, 180)


def test_a_segment_that_begins_with_the_header_will_do() -> None:
    device = Document(SIZE)
    marks = [device.receive(*each) for each in ((0, 30), (60, 100), (100, 150), (150, 180))]
    assert marks == [True, False, True, True]


def test_a_header_of_which_a_part_is_missing_is_lost() -> None:
    device = Document(SIZE)
    for start, end in ((0, 102), (110, 150), (150, 220)):
        device.receive(start, end)
    assert device.asked == 200


def test_the_boundary_is_lost_found_confirmed_and_used_from_the_next_one_on() -> None:
    device = Document(SIZE)
    assert device.receive(0, 90)
    assert not device.receive(110, 150)
    assert device.asked is None
    assert not device.receive(150, 230)
    assert device.asked == 200
    assert not device.confirm(100)
    assert device.confirm(200)
    assert not device.confirm(200)
    assert not device.receive(0, 90)
    assert not device.receive(230, 260)
    assert not device.receive(260, 310)
    assert device.receive(310, 350)


def test_what_was_asked_is_forgotten_when_the_chain_breaks() -> None:
    device = Document(SIZE)
    for start, end in ((0, 90), (110, 150), (150, 230), (230, 290)):
        device.receive(start, end)
    assert device.asked == 200
    device.receive(320, 350)
    assert device.asked is None
    assert not device.confirm(200)
    device.receive(350, 410)
    assert device.asked == 400


def test_a_header_in_two_segments() -> None:
    device = Document(SIZE)
    for start, end in ((0, 90), (110, 150), (150, 202)):
        device.receive(start, end)
    assert device.asked is None
    device.receive(202, 230)
    assert device.asked == 200
    device.receive(230, 302)
    device.receive(302, 330)
    assert device.confirm(200)
