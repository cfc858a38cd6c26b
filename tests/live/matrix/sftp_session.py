"""One session of OpenSSH's sftp, fed a command at a time, so that the disk can be looked at between.

The client reads its batch from a pipe. After each command comes `lpwd`, whose line marks the end of
the command's output; whatever stands on standard error by then is the server's refusal.
"""
import fcntl
import os
import select
import subprocess

MARK = "Local working directory:"


class SftpSession:
    def __init__(self, link, login):
        key = os.path.join(link["clients"], "key-" + login)
        options = ["BatchMode=yes", "IdentitiesOnly=yes", "IdentityAgent=none",
                   "ConnectTimeout=20", "StrictHostKeyChecking=yes",
                   "GlobalKnownHostsFile=/dev/null", "UserKnownHostsFile=" + link["known_hosts"]]
        command = ["sftp", "-q", "-b", "-", "-F", "/dev/null", "-i", key,
                   "-P", str(link["sftp_port"])]
        for option in options:
            command += ["-o", option]
        self.process = subprocess.Popen(
            command + [login + "@127.0.0.1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        fcntl.fcntl(self.process.stderr, fcntl.F_SETFL, os.O_NONBLOCK)
        self.pending = b""
        self.run("pwd")

    def line(self):
        while b"\n" not in self.pending:
            if not select.select([self.process.stdout], [], [], 30)[0]:
                raise ConnectionError("the SFTP client says nothing for 30 s")
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk:
                words = self.refusal()
                self.close()
                raise ConnectionError("the SFTP session ended: " + words)
            self.pending += chunk
        line, self.pending = self.pending.split(b"\n", 1)
        return line.decode()

    def refusal(self):
        return (self.process.stderr.read() or b"").decode().strip()

    def run(self, command):
        """The lines printed, and whether the server did it."""
        try:
            self.process.stdin.write(f"-{command}\n-lpwd\n".encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # line() says why
        lines = []
        while not (line := self.line()).startswith(MARK):
            if not line.startswith("sftp> "):
                lines.append(line)
        return lines, not self.refusal()

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
