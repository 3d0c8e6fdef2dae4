"""Ports as users name them, and why one does not open."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import serial

from vsecc_host.mcu_flash.errors import FlashError


def device_path(port: str) -> str:
    """What pyserial opens for a port: a path, `pty:///PATH`, `serial:///PATH` or `tcp://HOST:PORT`."""
    parts = urlsplit(port)
    if parts.scheme == "tcp":
        try:
            number = parts.port
        except ValueError:  # no number, or none that a port can have
            number = None
        if not parts.hostname or not number:
            raise FlashError(f"{port}: expected tcp://HOST:PORT")
        return f"socket://{parts.hostname}:{number}"
    if parts.scheme in ("pty", "serial"):
        return os.path.realpath(parts.netloc + parts.path)
    if parts.scheme:
        raise FlashError(f"{port}: expected a device, pty:///PATH or tcp://HOST:PORT")
    return os.path.realpath(port)


def last_line(text: str) -> str:
    """The one that says what went wrong."""
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""


def why_not(port: str, path: str, error: Exception) -> str:
    """Why a port cannot be opened; mpremote hides the reason."""
    if not path.startswith("socket://"):
        if not Path(path).exists():
            return f"{port}: no device there"
        if not Path(path).is_char_device():
            return f"{port}: is no serial port"
    try:
        serial.serial_for_url(path, exclusive=True, timeout=1).close()
    except (OSError, ValueError) as reason:
        text = str(reason)
        if "lock" in text.lower() or "busy" in text.lower():
            return f"{port}: busy, another program has it open"
        if "denied" in text.lower():
            return f"{port}: permission denied (is this user in the group dialout?)"
        if "ioctl" in text:
            return f"{port}: is no serial port"
        return f"{port}: {last_line(text)}"
    return f"{port}: {error}"
