// tests/support/http_proxy.h: a reverse proxy on loopback that adds ETags, faults and TLS between a
// client and a server of the tests; proxy/README.md lists the faults.
//
// No root needed. Ends with the object. Use from the main thread, as process.h says.
#pragma once
#include <string>

#include "tests/support/announced.h"

namespace postern::support {

class HttpProxy {
 public:
  struct Options {
    std::string upstream;  // http://127.0.0.1:PORT and a path, such as ScimServer's url()
    bool etags = false;    // real ones, If-Match enforced
    int seed = 1;          // of rules with a rate
    std::string tls;       // good, expired, wrong-name; empty: plain HTTP
  };

  explicit HttpProxy(const Options& options);

  // The upstream's url, through the proxy.
  std::string url() const { return server_.url() + path_; }
  // With tls: the authority that signed the certificate; a second one that didn't.
  std::string ca() const { return server_.Said("ca"); }
  std::string other_ca() const { return server_.Said("other_ca"); }
  ServerProcess& process() { return server_.process(); }

  // Adds a rule, such as {{"fault", "too-many"}, {"count", 2}}. The first rule that applies
  // decides.
  void Rule(const nlohmann::json& rule);
  void ClearRules();
  // Every request so far: method, path, fault, status, reached (the server), seconds.
  nlohmann::json Requests();
  void ClearRequests();
  // Connections of clients: {"open", "most" at one time, "all"}.
  nlohmann::json Connections();

 private:
  Scratch scratch_;
  std::string path_;
  AnnouncedServer server_;
};

}  // namespace postern::support
