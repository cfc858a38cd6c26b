// tests/support/scim.h: SCIM servers that nobody here wrote, on free loopback ports; scim/README.md
// says what they hold and how they behave.
//
// No root needed; tests/support/install.sh has installed them from npm. Ends with the object. Use
// from the main thread, as process.h says.
#pragma once
#include <string>

#include "tests/support/announced.h"

namespace postern::support {

class ScimServer {
 public:
  static constexpr const char* kToken = "postern-scim-token";

  enum class Kind { kScimmy, kBetterAuth };
  struct Options {
    Kind kind = Kind::kScimmy;
    int users = 0;       // 0: scimmy 10,000, better-auth 300
    int groups = -1;     // -1: 100, 5
    int maximum = 1000;  // of a page, scimmy alone
    bool unique = true;  // false: scimmy takes a userName twice
  };

  explicit ScimServer(const Options& options);

  // The base of /Users and /Groups.
  std::string url() const { return server_.url(); }
  // scimmy alone: where OAuth2 client credentials (client postern, secret kToken) give tokens.
  std::string token_url() const { return Root() + "/oauth2/token"; }
  ServerProcess& process() { return server_.process(); }

  // scimmy alone. When a walk over the users has been given `pages` pages, `count` users on them
  // are deleted: once.
  void DeleteDuringWalk(int pages, int count);
  // scimmy alone. As many new people come at the end of the listing in the same moment: its total
  // stands still.
  void ReplaceDuringWalk(int pages, int count);
  // scimmy alone. The first people and groups again, under their first ids.
  void Reset();
  // scimmy alone. How many requests came, as {"GET /scim/Users": 3, ...}.
  nlohmann::json Requests();
  // scimmy alone. Tokens that were given out are refused from now on.
  void ForgetTokens();

  // A request of the test itself, with the bearer token. `path` begins with a slash.
  HttpAnswer Call(const std::string& method, const std::string& path,
                  const nlohmann::json& body = nullptr) const;

 private:
  std::string Root() const;

  Scratch scratch_;
  AnnouncedServer server_;
};

}  // namespace postern::support
