"""Cyclic frames in place; on MicroPython also that a steady line allocates nothing (rule S5)."""

import sys

from vsecc_link import cyclic, frame, messages
from vsecc_link.link import HOST, MCU, Link, host_hello

if sys.implementation.name == "micropython":
    import micropython

    from vsecc_link import viper  # SyntaxError on a port without a native code emitter: the target has one
else:
    micropython = viper = None

HELLO = (messages.HELLO, 1, 0, messages.catalogue_crc(), 1000000, b"", "", "", "", 0, 7, 5)
EXTREMES = (
    [0] * 17,
    [1073741823, 65535, 1073741823, 255, 255, 6, 32767, -32768, 1000, 255, 65535, 6, -1, -256, 999, 1, 256],
    [1, 2, 3, 4, 5, 6, -1, 1, 24, 23, 255, 0, -257, 257, 24, 24, 24],
)


def linked(watch=None):
    host, mcu = Link(HOST, 1, host_hello("")), Link(MCU, 2, HELLO, watch=watch)
    for now in range(3):
        host.tick(now)
        mcu.receive(host.take()[1], now)
        host.receive(mcu.take()[1], now)
    assert host.up and mcu.up
    return host, mcu


def test_width_follows_from_the_range():
    for low, high, width in ((0, 23, 1), (0, 24, 2), (0, 255, 2), (0, 256, 3), (0, 65536, 5), (-1, 1, -3)):
        assert cyclic.width_of(("x", messages.INT, low, high)) == width
    for field in (
        ("x", messages.TEXT, 0, 9),
        ("x", messages.INT, 0, 1 << 32),
        ("x", messages.INT, -40000, 0),
    ):
        try:
            cyclic.width_of(field)
        except ValueError:
            continue
        raise AssertionError(field)


def test_patched_frame_equals_the_built_one():
    status = cyclic.CyclicFrame(messages.STATUS)
    for values in EXTREMES:
        for index in range(17):
            status.values[index] = values[index]
        status.patch(77, 1000000, 9)
        payload = cyclic.Layout(messages.STATUS).payload([messages.STATUS] + values)
        assert status.buffer == frame.build(frame.CYCLIC, 77, 1000000, 9, payload)


def test_viper_frame_equals_the_portable_one():
    if viper is None:
        return
    slow, fast = cyclic.CyclicFrame(messages.STATUS), viper.CyclicFrame(messages.STATUS)
    for values in EXTREMES:
        for index in range(17):
            slow.values[index] = fast.values[index] = values[index]
        slow.patch(0xFFFF, 0x3FFFFFFF, 255)
        fast.patch(0xFFFF, 0x3FFFFFFF, 255)
        assert slow.buffer == fast.buffer


def test_more_than_22_fields_take_a_longer_head():
    telemetry = cyclic.CyclicFrame(messages.TELEMETRY)
    count = len(telemetry.values)
    assert count > 22 and telemetry.layout.head == bytes((0x98, count + 1, messages.TELEMETRY))
    telemetry.values[count - 1] = 513
    telemetry.patch(7, 8, 9)
    reader = cyclic.CyclicReader(messages.TELEMETRY)
    assert reader.read(telemetry.buffer, frame.HEAD_SIZE, len(telemetry.buffer) - 4)
    assert reader.values[count - 1] == 513
    if viper is not None:
        fast = viper.CyclicFrame(messages.TELEMETRY)
        fast.values[count - 1] = 513
        fast.patch(7, 8, 9)
        assert fast.buffer == telemetry.buffer


def test_a_layout_that_fits_no_frame_is_refused():
    fields = tuple([("f%d_mohm" % index, messages.INT, 0, 1 << 20) for index in range(60)])
    messages.CATALOGUE[99] = ("TOO_LONG", "mcu", messages.CYCLIC, fields)
    try:
        cyclic.Layout(99)
    except ValueError:
        return
    finally:
        del messages.CATALOGUE[99]
    raise AssertionError


def test_values_beyond_their_range_are_refused_by_the_reader():
    grant = cyclic.CyclicFrame(messages.GRANT)
    reader = cyclic.CyclicReader(messages.GRANT)
    for values in ((1, 8, 100), (1, 7, 501), (1, 99, 100)):
        grant.values[:] = values
        grant.patch(1, 1, 1)
        assert not reader.read(grant.buffer, frame.HEAD_SIZE, len(grant.buffer) - 4)
    assert reader.count == 0 and reader.values == [0, 0, 0]


def test_reader_refuses_other_layouts():
    reader = cyclic.CyclicReader(messages.GRANT)
    good = cyclic.Layout(messages.GRANT).payload((messages.GRANT, 1, 7, 100))
    for index in (0, 1, 2, 3, 7):
        other = bytearray(good)
        other[index] ^= 0x20
        assert not reader.read(other, 0, len(other))
    assert not reader.read(good, 0, len(good) - 1)
    assert reader.read(good, 0, len(good)) and reader.values == [1, 7, 100]


def _steady(host_frames, mcu, status, buffers):
    for index in range(len(host_frames)):
        now = 10 + index
        mcu.receive(buffers[index], now, len(host_frames[index]))
        mcu.tick(now)
        status.values[0] = index * 20000003
        assert mcu.stamp(status, now) is not None
        mcu.next_deadline()
        assert not mcu.ready()


def test_s5_steady_line_allocates_nothing():
    if viper is None:
        return
    reader = cyclic.CyclicReader(messages.GRANT)
    host, mcu = linked(reader)
    grant = cyclic.CyclicFrame(messages.GRANT)
    frames = []
    for stamp in range(40):
        grant.values[:] = [stamp, 1, 500]
        frames.append(bytes(host.stamp(grant, 10)))
    buffers = [bytearray(data) + bytearray(20) for data in frames]
    status = viper.CyclicFrame(messages.STATUS)
    _steady(frames[:2], mcu, status, buffers)  # the first frame of a size makes its view
    frames, buffers = frames[2:], buffers[2:]
    micropython.heap_lock()
    try:
        _steady(frames, mcu, status, buffers)
    finally:
        micropython.heap_unlock()
    assert reader.count == 40 and reader.values == [39, 1, 500] and mcu.refused == 0
