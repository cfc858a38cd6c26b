"""Which request meets which fault: rules in order, the first that applies decides.

A rule is {"fault": KIND, ...}: `method` and `path` (a regular expression, searched) choose requests, `skip` leaves
the first ones alone, `count` ends the rule after so many, `rate` (0 to 1) throws a seeded die for each. What else
a fault reads stands in README.md.
"""
import random
import re

KINDS = {"answer", "edit", "too-many", "error", "cut-before", "cut-after", "cut-middle", "stall", "slow",
         "truncated", "html", "endless", "deep", "redirect", "map", "gone", "kill"}
KEYS = {"fault", "method", "path", "skip", "count", "rate", "status", "headers", "body", "set", "delete",
        "value", "retry_after", "seconds", "piece", "delay", "depth", "location", "to", "pid"}


class Rules:
    """Call under a lock: the order of the calls decides what the seed gives."""

    def __init__(self, seed):
        self.seed = seed
        self.rules = []

    def add(self, rule, first=False):
        if rule.get("fault") not in KINDS:
            raise ValueError(f"no fault {rule.get('fault')}")
        unknown = sorted(set(rule) - KEYS)
        if unknown:
            raise ValueError(f"unknown in a rule: {', '.join(unknown)}")
        try:
            re.compile(rule.get("path", ""))
        except re.error as error:
            raise ValueError(f"path of a rule: {error}") from error
        number = len(self.rules)
        added = {**rule, "seen": 0, "given": 0, "die": random.Random(f"{self.seed}/{number}")}
        self.rules.insert(0 if first else number, added)

    def clear(self):
        self.rules = []

    def fault_for(self, method, path):
        for rule in self.rules:
            if rule.get("method") not in (None, method) or not re.search(rule.get("path", ""), path):
                continue
            rule["seen"] += 1
            if rule["seen"] <= rule.get("skip", 0) or rule["given"] >= rule.get("count", float("inf")):
                continue
            if "rate" in rule and rule["die"].random() >= rule["rate"]:
                continue
            rule["given"] += 1
            return rule
        return None

    def summary(self):
        return [{key: value for key, value in rule.items() if key != "die"} for rule in self.rules]
