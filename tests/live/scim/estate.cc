#include "tests/live/scim/estate.h"

#include <fmt/format.h>

#include <cstdlib>

namespace postern::iam {

using nlohmann::json;
using support::RunResult;
using support::ScimServer;

Estate::Estate(const std::string& url, const std::string& more) {
  scratch_.Write("operator/postern.toml", fmt::format(R"(administrators = ["person:li"]
[iam.corp]
url    = "{}"
auth   = {{ token = "secret:scim" }}
limits = {{ lose_percent = 100, remove_percent = 100, change_percent = 100, shrink_percent = 100 }}
{}
[secret.scim]
from = "env:SCIM_TOKEN"
)",
                                                      url, more));
}

void Estate::DeclareUsers(int last) {
  std::string text = "[person.li]\n";
  for (int n = 1; n <= last; ++n) {
    text += fmt::format("[iam_user.u{:06}]\niam = \"corp\"\nactive = {}\n", n, n % 50 != 0);
  }
  Declare(text);
}

void Estate::DeclareRole() {
  Declare(R"([person.li]
[role.staff]
owner   = "person:li"
members = [{ iam = "corp", where = { active = true } }]
account = { servers = ["edge-ftp"], home = "/srv/exchange" }
rows    = [{ folder = "in", rights = ["list", "read"] }]
[folder.in]
host = "edge"
path = "/srv/exchange/in"
)");
}

RunResult Estate::Postern(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), POSTERN);
  return support::RunCommand(arguments, {.env = {{"SCIM_TOKEN", token}}, .cwd = scratch_.path()});
}

json Estate::Plan() {
  const RunResult run = Postern({"plan", "--json"});
  json plan = json::parse(run.out, nullptr, false);
  EXPECT_FALSE(plan.is_discarded()) << run.out << run.err;
  return plan;
}

bool FullCampaign() {
  return std::getenv("POSTERN_CAMPAIGN_FULL") != nullptr;  // NOLINT(concurrency-mt-unsafe)
}

bool Takes(const json& change) {
  const std::string action = change["action"];
  return change.value("held", "").empty() &&
         (action == "delete" || action == "disable" || action == "replace" || action == "forget" ||
          action == "end");
}

std::set<std::string> NamedIn(const json& change, const std::set<std::string>& names) {
  const std::string address = change["address"].dump();
  std::set<std::string> named;
  for (size_t at = address.find('u'); at != std::string::npos; at = address.find('u', at + 1)) {
    const auto name = names.find(address.substr(at, 7));
    if (name != names.end()) named.insert(*name);
  }
  return named;
}

std::set<std::string> Living(const ScimServer& server) {
  std::set<std::string> names;
  for (int start = 1;; start += 100) {
    const json page =
        server.Call("GET", fmt::format("/Users?startIndex={}&count=100", start)).Json();
    for (const json& user : page.value("Resources", json::array())) {
      names.insert(user["userName"].get<std::string>());
    }
    if (page.value("Resources", json::array()).size() < 100) return names;
  }
}

}  // namespace postern::iam
