#include "tests/support/otds.h"

namespace postern::support {
namespace {

std::vector<std::string> Command(const Otds::Options& options) {
  return {"python3",
          "-B",
          SupportFile("otds/serve.py"),
          "--users",
          std::to_string(options.users),
          "--groups",
          std::to_string(options.groups),
          "--synchronized",
          std::to_string(options.synchronized),
          "--prefix",
          options.prefix,
          "--slow-start",
          std::to_string(options.slow_start)};
}

}  // namespace

Otds::Otds(const Options& options) : server_(scratch_, "otds", Command(options)) {}

nlohmann::json Otds::Control(const std::string& method, const std::string& path,
                             const nlohmann::json& body) {
  return AskControl(method, server_.control_url() + path, body);
}

void Otds::Set(const std::string& name, const nlohmann::json& value) {
  Control("PATCH", "/settings", {{name, value}});
}

void Otds::Reset() {
  Control("POST", "/reset");
}

void Otds::ExpireTickets() {
  Control("POST", "/expire", nlohmann::json::object());
}

void Otds::Fault(const nlohmann::json& fault) {
  Control("POST", "/faults", fault);
}

nlohmann::json Otds::Requests() {
  return Control("GET", "/requests");
}

Otds::Comparison Otds::CompareRequests() {
  const nlohmann::json told = Control("GET", "/undocumented");
  return {told.at("compared").get<size_t>(),
          told.at("undocumented").get<std::vector<std::string>>()};
}

}  // namespace postern::support
