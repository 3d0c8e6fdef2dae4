"""`vsecc exi`: EXI documents as hex, a line each, to JSON and back."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable

from vsecc_host.v2g.exi import ExiError, Protocol, decode, encode
from vsecc_host.v2g.exi.json_notation import from_json, to_json

_EXAMPLE = "example: echo 809a004011d018004488cd115400 | vsecc exi decode --protocol din"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Registers the command."""
    parser = subparsers.add_parser(
        "exi",
        help="EXI <-> JSON, a line in, a line out",
        description="Reads lines from stdin and writes one for each: hex to JSON or JSON to hex. "
        'A bad line gives {"error": ..., "bit": ...} and exit status 1 at the end.',
        epilog=_EXAMPLE,
    )
    parser.add_argument("direction", choices=("decode", "encode"))
    parser.add_argument("--protocol", required=True, choices=[protocol.value for protocol in Protocol])
    parser.add_argument("--fragment", action="store_true", help="signed elements instead of whole messages")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Converts stdin to stdout; 1 if any line was bad."""
    convert: Callable[[Protocol, str, bool], str] = decode_line if args.direction == "decode" else encode_line
    protocol = Protocol(args.protocol)
    status = 0
    for line in sys.stdin.buffer:
        try:
            result = convert(protocol, line.decode("utf-8"), args.fragment)
        except ExiError as error:
            result = json.dumps({"error": str(error), "bit": error.bit_position})
            status = 1
        except (ValueError, RecursionError) as error:
            result = json.dumps({"error": str(error), "bit": None})
            status = 1
        print(result, flush=True)
    return status


def decode_line(protocol: Protocol, line: str, fragment: bool) -> str:
    """Hex to JSON."""
    message = decode(protocol, bytes.fromhex(line), fragment)
    return json.dumps(to_json(protocol, message, fragment), ensure_ascii=False)


def encode_line(protocol: Protocol, line: str, fragment: bool) -> str:
    """JSON to hex."""
    return encode(protocol, from_json(protocol, json.loads(line), fragment), fragment).hex()
