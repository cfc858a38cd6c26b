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
    std::string like;      // a product of proxy/products.py: keycloak, entra, okta
    std::string tls;       // good, expired, wrong-name; empty: plain HTTP
    // nghttpx in front, which speaks TLS (a good certificate unless `tls` says otherwise) and
    // offers HTTP/2.
    bool http2 = false;
  };

  explicit HttpProxy(const Options& options);

  // The upstream's url, through the proxy.
  std::string url() const { return front_url_.empty() ? server_.url() + path_ : front_url_; }
  // With tls or http2: the authority that signed the certificate; a second one that didn't.
  std::string ca() const { return server_.Said("ca"); }
  std::string other_ca() const { return server_.Said("other_ca"); }
  ServerProcess& process() { return server_.process(); }

  // Adds a rule, such as {{"fault", "too-many"}, {"count", 2}}. The first rule that applies
  // decides.
  void Rule(const nlohmann::json& rule);
  void ClearRules();
  // Every request so far: method, path, fault, status, reached (the server), at, seconds.
  nlohmann::json Requests();
  void ClearRequests();
  // Connections of clients: {"open", "most" at one time, "all"}.
  nlohmann::json Connections();

 private:
  void StartFront();

  Scratch scratch_;
  std::string path_;
  AnnouncedServer server_;
  std::string front_url_;
  std::unique_ptr<ServerProcess> front_;
};

}  // namespace postern::support
