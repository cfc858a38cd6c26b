#!/usr/bin/env python3
"""measure.py BIN [NAME...]: the benches behind run.sh; BIN is the folder with the programs.

Names: plan-noop, apply, ldap-read, acl-read, host-read, raise, scim-read, roles, import-parse,
deliver (N MiB), export-csv; NAME:N for one size, as plan-noop:10000. One JSON object a line.
Times are medians (see REPEATS); cpu_s is user and system time of the core and the providers it has
reaped; rss_mib is the core's peak alone. A run that doesn't do what it should ends the bench.
At its end it says on stderr which bounds (README.md) weren't met, and exits with 1 then.
"""
import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SIZES = {"plan-noop": [1_000, 10_000, 100_000, 1_000_000], "apply": [1_000, 10_000, 100_000],
         "ldap-read": [100_000], "acl-read": [100_000], "host-read": [20_000],
         "raise": [10_000], "scim-read": [10_000], "roles": [10_000, 50_000, 100_000],
         "import-parse": [1_000_000], "deliver": [1024], "export-csv": [100_000]}
# Exponents are taken over these sizes, as the bounds are.
SPAN = {"plan-noop": (10_000, 1_000_000), "apply": (1_000, 100_000), "roles": (10_000, 100_000)}
# Bench -> at which size, which figure, at most what. A row of exponents has the size "span".
BOUNDS = {
    "plan-noop": [(100_000, "ratio", 4), (100_000, "rss_mib", 400), ("span", "exponent", 1.1)],
    "apply": [(10_000, "cpu_s", 3), ("span", "exponent", 1.1)],
    "ldap-read": [(100_000, "ratio", 1)],
    "acl-read": [(100_000, "ratio", 1.2)],
    "host-read": [(20_000, "ratio", 2)],
    "scim-read": [(10_000, "ratio", 1.1)],
    "raise": [(10_000, "cpu_s", 1)],
    "roles": [(100_000, "cpu_s", 3), ("span", "exponent", 1.1)],
    "import-parse": [(1_000_000, "ratio", 0.5), (1_000_000, "rss_mib", 64)],
    "export-csv": [(100_000, "ratio", 1.2)],
    "deliver": [(1024, "ratio", 1.43)],
}


def repeats(bench, count):
    if bench == "plan-noop" and count >= 1_000_000:
        return 3
    return 3 if bench == "apply" and count >= 100_000 else 5


class Run:
    """One program run to its end: cpu, wall, peak memory of the program itself, exit code."""

    def __init__(self, command, folder, log):
        started = time.monotonic()
        with open(log, "wb") as out:
            child = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out,
                                     stderr=subprocess.STDOUT)
            self.peak_kib = 0
            watcher = threading.Thread(target=self.watch, args=(child.pid,))
            watcher.start()
            _, status, usage = os.wait4(child.pid, 0)
            self.wall = time.monotonic() - started
            child.returncode = self.code = os.waitstatus_to_exitcode(status)
            watcher.join()
        self.cpu = usage.ru_utime + usage.ru_stime

    def watch(self, pid):
        # wait4's ru_maxrss is the largest of the program and what it reaped; the kernel's own mark
        # of the program alone is read while it lives.
        while True:
            try:
                with open(f"/proc/{pid}/status") as status:
                    found = re.search(r"VmHWM:\s*(\d+)", status.read())
            except OSError:
                return
            if not found:
                return  # it has ended and waits to be reaped
            self.peak_kib = max(self.peak_kib, int(found.group(1)))
            time.sleep(0.01)


def fail(text, log=None):
    if log:
        with open(log, errors="replace") as file:
            text += "\n" + file.read()[-3000:]
    sys.exit("bench: " + text)


unmet = []


def check(row):
    """Notes the bounds of the row's bench that it doesn't meet."""
    size = row["n"] if isinstance(row["n"], int) else "span"
    for at, figure, most in BOUNDS.get(row["bench"], []):
        if at == size and row[figure] > most:
            unmet.append(f"{row['bench']}: {figure} is {row[figure]}, the bound is {most}")


def show(**row):
    for name, value in row.items():
        if isinstance(value, float):
            row[name] = round(value, 3)
    print(json.dumps(row), flush=True)
    check(row)


