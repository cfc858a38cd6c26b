// tests/support/otds.h: a server that keeps to the documented REST protocol of OpenText Directory
// Services, on free loopback ports; otds/README.md says what is documented and what is a guess.
//
// No root needed. Ends with the object. Use from the main thread, as process.h says.
#pragma once
#include <string>
#include <vector>

#include "tests/support/announced.h"

namespace postern::support {

class Otds {
 public:
  static constexpr const char* kAdmin = "otadmin@otds.admin";
  static constexpr const char* kPassword = "otds-admin-pw";
  static constexpr const char* kClient = "postern";
  static constexpr const char* kClientSecret = "postern-client-secret";

  struct Options {
    int users = 50;        // in partition Corp
    int groups = 5;        // in partition Corp
    int synchronized = 5;  // users in partition AD, which comes from elsewhere
    std::string prefix;    // of every path, such as /otdstenant/acme
    int slow_start = 0;    // seconds of HTML with 503 at first
  };

  explicit Otds(const Options& options);
  Otds() : Otds(Options()) {}

  // Everything before /otdsws.
  std::string url() const { return server_.url(); }
  ServerProcess& process() { return server_.process(); }

  // The first world again, with new uuids; nobody is logged in.
  void Reset();
  // A setting of otds/README.md, such as ("expiry", "401").
  void Set(const std::string& name, const nlohmann::json& value);
  // Every ticket and token that is out is expired from now on.
  void ExpireTickets();
  // One fault, such as {{"kind", "cut-after"}, {"method", "POST"}, {"path", "/users"}}.
  void Fault(const nlohmann::json& fault);
  // Any call of the side door; `path` begins with a slash.
  nlohmann::json Control(const std::string& method, const std::string& path,
                         const nlohmann::json& body = nullptr);
  // Every request since the last reset: method, path, query, body as it came, status.
  nlohmann::json Requests();
  // All requests since the server's start against the documented shapes, field by field: nothing
  // takes one of them away.
  struct Comparison {
    size_t compared = 0;
    std::vector<std::string> undocumented;  // what no shape has, in words; empty is good
  };
  Comparison CompareRequests();

 private:
  Scratch scratch_;
  AnnouncedServer server_;
};

}  // namespace postern::support
