// tests/fault/apply/evaluator.h: who can do what, judged from a dump of the fake world alone.
//
// Written against the words of the dump and nothing of the product, so that a mistake in the
// planner's own judge shows here.
#pragma once
#include <set>
#include <string>

namespace postern::fault {

// One element a thing that somebody can do: "edge-ftp/acme-in by SHA256:... from /home: bit 0 on
// /path (subtree)", "uid=li,... logs in", "uid=li,... in cn=ops,...".
using Access = std::set<std::string>;
Access AccessIn(const std::string& dump);

// The dump without what may differ between two ways to the same end: ids, authors, times and
// allocated numbers. Fails the test when a line stands twice or two accounts share a number.
std::string Canonical(const std::string& dump);

}  // namespace postern::fault
