"""Window, acks and repeats of the reliable messages."""

from vsecc_link import arq, frame, ticks


def sent(sender, count, now=0):
    for index in range(count):
        assert sender.push(b"%d" % index)
    return [number for number, _ in sender.due(now)]


def test_window_limits_what_is_on_the_way():
    sender = arq.Sender(921600)
    assert sent(sender, 20) == list(range(1, 17))
    assert sender.due(1) == [] and not sender.has_due()
    sender.on_ack(4, 2)
    assert [number for number, _ in sender.due(2)] == [17, 18, 19]


def test_slow_lines_have_fewer_bytes_on_the_way():
    sender = arq.Sender(115200)
    for _ in range(8):
        sender.push(bytes(200))
    assert len(sender.due(0)) == 2
    assert len(arq.Sender(115200).due(0)) == 0


def test_only_the_missing_frame_is_repeated():
    sender = arq.Sender(921600)
    sent(sender, 6)
    sender.on_missing(1, 0b01010)  # 3 and 5 are there: 2 and 4 are lost, too; of 6 nothing is known
    assert [number for number, _ in sender.due(3)] == [1, 2, 4]
    sender.on_missing(1, 0b01010)  # the repeats are still under way
    assert sender.due(3) == [] and sender.repeats == 3
    sender.on_missing(1, 0b01011)  # the repeat of 2 has come; the one of 1 and the first 6 went before it
    assert [number for number, _ in sender.due(4)] == [1, 6]
    sender.on_missing(9, 0xFFFF)  # not about our oldest
    sender.on_missing(1, 0xFFFF)
    assert [number for number, _ in sender.due(5)] == [1]


def test_what_has_arrived_is_not_counted_as_on_its_way():
    sender = arq.Sender(115200)
    for _ in range(5):
        sender.push(bytes(200))
    assert [number for number, _ in sender.due(0)] == [1, 2]
    sender.on_missing(1, 0b1)
    assert [number for number, _ in sender.due(1)] == [1, 3]


def test_time_out_repeats_the_oldest_later_each_time():
    sender = arq.Sender(921600)
    sent(sender, 2)
    waits = []
    now = 0
    for _ in range(4):
        at = sender.deadline()
        waits.append(ticks.diff(at, now))
        sender.tick(at - 1)
        assert sender.due(at - 1) == []
        now = at
        sender.tick(now)
        assert [number for number, _ in sender.due(now)] == [1]
    assert waits == [25, 50, 100, 100]


def test_stale_and_foolish_acks_are_ignored():
    sender = arq.Sender(921600)
    sent(sender, 3)
    for ack in (1, 0, 255, 5, 100):
        sender.on_ack(ack, 1)
    sender.on_ack(4, 1)
    sender.on_ack(4, 1)
    assert sender.deadline() is None and not sender.exhausted()
    sender.push(b"x")
    sender.on_ack(5, 1)  # not sent yet
    assert sender.has_due()


def test_receiver_puts_in_order_and_drops_repeats():
    receiver = arq.Receiver()
    assert receiver.put(2, b"b") == [] and receiver.there() == 0b1
    assert receiver.put(4, b"d") == [] and receiver.there() == 0b101
    assert receiver.put(2, b"b") == []
    assert receiver.put(1, b"a") == [b"a", b"b"] and receiver.there() == 0b1
    assert receiver.put(1, b"a") == []
    assert receiver.put(3, b"c") == [b"c", b"d"] and not receiver.early and receiver.there() == 0
    assert receiver.put(5 + arq.WINDOW, b"z") == [] and receiver.put(0, b"z") == []
    assert receiver.expected == 5 and receiver.duplicates == 3


def test_numbers_run_out_before_they_wrap():
    sender = arq.Sender(921600)
    sender._number = frame.NUMBER_MAX - 1
    assert not sender.exhausted()
    sender.push(b"")
    assert sender.exhausted()


def test_ticks_over_the_wrap():
    assert ticks.add(0x3FFFFFFF, 1) == 0 and ticks.add(0, -1) == 0x3FFFFFFF
    assert ticks.diff(5, 0x3FFFFFFE) == 7 and ticks.diff(0x3FFFFFFE, 5) == -7
    assert ticks.earlier(None, None) is None
    assert ticks.earlier(3, None) == ticks.earlier(None, 3) == ticks.earlier(3, 4) == ticks.earlier(4, 3) == 3
    assert ticks.earlier(0x3FFFFFFF, 0) == 0x3FFFFFFF
