"""Which address of an interface may be used, and which sources are listened to."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from vsecc_host.v2g.endpoint import Endpoint, interface_of, link_local_address

TABLE = """\
fe80000000000000e080dffffe96ae2a 03 40 20 80 eth1
fe800000000000000000000000000002 04 40 20 c0 eth2
20010db8000000000000000000000001 03 40 00 80 eth1
00000000000000000000000000000001 01 80 10 80 lo
fe800000000000000000000000000005 05 40 20 88 eth3
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "if_inet6"
    path.write_text(TABLE)
    return path


def test_the_link_local_address_is_found(table: Path) -> None:
    assert link_local_address("eth1", table) == "fe80::e080:dfff:fe96:ae2a"


@pytest.mark.parametrize("interface", ["eth2", "eth3", "eth9", "lo"])  # tentative, failed, absent, none
def test_no_usable_address(interface: str, table: Path) -> None:
    with pytest.raises(OSError, match=f"interface {interface} has no usable"):
        link_local_address(interface, table)


def test_a_machine_without_ipv6(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no IPv6"):
        link_local_address("eth1", tmp_path / "missing")


def test_interface_of_an_url() -> None:
    assert interface_of("iface://eth1?slac=off") == "eth1"
    assert interface_of("sim://") == ""


@pytest.mark.parametrize(
    ("source", "accepted"),
    [
        (("fe80::1%eth1", 1, 0, 3), True),
        (("fe80::1", 1, 0, 3), True),
        (("fe80::1%eth2", 1, 0, 4), False),
        (("2001:db8::1", 1, 0, 3), False),
        (("192.0.2.1", 1), False),
    ],
)
def test_only_link_local_sources_of_the_interface(source: tuple[str, int], accepted: bool) -> None:
    with socket.socket() as one, socket.socket(type=socket.SOCK_DGRAM) as other:
        endpoint = Endpoint(
            listener=one,
            discovery=other,
            address=bytes(16),
            port=1,
            scope_id=3,
            interface="eth1",
            sdp_address=("", 0),
        )
        assert endpoint.accepts(source) is accepted
