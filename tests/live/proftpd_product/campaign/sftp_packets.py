"""SFTP version 3, packet by packet, over OpenSSH's `ssh -s`: what a client of any kind can send.

OpenSSH's own `sftp` asks for more than it needs (STAT before a read, a mode with an upload), so a
refusal of it doesn't mean that the server refuses the right.
"""
import os
import select
import struct
import subprocess

READ, WRITE, APPEND, CREATE, TRUNCATE = 0x1, 0x2, 0x4, 0x8, 0x10
OK, EOF = 0, 1


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">I", len(data)) + data


class Refused(Exception):
    pass


class SftpPackets:
    def __init__(self, link, login, address="127.0.0.1"):
        options = ["BatchMode=yes", "IdentitiesOnly=yes", "IdentityAgent=none",
                   "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null",
                   "GlobalKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=20",
                   "PreferredAuthentications=publickey"]
        command = ["ssh", "-F", "/dev/null", "-b", address, "-i", link["key"],
                   "-p", str(link["sftp_port"])]
        for option in options:
            command += ["-o", option]
        self.process = subprocess.Popen(
            command + ["-s", login + "@127.0.0.1", "sftp"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.pending = b""
        self.id = 0
        self.send(1, struct.pack(">I", 3))
        self.packet()

    def send(self, kind, body):
        try:
            self.process.stdin.write(struct.pack(">IB", len(body) + 1, kind) + body)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # packet() says so

    def take(self, count):
        while len(self.pending) < count:
            if not select.select([self.process.stdout], [], [], 30)[0]:
                raise ConnectionError("the SFTP server says nothing for 30 s")
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk:
                self.close()
                raise ConnectionError("the SFTP session ended")
            self.pending += chunk
        data, self.pending = self.pending[:count], self.pending[count:]
        return data

    def packet(self):
        length, = struct.unpack(">I", self.take(4))
        body = self.take(length)
        return body[0], body[1:]

    def ask(self, kind, body):
        """The kind and body of the answer, without its id; Refused for any status but ok."""
        self.id += 1
        self.send(kind, struct.pack(">I", self.id) + body)
        while True:
            answer, data = self.packet()
            if struct.unpack(">I", data[:4])[0] == self.id:
                break
        data = data[4:]
        if answer == 101 and struct.unpack(">I", data[:4])[0] != OK:
            raise Refused(struct.unpack(">I", data[:4])[0])
        return answer, data

    def handle(self, kind, body):
        data = self.ask(kind, body)[1]
        return data[4:4 + struct.unpack(">I", data[:4])[0]]

    def open(self, path, flags):
        return self.handle(3, text(path) + struct.pack(">II", flags, 0))

    def close_handle(self, handle):
        try:
            self.ask(4, text(handle))
        except Refused:
            pass

    def names(self, folder):
        handle = self.handle(11, text(folder))
        found = []
        try:
            while True:
                data = self.ask(12, text(handle))[1]
                count, = struct.unpack(">I", data[:4])
                at = 4
                for _ in range(count):
                    size, = struct.unpack(">I", data[at:at + 4])
                    found.append(data[at + 4:at + 4 + size].decode())
                    at += 4 + size
                    size, = struct.unpack(">I", data[at:at + 4])
                    at += 4 + size
                    at = self.past_attributes(data, at)
        except Refused:
            pass
        self.close_handle(handle)
        return found

    @staticmethod
    def past_attributes(data, at):
        flags, = struct.unpack(">I", data[at:at + 4])
        at += 4 + (8 if flags & 1 else 0) + (8 if flags & 2 else 0)
        at += (4 if flags & 4 else 0) + (8 if flags & 8 else 0)
        if flags & 0x80000000:
            count, = struct.unpack(">I", data[at:at + 4])
            at += 4
            for _ in range(2 * count):
                size, = struct.unpack(">I", data[at:at + 4])
                at += 4 + size
        return at

    def read(self, path):
        handle = self.open(path, READ)
        try:
            data = self.ask(5, text(handle) + struct.pack(">QI", 0, 4096))[1]
            return data[4:4 + struct.unpack(">I", data[:4])[0]]
        finally:
            self.close_handle(handle)

    def write(self, path, flags, content):
        handle = self.open(path, flags)
        try:
            self.ask(6, text(handle) + struct.pack(">Q", 0) + text(content))
        finally:
            self.close_handle(handle)

    def remove(self, path):
        self.ask(13, text(path))

    def make_folder(self, path):
        self.ask(14, text(path) + struct.pack(">I", 0))

    def remove_folder(self, path):
        self.ask(15, text(path))

    def rename(self, source, target):
        self.ask(18, text(source) + text(target))

    def set_mode(self, path, mode):
        self.ask(9, text(path) + struct.pack(">II", 4, mode))

    def set_size(self, path, size):
        self.ask(9, text(path) + struct.pack(">IQ", 1, size))

    def set_mode_of_handle(self, path, flags, mode):
        handle = self.open(path, flags)
        try:
            self.ask(10, text(handle) + struct.pack(">II", 4, mode))
        finally:
            self.close_handle(handle)

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self.process.stdout.close()
