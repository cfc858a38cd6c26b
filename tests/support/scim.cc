#include "tests/support/scim.h"

namespace postern::support {
namespace {

std::vector<std::string> Command(const ScimServer::Options& options) {
  const bool scimmy = options.kind == ScimServer::Kind::kScimmy;
  std::vector<std::string> argv = {SupportFile("scim/serve"), scimmy ? "scimmy" : "better_auth",
                                   "--token", ScimServer::kToken};
  const auto add = [&](const std::string& name, const std::string& value) {
    argv.insert(argv.end(), {name, value});
  };
  if (options.users > 0) add("--users", std::to_string(options.users));
  if (options.groups >= 0) add("--groups", std::to_string(options.groups));
  if (scimmy) {
    add("--maximum", std::to_string(options.maximum));
    add("--unique", options.unique ? "yes" : "no");
  }
  return argv;
}

}  // namespace

ScimServer::ScimServer(const Options& options) : server_(scratch_, "scim", Command(options)) {}

std::string ScimServer::Root() const {
  return url().substr(0, url().rfind("/scim"));
}

void ScimServer::DeleteDuringWalk(int pages, int count) {
  AskControl("POST", Root() + "/control/churn", {{"after", pages}, {"delete", count}});
}

void ScimServer::ReplaceDuringWalk(int pages, int count) {
  AskControl("POST", Root() + "/control/churn",
             {{"after", pages}, {"delete", count}, {"create", count}});
}

void ScimServer::Reset() {
  AskControl("POST", Root() + "/control/reset");
}

nlohmann::json ScimServer::Requests() {
  return AskControl("GET", Root() + "/control/requests");
}

void ScimServer::ForgetTokens() {
  AskControl("DELETE", Root() + "/control/tokens");
}

HttpAnswer ScimServer::Call(const std::string& method, const std::string& path,
                            const nlohmann::json& body) const {
  return Ask({.method = method,
              .url = url() + path,
              .headers = {std::string("Authorization: Bearer ") + kToken,
                          "Content-Type: application/scim+json", "Accept: application/scim+json"},
              .body = body.is_null() ? "" : body.dump()});
}

}  // namespace postern::support
