// tests/conformance/samples.h: sample objects of every kind that can be written, for Worlds whose
// system takes ordinary values. Version 2 leaves out what version 0 sets, where it may be cleared.
#pragma once
#include <memory>
#include <string>

#include "tests/conformance/suite.h"

namespace postern::conformance {

struct Names {
  std::string server = "edge-ftp", host = "edge", root = "/srv/exchange";
  std::string base = "dc=example,dc=com";
  std::string partition;  // behind names in IAM systems: "@Corp"
};

// The nth object in `version` 0, 1 or 2; see World::Sample.
std::unique_ptr<Message> SampleOf(const Names& names, Kind kind, int n, int version);
// The same of IAM kinds; null for any other. Memberships are of the group with number 0.
std::unique_ptr<Message> IamSampleOf(const Names& names, Kind kind, int n, int version);

}  // namespace postern::conformance
