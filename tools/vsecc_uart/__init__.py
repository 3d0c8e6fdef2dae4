"""The UART debug tool: decode, watch, record, replay and disturb the line between MCU and host."""
