#!/usr/bin/env python3
"""Runs the OTDS server of the tests in the foreground; README.md says what it is and isn't."""
import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import control  # noqa: E402
import face  # noqa: E402
import loopback  # noqa: E402
import world  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of the protocol; 0: the kernel chooses")
    parser.add_argument("--control-port", type=int, default=0, help="of the side door")
    parser.add_argument("--users", type=int, default=50, help="in partition Corp")
    parser.add_argument("--groups", type=int, default=5, help="in partition Corp")
    parser.add_argument("--synchronized", type=int, default=5, help="users in the synchronized partition AD")
    parser.add_argument("--prefix", default="", help="such as /otdstenant/acme")
    parser.add_argument("--slow-start", type=float, default=0.0, help="seconds of HTML with 503 at first")
    options = parser.parse_args()
    first_face = face.Face(world.World(lambda first: populate(first, options)), options.prefix, options.slow_start)
    protocol = loopback.Server(face.handler_of(first_face), options.port)
    side_door = loopback.Server(control.handler_of(control.Control(first_face)), options.control_port)
    loopback.run([protocol, side_door], {
        "url": f"http://127.0.0.1:{protocol.port}{first_face.prefix}",
        "control": f"http://127.0.0.1:{side_door.port}"})


def populate(first, options):
    """The first world, and the OAuth client that the provider logs in with."""
    world.seed(first, options.users, options.groups, options.synchronized)
    first.add("user", "OAuthClients", "postern")
    first.clients["postern"] = {"id": "postern", **face.access.CLIENT_DEFAULTS, "secret": "postern-client-secret"}


if __name__ == "__main__":
    main()
