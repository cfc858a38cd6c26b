#!/usr/bin/env python3
"""Checks that includes go one way between the folders (README.md, "The house").

base <- diag <- object <- {config, access, ledger, provider} <- {compile, observe} <- plan <- {apply, jobs}
<- view <- cmd; providers on object, access and their sdk; gRPC in .cc of core/provider and providers/sdk only.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ORDER = [["base"], ["diag"], ["object", "times"], ["config", "access", "ledger", "provider"],
         ["compile", "observe"], ["plan"], ["apply", "jobs"], ["view"]]
LEVEL = {f"core/{name}": level for level, names in enumerate(ORDER) for name in names}
LEVEL["cmd/postern"] = len(ORDER)
# Of jobs, but pure and wanted further down: a schedule is checked where it is declared, and a job is sealed and its
# timer written where it is compiled.
TRANSPORT = "providers/filetransfer/transport/"
TIMES = ("core/jobs/schedule/", "core/jobs/zone.", "core/jobs/spec.")
FOR_PROVIDERS = {"core/base", "core/diag", "core/object"}
GRPC = re.compile(r"grpc(pp|\+\+)?/|.*\.grpc\.pb\.h$")
WIRE = "schemas/provider.pb.h"  # the protocol's messages, without service: in .cc of object and providers too
INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^">]+)[">]')


def folder_of(path):
    if path.startswith(TIMES):
        return "core/times"
    if path.startswith(TRANSPORT):
        return "transport"
    return "/".join(path.split("/")[:2])


def allowed(source, target):
    if source == "transport":
        source = "providers/filetransfer"
    if source == target or not target.startswith(("core/", "cmd/", "providers/", "tests/", "transport")):
        return True
    if source == "providers/filetransfer" and target == "transport":
        return True
    if source == "cmd/postern":
        return not target.startswith("tests/")
    if source == "providers/sdk":
        return target in FOR_PROVIDERS
    # Delivery opens SFTP over the same connection with a pinned host key as the host's transport.
    if (source, target) == ("providers/delivery", "providers/filetransfer"):
        return True
    if source.startswith("providers/"):
        return target in FOR_PROVIDERS | {"core/access", "core/times", "providers/sdk", "transport"}
    return source in LEVEL and LEVEL.get(target, 99) < LEVEL[source]


def complaints(path, text):
    source = folder_of(path)
    speaks = path.endswith(".cc") and source in ("core/provider", "providers/sdk")
    wire_may = speaks or (path.endswith(".cc") and
                          source.startswith(("core/object", "core/observe", "providers/")))
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        if not allowed(source, folder_of(match[1])):
            yield f"{path}:{number}: {source} must not include {match[1]}"
        if (GRPC.match(match[1]) and not speaks) or (match[1] == WIRE and not wire_may):
            yield f"{path}:{number}: {match[1]} not here"


def main():
    files = subprocess.run(["git", "ls-files", "core/*.h", "core/*.cc", "cmd/*.h", "cmd/*.cc",
                            "providers/*.h", "providers/*.cc"],
                           cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    found = [line for path in files if (ROOT / path).exists()
             for line in complaints(path, (ROOT / path).read_text())]
    print("\n".join(found + [f"includes: {len(files)} files looked at"]))
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
