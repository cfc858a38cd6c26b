// tests/live/scim/estate.h: the program over a SCIM server: declarations and a ledger in a folder.
//
// Use from the main thread. Ends with the object.
#pragma once
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/support/command.h"
#include "tests/support/scim.h"

namespace postern::iam {

class Estate {
 public:
  // A host in memory, after [iam.corp]'s own lines: a role's accounts and grants are there.
  static constexpr const char* kEdge = R"(
[host.edge]
address = "memory:edge.world"
manage  = { roots = ["/srv/exchange"], accounts = "all" }
limits  = { lose_percent = 100, remove_percent = 100, change_percent = 100 }
[server.edge-ftp]
host    = "edge"
product = "proftpd"
uids    = { from = 30000, to = 39999, gid = 30000 }
)";

  // `more`: further lines of [iam.corp], and tables after it.
  explicit Estate(const std::string& url, const std::string& more = "");

  // u000001 to `last`, active as they are.
  void DeclareUsers(int last);
  // All who are active, each with an account and a grant at kEdge.
  void DeclareRole();
  void Declare(const std::string& text) { scratch_.Write("access/iam.toml", text); }

  support::RunResult Postern(std::vector<std::string> arguments);
  // As JSON. One that isn't made fails the test.
  nlohmann::json Plan();

  std::string token = support::ScimServer::kToken;

 private:
  support::Scratch scratch_;
};

// POSTERN_CAMPAIGN_FULL is set.
bool FullCampaign();

// Whether the change takes something away, and isn't held.
bool Takes(const nlohmann::json& change);

// Those of `names` (u000001 and its like) that stand in the change's address.
std::set<std::string> NamedIn(const nlohmann::json& change, const std::set<std::string>& names);

// userNames, by pages of 100.
std::set<std::string> Living(const support::ScimServer& server);

}  // namespace postern::iam
