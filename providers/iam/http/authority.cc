#include <fmt/format.h>
#include <openssl/evp.h>

#include "core/base/time.h"
#include "providers/iam/http/json.h"
#include "providers/iam/http/session.h"

namespace postern::iam {
namespace {

using Proven = std::pair<std::string, std::string>;

// A token's end as the server counts it, less what the way takes: RFC 6749 leaves that to us.
constexpr base::Instant kMargin = 30;
// "expires_in" is only recommended (RFC 6749 section 5.1).
constexpr base::Instant kUnsaidLife = 300;

std::string Base64(const std::string& text) {
  std::string out(4 * ((text.size() + 2) / 3), '\0');
  ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                    reinterpret_cast<const unsigned char*>(text.data()),
                    static_cast<int>(text.size()));
  return out;
}

bool HasControl(const std::string& text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return true;
  }
  return false;
}

// One header for all of the run: nothing newer can be had.
class Fixed : public Authority {
 public:
  Fixed(std::string name, std::string header)
      : name_(std::move(name)), header_(std::move(header)) {}

  Result<Proven> Proof(HttpClient&, bool) override { return Proven("Authorization", header_); }
  std::string Name() const override { return name_; }

 private:
  std::string name_, header_;
};

class TokenGrant : public Authority {
 public:
  explicit TokenGrant(ClientCredentials credentials) : credentials_(std::move(credentials)) {}

  Result<Proven> Proof(HttpClient& client, bool anew) override {
    if (anew || token_.empty() || base::Now() >= until_) {
      token_.clear();
      if (auto got = Ask(client); !got) return base::Wrap("ask for a token", got.error());
    }
    return Proven("Authorization", "Bearer " + token_);
  }
  std::string Name() const override { return "the token of client " + credentials_.client_id; }

 private:
  HttpRequest Request() const {
    HttpRequest request;
    request.method = Method::kPost;
    request.url = credentials_.token_url;
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded"},
                       {"Accept", "application/json"}};
    request.body = "grant_type=client_credentials";
    if (!credentials_.scope.empty()) request.body += "&scope=" + Encode(credentials_.scope);
    const std::string id = Encode(credentials_.client_id);
    const std::string secret = Encode(credentials_.client_secret);
    if (credentials_.in_form) {
      request.body += "&client_id=" + id + "&client_secret=" + secret;
    } else {
      request.headers.emplace_back("Authorization", "Basic " + Base64(id + ":" + secret));
    }
    return request;
  }

  Result<void> Ask(HttpClient& client) {
    const HttpResult answer = client.Send(Request());
    if (!answer) return tl::unexpected(answer.error().error);
    if (answer->status != 200) return Refusal(*answer);
    const auto fields = ReadFields(*answer, {"access_token", "token_type", "expires_in"});
    if (!fields) return tl::unexpected(fields.error());
    token_ = (*fields)[0];
    if (token_.empty() || HasControl(token_)) {
      token_.clear();
      return Fail(ErrorCode::kInvalid, credentials_.token_url + " answers without an access_token");
    }
    const std::string& life = (*fields)[2];
    const base::Instant seconds =
        life.empty() ? kUnsaidLife : std::strtoll(life.c_str(), nullptr, 10);
    until_ = base::Now() + std::max<base::Instant>(seconds - kMargin, seconds / 2);
    return {};
  }

  // RFC 6749 section 5.2: 400 or 401 with "error" and "error_description".
  Result<void> Refusal(const HttpAnswer& answer) const {
    std::string said = fmt::format("status {}", answer.status);
    if (const auto fields = ReadFields(answer, {"error", "error_description"})) {
      for (const std::string& field : *fields) {
        if (!field.empty()) said += ", " + field.substr(0, 200);
      }
    }
    const bool ours = answer.status == 400 || answer.status == 401 || answer.status == 403;
    return Fail(ours ? ErrorCode::kAuthentication : ErrorCode::kUnavailable,
                fmt::format("{} refuses client {} ({})", credentials_.token_url,
                            credentials_.client_id, said));
  }

  ClientCredentials credentials_;
  std::string token_;
  base::Instant until_ = 0;
};

}  // namespace

Result<std::unique_ptr<Authority>> MakeBasic(const std::string& login,
                                             const std::string& password) {
  if (login.find(':') != std::string::npos || HasControl(login) || HasControl(password)) {
    return Fail(ErrorCode::kInvalid,
                "a login with a colon, or control characters, can't be sent by Basic");
  }
  return std::make_unique<Fixed>("the password of " + login,
                                 "Basic " + Base64(login + ":" + password));
}

Result<std::unique_ptr<Authority>> MakeBearer(const std::string& token) {
  if (token.empty() || HasControl(token) || token.find(' ') != std::string::npos) {
    return Fail(ErrorCode::kInvalid, "the bearer token is empty, or holds a blank or a line's end");
  }
  return std::make_unique<Fixed>("the bearer token", "Bearer " + token);
}

Result<std::unique_ptr<Authority>> MakeClientCredentials(ClientCredentials credentials) {
  auto url = ParseBaseUrl(credentials.token_url);
  if (!url) return base::Wrap("token_url", url.error());
  if (credentials.client_id.empty() || credentials.client_secret.empty()) {
    return Fail(ErrorCode::kInvalid, "client credentials need an id and a secret");
  }
  return std::make_unique<TokenGrant>(std::move(credentials));
}

}  // namespace postern::iam
