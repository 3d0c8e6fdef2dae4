"""What every board shares. The pins the boot file must silence are the same on all boards.

CP1 and CP2 sit on PWM slices 0 and 1: the soft-reset clean-up of the firmware stops only slices 0 to 3.
"""

PILOT_PWM = (0, 2)
RELAY_PUMP = (6, 7, 8)

# Mirror contacts pull to ground while the relay is open: a broken wire reads as closed, hence as welded.
RELAY_FEEDBACK = (9, 10, 11)
RELAY_FEEDBACK_CLOSED = 1

UART_ID = 0
UART_TX = 12
UART_RX = 13
UART_BAUD = 921600

# DIP to ground when ON, pull-up: a broken wire reads as OFF, which leaves the supervision on.
DIP = (14, 15, 22, 3)
LOCK = (4, 5)

# One SPI bus: MCP3208 converter; 24 outputs (74HC595) with 8 inputs (74HC165 behind a tri-state buffer)
# that latch on the rising edge of their select.
SPI_ID = 0
SPI_SCK = 18
SPI_MOSI = 19
SPI_MISO = 16
SPI_HZ = 1_000_000
CONVERTER_SELECT = 17
EXPANDER_SELECT = 20
CONVERTER_PROXIMITY = (0, 1)
CONVERTER_ANALOG = (2, 3)
CONVERTER_SUPPLY = 4

# Full scale (code 4096) of each divider in mV; the pilot's spans -15 V to +15 V.
PILOT_ZERO_MV = -15000
PILOT_SPAN_MV = 30000
PROXIMITY_SPAN_MV = 6000
ANALOG_SPAN_MV = 11000
SUPPLY_SPAN_MV = 36000

# Registers that have no name in the documented modules; offsets within a block are equal on both chips.
RP2040 = {"adc_base": 0x4004C000, "adc_dreq": 36, "scratch": 0x4005800C}
RP2350 = {"adc_base": 0x400A0000, "adc_dreq": 48, "scratch": 0x400D800C}
