#include "providers/iam/http/declared.h"

#include <fmt/format.h>
#include <unistd.h>

namespace postern::iam {
namespace {

Result<Credentials> Named(Result<std::unique_ptr<Authority>> authority, std::string identity) {
  if (!authority) return tl::unexpected(authority.error());
  return Credentials{std::move(*authority), std::move(identity)};
}

Result<Credentials> OfClient(const decl::IamAuth& auth, const object::Secrets& secrets,
                             const std::string& token_url) {
  auto secret = SecretOf(auth.client_secret(), secrets);
  if (!secret) return tl::unexpected(secret.error());
  ClientCredentials client;
  client.token_url = auth.has_token_url() ? auth.token_url() : token_url;
  if (client.token_url.empty()) {
    return Fail(ErrorCode::kInvalid,
                "auth has a client_id and no token_url: say where its tokens are given");
  }
  client.client_id = auth.client_id();
  client.client_secret = std::move(*secret);
  client.scope = auth.scope();
  client.in_form = auth.in_form();
  return Named(MakeClientCredentials(std::move(client)), "client " + auth.client_id());
}

}  // namespace

Result<Endpoint> ReadEndpoint(const decl::Iam& declared) {
  auto base = ParseBaseUrl(declared.url());
  if (!base) return base::Wrap("url", base.error());
  if (declared.has_ca() && access(declared.ca().c_str(), R_OK) != 0) {
    return Fail(ErrorCode::kInvalid,
                fmt::format("ca names {}, which can't be read", declared.ca()));
  }
  return Endpoint{std::move(*base), declared.ca()};
}

Result<std::string> SecretOf(const std::string& reference, const object::Secrets& secrets) {
  const std::string name = reference.starts_with("secret:") ? reference.substr(7) : reference;
  const auto found = secrets.find(name);
  if (found == secrets.end() || found->second.empty()) {
    return Fail(ErrorCode::kInvalid, fmt::format("secret:{} has no value", name));
  }
  return found->second;
}

Result<Credentials> ReadCredentials(const decl::IamAuth& auth, const object::Secrets& secrets,
                                    const std::string& token_url) {
  if (auth.has_token() + auth.has_client_id() + auth.has_login() != 1) {
    return Fail(ErrorCode::kInvalid,
                "auth needs one of these: token; client_id and client_secret; login and password");
  }
  if (auth.has_client_id()) return OfClient(auth, secrets, token_url);
  auto secret = SecretOf(auth.has_token() ? auth.token() : auth.password(), secrets);
  if (!secret) return tl::unexpected(secret.error());
  if (auth.has_token()) return Named(MakeBearer(*secret), "a bearer token");
  return Named(MakeBasic(auth.login(), *secret), "login " + auth.login());
}

}  // namespace postern::iam
