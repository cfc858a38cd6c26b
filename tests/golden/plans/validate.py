#!/usr/bin/env python3
"""Checks a JSON document on standard input against a JSON Schema (draft 2020-12).

    validate.py SCHEMA < document

Prints the first differences and exits 1 where the document doesn't fit. Formats (date-time) are
checked by the schema's patterns, so that no further package is needed.
"""
import json
import sys

import jsonschema


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    validator = jsonschema.Draft202012Validator
    validator.check_schema(schema)
    errors = sorted(validator(schema).iter_errors(json.load(sys.stdin)), key=lambda e: list(map(str, e.path)))
    for error in errors[:10]:
        where = "/".join(str(part) for part in error.absolute_path)
        print(f"{where or '(all)'}: {error.message[:400]}")
        for deeper in error.context or []:
            print(f"    {'/'.join(map(str, deeper.absolute_path))}: {deeper.message[:200]}")
    return 1 if errors else 0


sys.exit(main())
