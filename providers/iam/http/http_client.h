// providers/iam/http/http_client.h: requests to one IAM system over kept connections.
//
// What it adds to libcurl: an answer is bounded in size and time; a request is sent again only
// where that can't do a thing twice (retry.h); a failed write says whether it may have been done;
// redirects stay on the host that was declared (RFC 9110 section 15.4 leaves that to the client,
// and credentials go with the request); proxies of the environment are not asked. TLS is verified,
// always. HTTP/2 where the server offers it over TLS.
//
// One thread. Cost: one connection for each request under way, at most `parallel`; bodies lie in
// memory.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "providers/iam/http/retry.h"

namespace postern::iam {

enum class Method : uint8_t { kGet, kPost, kPut, kPatch, kDelete };
std::string_view NameOf(Method method);

using Headers = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  Method method = Method::kGet;
  std::string url;  // absolute, encoded
  Headers headers;
  std::string body;

  bool is_write() const { return method != Method::kGet; }
};

struct HttpAnswer {
  int status = 0;
  Headers headers;  // names in lower case
  std::string body;

  // Of the last header of that name; empty when there is none.
  std::string_view Header(std::string_view name) const;
  // Lower case, without parameters: "application/scim+json".
  std::string ContentType() const;
};

struct HttpFailure {
  Error error;
  // A write that the server may have carried out all the same: a read decides.
  bool may_be_done = false;
};
using HttpResult = tl::expected<HttpAnswer, HttpFailure>;

struct HttpLimits {
  size_t body = 64u << 20;     // bytes, after decoding
  size_t headers = 64u << 10;  // bytes of one answer
  std::chrono::milliseconds connect{10'000};
  std::chrono::milliseconds stall{30'000};   // not a byte for so long
  std::chrono::milliseconds total{120'000};  // of one attempt: a body may drip for ever
  size_t parallel = 4;
  RetryLimits retry;
};

class HttpClient {
 public:
  // `ca`: a file of certificates that sign the server's; empty: the system's.
  explicit HttpClient(std::string ca, const HttpLimits& limits = {});
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Any status is an answer, but for a redirect that isn't followed. Errors: kUnavailable,
  // kTimeout, kUntrusted (the certificate), kIncomplete (over a bound), kInvalid (redirect).
  HttpResult Send(const HttpRequest& request);
  // All of them, at most `parallel` at a time; `take` is called once for each, in order of their
  // answers, and not from within another call of this client.
  void SendAll(std::span<const HttpRequest> requests,
               const std::function<void(size_t index, HttpResult result)>& take);

  // Attempts that left us, repeated ones too.
  uint64_t sent() const { return sent_; }

 private:
  struct Transfer;
  class Run;

  std::unique_ptr<Transfer> NewTransfer();
  void Prepare(Transfer& transfer) const;
  HttpResult Conclude(Transfer& transfer, int code);

  std::string ca_;
  HttpLimits limits_;
  void* multi_ = nullptr;  // CURLM
  std::vector<std::unique_ptr<Transfer>> idle_;
  std::mt19937_64 random_;
  uint64_t sent_ = 0;
};

}  // namespace postern::iam
