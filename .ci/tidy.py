#!/usr/bin/env python3
"""clang-tidy over the .cc files of the last 20 commits, those of the newest first and 24 at most (--all:
all), with what was clean remembered.

A file is clean for as long as itself, every header of ours that it includes (ninja knows them), its
compile command, .clang-tidy and clang-tidy's version are the same: build/tidy holds one empty file for
each such combination. Files without a place in the build (generated code too) are left out.
"""
import argparse
import concurrent.futures
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
TIDY = "clang-tidy-14"
MOST = 24  # some 20 s each: the gate has other things to do


def output(*command):
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def chosen_files(everything):
    if everything:
        names = output("git", "ls-files", "*.cc").split()
    else:
        names = output("git", "log", "-20", "--name-only", "--pretty=", "--", "*.cc").split()
    there = [name for name in dict.fromkeys(names) if (ROOT / name).exists()]
    return sorted(there if everything else there[:MOST])


def headers_by_object(build):
    """object file -> its dependencies inside the repository, as ninja recorded them."""
    found, current = {}, None
    for line in output("ninja", "-C", str(build), "-t", "deps").splitlines():
        if line and not line[0].isspace():
            current = found.setdefault(line.split(": #deps")[0], [])
        elif line.strip() and current is not None:
            path = (build / line.strip()).resolve()
            if path.is_relative_to(ROOT):
                current.append(path)
    return found


def digest_of(path, memo={}):
    if path not in memo:
        memo[path] = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "gone"
    return memo[path]


def key_of(entry, headers, common):
    target = entry.get("output", entry["command"].split(" -o ")[1].split(" ")[0])
    parts = [common, entry["command"], digest_of(pathlib.Path(entry["file"]))]
    parts += [f"{path}={digest_of(path)}" for path in sorted(headers.get(target, []))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def without_precompiled(entry):
    """The entry as clang-tidy is to read it: without gcc's precompiled headers, which clang can't read
    and which would hide that a file includes too little; without warnings that only gcc has."""
    command = re.sub(r" (-Winvalid-pch|-fpch-preprocess|-include \S+/cmake_pch\.hxx|"
                     r"-Wno-restrict|-Wno-stringop-over(flow|read))(?= )", "", entry["command"])
    return entry | {"command": command}


def check(database, name, stamp):
    begin = time.monotonic()
    done = subprocess.run([TIDY, "-p", str(database), "--quiet", name], cwd=ROOT,
                          capture_output=True, text=True)
    if done.returncode == 0:
        stamp.touch()
    return done.returncode, done.stdout + done.stderr, time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--build", default="build")
    arguments = parser.parse_args()
    build = (ROOT / arguments.build).resolve()
    if not (build / "build.ninja").exists() or not (build / "compile_commands.json").exists():
        print(f"clang-tidy: {arguments.build} is not built", file=sys.stderr)
        return 1
    stamps = build / "tidy"
    stamps.mkdir(parents=True, exist_ok=True)
    entries = {str(pathlib.Path(entry["file"]).resolve().relative_to(ROOT)): without_precompiled(entry)
               for entry in json.loads((build / "compile_commands.json").read_text())
               if pathlib.Path(entry["file"]).resolve().is_relative_to(ROOT)}
    (stamps / "compile_commands.json").write_text(json.dumps(list(entries.values())))
    names = chosen_files(arguments.all)
    headers = headers_by_object(build)
    common = output(TIDY, "--version") + (ROOT / ".clang-tidy").read_text()
    wanted = {name: stamps / key_of(entries[name], headers, common)
              for name in names if name in entries}
    todo = {name: stamp for name, stamp in wanted.items() if not stamp.exists()}
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        runs = {pool.submit(check, stamps, name, stamp): name for name, stamp in todo.items()}
        for run in concurrent.futures.as_completed(runs):
            code, text, seconds = run.result()
            print(f"{'clean' if code == 0 else 'FOUND'} {seconds:5.1f} s  {runs[run]}", flush=True)
            if code != 0:
                bad += 1
                print(text, flush=True)
    print(f"clang-tidy: {len(wanted)} files, {len(wanted) - len(todo)} known to be clean, "
          f"{bad} with findings, {len(names) - len(wanted)} not built")
    return 1 if bad or (arguments.all and not wanted) else 0


if __name__ == "__main__":
    sys.exit(main())
