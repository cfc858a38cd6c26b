// providers/iam/http/session.h: requests to one IAM system in somebody's name.
//
// The way of proving who we are is an Authority; the session asks it for the header of each request
// and, once for each request that the server takes as unproven, for a new one. A second refusal is
// final: an account that is locked after so many tries must not be ours.
//
// One thread.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "providers/iam/http/http_client.h"
#include "providers/iam/http/url.h"

namespace postern::iam {

class Authority {
 public:
  virtual ~Authority() = default;
  // The header that proves who we are. `anew`: what was given before isn't accepted any more.
  virtual Result<std::pair<std::string, std::string>> Proof(HttpClient& client, bool anew) = 0;
  // Whether the server takes the request as unproven.
  virtual bool Refuses(const HttpAnswer& answer) const { return answer.status == 401; }
  // For messages: "the bearer token".
  virtual std::string Name() const = 0;
};

// RFC 7617. The login can't hold a colon: kInvalid.
Result<std::unique_ptr<Authority>> MakeBasic(const std::string& login, const std::string& password);
// RFC 6750.
Result<std::unique_ptr<Authority>> MakeBearer(const std::string& token);

struct ClientCredentials {
  std::string token_url;  // absolute; https, or loopback
  std::string client_id, client_secret;
  std::string scope;  // empty: what the server gives by default
  bool in_form =
      false;  // the secret goes in the form, not in Authorization; RFC 6749 section 2.3.1
};
// RFC 6749 section 4.4. The token is asked for at first need, kept until shortly before its end,
// and asked for anew when it is refused before.
Result<std::unique_ptr<Authority>> MakeClientCredentials(ClientCredentials credentials);

class Session {
 public:
  // `client` outlives the session.
  Session(HttpClient& client, BaseUrl base, std::unique_ptr<Authority> authority)
      : client_(client), base_(std::move(base)), authority_(std::move(authority)) {}

  // As HttpClient, with `url` below the base ("/Users/42") or, of the same origin, absolute. A
  // server that refuses us is an error (kAuthentication), never an answer.
  HttpResult Send(HttpRequest request);
  void SendAll(std::vector<HttpRequest> requests,
               const std::function<void(size_t index, HttpResult result)>& take);

  const BaseUrl& base() const { return base_; }

 private:
  Result<void> Prove(std::span<HttpRequest*> requests, bool anew);
  HttpResult Refused(const HttpRequest& request, const HttpAnswer& answer) const;

  HttpClient& client_;
  BaseUrl base_;
  std::unique_ptr<Authority> authority_;
};

}  // namespace postern::iam
