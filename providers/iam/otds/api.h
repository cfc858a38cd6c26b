// providers/iam/otds/api.h: calls of OTDS's REST interface: reads, walks, writes.
//
// One thread. Names go into paths encoded once. What an answer means is decided here and nowhere
// else: an HTML page is never an object, a failure is never "not found".
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "providers/iam/http/json_document.h"
#include "providers/iam/http/session.h"

namespace postern::iam::otds {

// An answer that isn't a success; the body's status, error and errorDetails in words, bounded.
std::string Refusal(const HttpAnswer& answer);
// Why a call that should have answered 2xx didn't, as a code: 404 is kNotFound, 403 kDenied, 409
// kConflict, 501 kUnsupported, 429 and other 5xx kUnavailable, the rest kInvalid.
ErrorCode CodeOf(int status);

// A write, and what became of it. Only `ok` and a read after it say that it is done.
struct Written {
  bool ok = false;
  int status = 0;            // 0: no answer
  bool may_be_done = false;  // without an answer
  Error error;
};

class Api {
 public:
  Api(BaseUrl base, std::string ca, std::unique_ptr<Authority> authority, const HttpLimits& limits)
      : client_(std::move(ca), limits),
        authority_(*authority),
        session_(client_, std::move(base), std::move(authority)) {}

  // Waits, by a read that needs no proof, for a server that is starting: it answers 503 with a page
  // for browsers, and a login sent then would be lost. Errors: no server, or one that isn't up
  // within the client's limits.
  Result<void> AwaitStart();

  // The document of a GET that answered 200. `path` below the base, encoded.
  Result<Json> Get(const std::string& path);
  // All of them, a few at a time, in the order asked.
  std::vector<Result<Json>> GetAll(std::span<const std::string> paths);
  // The status of a GET, whatever it is; the answer is JSON of OTDS (not a page) when `json`.
  struct Look {
    int status = 0;
    bool json = false;
    std::optional<int64_t> skew_ms;  // of the server's clock
  };
  Result<Look> LookAt(const std::string& path);

  // Every element of a list, page by page: until the cookie is null or a page is empty. A short
  // page with a cookie goes on (facts, section 1.5). `keys`: the members that hold the elements.
  // Errors: of a page; kIncomplete for a cookie, or a page, that comes again; kCancelled when
  // `take` says false.
  Result<void> Walk(const std::string& path, std::span<const std::string_view> keys,
                    const std::function<bool(size_t key, const Json& element)>& take);
  // The same, with the first page as it was got.
  Result<void> WalkOn(const std::string& path, Result<Json> page,
                      std::span<const std::string_view> keys,
                      const std::function<bool(size_t key, const Json& element)>& take);
  // A body is JSON, or nothing when null.
  static HttpRequest Request(Method method, std::string path, const Json& body);
  Written Write(HttpRequest request);
  std::vector<Written> WriteAll(std::vector<HttpRequest> requests);

  HttpClient& client() { return client_; }
  const BaseUrl& base() const { return session_.base(); }
  // How we prove who we are, for people.
  std::string proof() const { return authority_.Name(); }

 private:
  HttpClient client_;
  const Authority& authority_;  // the session's
  Session session_;
};

}  // namespace postern::iam::otds