class Bench:
    def __init__(self, programs, folder):
        self.programs, self.folder = programs, folder
        self.log = folder + "/log"

    def postern(self, base, *arguments):
        command = [self.programs + "/postern", "--operator", base + "/operator/postern.toml",
                   "--no-color", "--quiet", *arguments]
        return Run(command, base, self.log)

    def generate(self, count, *options):
        base = f"{self.folder}/{count}"
        subprocess.run([sys.executable, HERE + "/generate.py", str(count), base, *options],
                       check=True)
        return base

    def apply(self, base, tracer=(), fresh=True):
        for path in (base + "/edge.world", base + "/operator/.postern") if fresh else ():
            shutil.rmtree(path, ignore_errors=True)
            if os.path.exists(path):
                os.remove(path)
        if tracer:
            command = [*tracer, self.programs + "/postern", "--operator",
                       base + "/operator/postern.toml", "--no-color", "--quiet", "apply", "--yes"]
            run = Run(command, base, self.log)
        else:
            run = self.postern(base, "apply", "--yes")
        if run.code != 0:
            fail(f"apply ended with {run.code}", self.log)
        return run

    def check_noop(self, base):
        run = self.postern(base, "plan", "--detailed-exitcode")
        if run.code != 0:
            fail(f"a second plan isn't empty: exit code {run.code}", self.log)
        return run

    def plan_noop(self, count):
        # The world is there already; the apply takes all of it into the ledger, object by object.
        base = self.generate(count, "--live")
        self.apply(base, fresh=False)
        peer_command = [self.programs + "/bench_toml_peer", base + "/operator", base + "/access"]
        runs, peers = [], []
        for _ in range(repeats("plan-noop", count)):
            peer = Run(peer_command, base, self.log)
            if peer.code != 0:
                fail("the peer failed", self.log)
            peers.append(peer)
            runs.append(self.check_noop(base))
        shutil.rmtree(base)
        return self.report("plan-noop", count, runs, [peer.cpu for peer in peers],
                           [run.cpu / peer.cpu for run, peer in zip(runs, peers)])

    def apply_creates(self, count):
        base = self.generate(count)
        runs = [self.apply(base) for _ in range(repeats("apply", count))]
        fsyncs = self.count_fsyncs(base)
        self.check_noop(base)
        shutil.rmtree(base)
        return self.report("apply", count, runs, [], [], fsyncs=fsyncs)

    def count_fsyncs(self, base):
        """The kernel's count over core and providers, in a run of its own: tracing slows."""
        table = self.folder + "/strace"
        self.apply(base, ("strace", "-f", "-qq", "-c", "-o", table, "-e",
                          "trace=fsync,fdatasync,sync_file_range,msync,sync,syncfs"))
        with open(table) as file:
            rows = [line.split() for line in file]
        return sum(int(row[3]) for row in rows if row and row[-1] in ("fsync", "fdatasync", "msync",
                                                                     "sync", "syncfs"))

    def program(self, *command):
        """A bench that is a program of its own and prints its line itself."""
        result = subprocess.run([f"{self.programs}/{command[0]}", *command[1:]],
                                stdout=subprocess.PIPE, check=True, text=True)
        print(result.stdout, end="", flush=True)
        row = json.loads(result.stdout)
        check(row)
        return row.get("cpu_s")

    def ldap_read(self, count):
        return self.program("bench_ldap_read", str(count))

    def scim_read(self, count):
        return self.program("bench_scim_read", str(count))

    def raised(self, count):
        return self.program("bench_raise", str(count))

    def roles(self, count):
        return self.program("bench_roles", str(count))

    def deliver(self, count):
        return self.program("bench_deliver", str(count))

    def export_csv(self, count):
        return self.program("bench_export_csv", str(count))

    def import_parse(self, count):
        """Our reader with every check on, beside Python's csv reader that only splits."""
        roster = self.folder + "/roster.csv"
        with open(roster, "w", encoding="utf-8", newline="") as out:
            out.write("ID,GIVEN,FAMILY,MAIL,DEPT,TITLE,PHONE,UNTIL\r\n")
            for i in range(count):
                dept = '"Sales, North"' if i % 7 == 0 else "Marketing"
                title = '"Head ""of"" it"' if i % 31 == 0 else "Consultant"
                out.write(f"A{i:07d},Zo\u00eb{i % 100},M\u00fcller-{i % 1000},user{i}@acme.test,"
                          f"{dept},{title},0{i % 10_000_000:08d},2027-{1 + i % 12:02d}-15\r\n")
        peer_command = [sys.executable, "-c", "import csv, sys\n"
                        "rows = csv.reader(open(sys.argv[1], newline='', encoding='utf-8'))\n"
                        "print(sum(1 for row in rows))", roster]
        runs, peers = [], []
        for _ in range(repeats("import-parse", count)):
            peers.append(Run(peer_command, self.folder, self.log))
            runs.append(Run([self.programs + "/bench_import", roster], self.folder, self.log))
            for run in (peers[-1], runs[-1]):
                if run.code != 0:
                    fail("a reader of the roster failed", self.log)
            with open(self.log) as log:
                if not log.read().startswith(f"{count} rows, "):
                    fail("not every row was taken", self.log)
        os.remove(roster)
        return self.report("import-parse", count, runs, [peer.cpu for peer in peers],
                           [run.cpu / peer.cpu for run, peer in zip(runs, peers)])

    def acl_read(self, count):
        return self.program("bench_host_read", "acl", str(count))

    def host_read(self, count):
        return self.program("bench_host_read", "keys", str(count))

    def report(self, bench, count, runs, peers, ratios, **more):
        cpu = statistics.median(run.cpu for run in runs)
        show(bench=bench, n=count, cpu_s=cpu,
             wall_s=statistics.median(run.wall for run in runs),
             rss_mib=max(run.peak_kib for run in runs) // 1024,
             peer=statistics.median(peers) if peers else None,
             ratio=statistics.median(ratios) if ratios else None, runs=len(runs), **more)
        return cpu


def main():
    programs = os.path.abspath(sys.argv[1])
    folder = tempfile.mkdtemp(prefix="postern-bench-")
    bench = Bench(programs, folder)
    run = {"plan-noop": bench.plan_noop, "apply": bench.apply_creates, "ldap-read": bench.ldap_read,
           "acl-read": bench.acl_read, "host-read": bench.host_read,
           "raise": bench.raised, "scim-read": bench.scim_read, "roles": bench.roles,
           "import-parse": bench.import_parse, "deliver": bench.deliver,
           "export-csv": bench.export_csv}
    try:
        for word in sys.argv[2:] or list(SIZES):
            name, _, size = word.partition(":")
            if name not in SIZES:
                fail(f"there is no bench {name}; there are {', '.join(SIZES)}")
            sizes = [int(size)] if size else SIZES[name]
            cpu = {count: run[name](count) for count in sizes}
            first, last = SPAN.get(name, (0, 0))
            if first in cpu and last in cpu:
                exponent = math.log(cpu[last] / cpu[first]) / math.log(last / first)
                show(bench=name, n=[first, last], exponent=exponent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for text in unmet:
        print("bench: " + text, file=sys.stderr)
    sys.exit(1 if unmet else 0)


if __name__ == "__main__":
    main()
