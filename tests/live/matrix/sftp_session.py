"""One session of OpenSSH's sftp, fed a command at a time, so that the disk can be looked at between.

The client reads its batch from a pipe. After each command comes `lpwd`, whose line marks the end of
the command's output; whatever stands on standard error by then is the server's refusal.

Ways in: `key` (clients/key-LOGIN), `certificate` (clients/cert-LOGIN, and -cert.pub beside it),
`password` (clients/login-LOGIN, asked for by clients/askpass, as batch mode asks for nothing).
"""
import fcntl
import os
import select
import subprocess

MARK = "Local working directory:"


def ways_in(link, login, way):
    """Options of the client, and its environment."""
    clients = link["clients"]
    if way == "password":
        asking = {"SSH_ASKPASS": os.path.join(clients, "askpass"), "SSH_ASKPASS_REQUIRE": "force",
                  "ASK_FOR": os.path.join(clients, "login-" + login)}
        return (["-oPubkeyAuthentication=no", "-oNumberOfPasswordPrompts=1"],
                dict(os.environ, **asking))
    if way == "certificate":
        name = os.path.join(clients, "cert-" + login)
        return ["-b", "-", "-oBatchMode=yes", "-i", name, f"-oCertificateFile={name}-cert.pub"], None
    return ["-b", "-", "-oBatchMode=yes", "-i", os.path.join(clients, "key-" + login)], None


class SftpSession:
    def __init__(self, link, login, way="key"):
        options, env = ways_in(link, login, way)
        command = ["sftp", "-q", "-F", "/dev/null", "-P", str(link["sftp_port"])] + options
        for option in ("IdentitiesOnly=yes", "IdentityAgent=none", "ConnectTimeout=20",
                       "StrictHostKeyChecking=yes", "GlobalKnownHostsFile=/dev/null",
                       "UserKnownHostsFile=" + link["known_hosts"]):
            command += ["-o", option]
        self.process = subprocess.Popen(
            command + [login + "@127.0.0.1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=env)
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
