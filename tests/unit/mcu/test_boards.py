"""Pin tables: nothing used twice, and the boot file silences what the boards drive."""

import mcu
from mcu.boards import choose, common, pico, pico2, reference

BOARDS = (pico, pico2, reference)
SPAN_BITS = 30


def pins_of(board):
    single = [
        board.UART_TX,
        board.UART_RX,
        board.SPI_SCK,
        board.SPI_MOSI,
        board.SPI_MISO,
        board.CONVERTER_SELECT,
        board.EXPANDER_SELECT,
        board.EXPANDER_RESET,
        board.BUTTON,
    ]
    for optional in (board.LOCK_CONVERTER_SELECT, board.TEMPERATURE_SELECT):
        if optional is not None:
            single.append(optional)
    groups = (board.PILOT_PWM, board.RELAY_PUMP, board.RELAY_FEEDBACK, board.DIP, board.LOCK, board.PILOT_ADC)
    groups += (board.LOCK_DIRECTION or (), board.LOCK_FAULT or ())
    pins = list(single)
    for group in groups:
        pins += list(group)
    return pins


def test_no_pin_is_used_twice():
    for board in BOARDS:
        pins = pins_of(board)
        assert len(set(pins)) == len(pins), board.NAME


def test_pilots_and_lock_motors_are_on_slices_that_a_soft_reset_stops():
    for board in BOARDS:
        for pin in board.PILOT_PWM + board.LOCK:
            assert (pin >> 1) & 7 <= 3


def test_boot_file_silences_pumps_pilots_and_locks_before_anything_else():
    path = mcu.__file__.replace("\\", "/").rsplit("/", 1)[0] + "/boot.py"
    with open(path) as stream:
        lines = [line for line in stream.read().split("\n") if line and line[0] not in '#"']
    assert lines[0] == "from machine import Pin"
    assert lines[1].startswith("for _number in (") and "Pin(_number, Pin.OUT, value=0)" in lines[2]
    numbers = lines[1][lines[1].index("(") + 1 : lines[1].index(")")]
    silenced = {int(number) for number in numbers.split(",")}
    assert silenced == set(common.RELAY_PUMP + common.PILOT_PWM + common.LOCK + (common.EXPANDER_RESET,))


def test_board_follows_from_the_machine_text():
    assert choose("Raspberry Pi Pico with RP2040") is pico
    assert choose("Raspberry Pi Pico2 with RP2350") is pico2
    assert choose("Raspberry Pi Pico 2 with RP2350") is pico2
    assert choose("something with RP2350B") is reference


def test_conversions_stay_small_integers():
    for board in BOARDS:
        assert 4095 * 8 * board.PILOT_SPAN_MV < 1 << SPAN_BITS
        for span in (
            board.PROXIMITY_SPAN_MV,
            board.ANALOG_SPAN_MV,
            board.SUPPLY_SPAN_MV,
            board.CC1_SPAN_MV,
            board.REFERENCE_SPAN_MV,
        ):
            assert 4095 * span < 1 << SPAN_BITS
            assert span * 16384 * 11 // 10 < 1 << SPAN_BITS


def test_pins_exist_on_the_board():
    for board, last, missing in ((pico, 28, (23, 24, 25)), (pico2, 28, (23, 24, 25)), (reference, 47, ())):
        for pin in pins_of(board):
            assert 0 <= pin <= last and pin not in missing, (board.NAME, pin)


def test_analog_and_expander_numbers_are_used_once():
    for board in BOARDS:
        channels = board.CONVERTER_PROXIMITY + board.CONVERTER_ANALOG + board.CONVERTER_CC1
        channels += (board.CONVERTER_SUPPLY, board.CONVERTER_REFERENCE)
        assert sorted(channels) == list(range(8))
        chips = (board.EXPANDER_OUTPUTS, board.EXPANDER_OVERLOAD, board.EXPANDER_INPUTS)
        fitted = [address for address in chips if address is not None]
        assert len(set(fitted)) == len(fitted) and max(fitted) <= 7
        if board.TEMPERATURE_INPUTS:
            inputs = board.TEMPERATURE_INPUTS + (board.TEMPERATURE_REFERENCE,)
            assert len(set(inputs)) == 10 and max(inputs) <= 15
