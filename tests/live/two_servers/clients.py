"""The ways into the two servers, each with a real client."""
import ftplib
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "matrix"))
from oracle import Ftp, Sftp  # noqa: E402

# server, protocol, login method. The first of a server and protocol is tried in every folder.
WAYS = [
    ("ftp", "ftp", "password"),
    ("ftp", "sftp", "key"),
    ("ftp", "sftp", "password"),
    ("sftp", "sftp", "key"),
    ("sftp", "sftp", "password"),
    ("sftp", "sftp", "certificate"),
]
SECONDARY = {WAYS[2], WAYS[4], WAYS[5]}


def enter(link, login, way):
    """A session, or the words of the refusal."""
    server, protocol, method = way
    try:
        if protocol == "ftp":
            return Ftp(link, login), ""
        port = link["sftp_port" if server == "ftp" else "sshd_port"]
        return Sftp(dict(link, sftp_port=port), login, method), ""
    except (ftplib.Error, ConnectionError, EOFError) as error:
        return None, str(error)


class View:
    """A folder as one try names it: which file is tried, and what it is renamed to."""

    def __init__(self, seen, child, renamed):
        self.names = {"old.txt": os.path.join(seen, child), "moved.txt": renamed}
        self.seen = seen

    def at(self, name):
        return self.names.get(name, os.path.join(self.seen, name))
