#include "providers/iam/otds/ticket.h"

#include <fmt/format.h>

#include "providers/iam/http/declared.h"
#include "providers/iam/http/json_document.h"

namespace postern::iam::otds {
namespace {

using Proven = std::pair<std::string, std::string>;

constexpr int kExpiredTicket = 1034;
constexpr int kAttempts = 3;  // a login does nothing twice: it may be sent again

// The address beside the last part of the base: ".../otdsws/rest" -> ".../otdsws/" + `path`.
std::string Beside(const BaseUrl& base, std::string_view path) {
  return base.text.substr(0, base.text.rfind('/') + 1) + std::string(path);
}

class Ticket : public Authority {
 public:
  Ticket(const BaseUrl& base, std::string login, std::string password)
      : login_(std::move(login)), password_(std::move(password)) {
    forms_[0] = {base.text + "/authentication/credentials",
                 {{"userName", login_}, {"password", password_}, {"ticketType", "OTDSTICKET"}}};
    forms_[1] = {Beside(base, "v1/authentication/credentials"),
                 {{"user_name", login_}, {"password", password_}}};
  }

  Result<Proven> Proof(HttpClient& client, bool anew) override {
    if (anew || ticket_.empty()) {
      ticket_.clear();
      if (auto in = LogIn(client); !in) return base::Wrap("log in", in.error());
    }
    return Proven("OTDSTicket", ticket_);
  }
  bool Refuses(const HttpAnswer& answer) const override { return IsExpired(answer); }
  std::string Name() const override {
    const bool old = form_ == &forms_[1];
    return "the ticket of " + login_ + (old ? " by /otdsws/v1, of the previous generation" : "");
  }

 private:
  struct Form {
    std::string url;
    Json body;
  };

  Result<void> LogIn(HttpClient& client) {
    if (form_ != nullptr) return Try(client, *form_);
    auto in = Try(client, forms_[0]);
    if (in) {
      form_ = &forms_[0];
    } else if (in.error().code == ErrorCode::kNotFound) {
      in = Try(client, forms_[1]);
      if (in) form_ = &forms_[1];
    }
    return in;
  }

  Result<void> Try(HttpClient& client, const Form& form) {
    const HttpRequest request{
        Method::kPost,
        form.url,
        {{"Content-Type", "application/json"}, {"Accept", "application/json"}},
        form.body.dump(-1, ' ', false, Json::error_handler_t::replace)};
    HttpResult answer = client.Send(request);
    for (int made = 1; made < kAttempts && !answer && answer.error().error.retryable(); ++made) {
      answer = client.Send(request);
    }
    if (!answer) return tl::unexpected(answer.error().error);
    if (answer->status != 200) return Refusal(form, *answer);
    const auto fields = ReadFields(*answer, {"ticket", "continuation", "failureReason"});
    if (!fields) return base::Wrap("POST " + form.url, fields.error());
    if ((*fields)[1] == "true") {
      return Fail(ErrorCode::kAuthentication,
                  fmt::format("{} needs a further login step (such as a second factor), which "
                              "nobody is here to take: use an OAuth client",
                              login_));
    }
    ticket_ = (*fields)[0];
    if (ticket_.empty() || ticket_.find_first_of("\r\n") != std::string::npos) {
      ticket_.clear();
      return Fail(ErrorCode::kAuthentication,
                  fmt::format("{} gives no ticket to {} ({})", form.url, login_,
                              (*fields)[2].empty() ? "no reason" : (*fields)[2].substr(0, 200)));
    }
    return {};
  }

  Result<void> Refusal(const Form& form, const HttpAnswer& answer) const {
    const ErrorCode code = answer.status == 404   ? ErrorCode::kNotFound
                           : answer.status >= 500 ? ErrorCode::kUnavailable
                                                  : ErrorCode::kAuthentication;
    return Fail(code, fmt::format("{} refuses {} (status {})", form.url, login_, answer.status));
  }

  std::string login_, password_, ticket_;
  Form forms_[2];
  const Form* form_ = nullptr;  // the one that this server has
};

// Another way of proof, with OTDS's way of refusing one.
class Expiring : public Authority {
 public:
  explicit Expiring(std::unique_ptr<Authority> inner) : inner_(std::move(inner)) {}
  Result<Proven> Proof(HttpClient& client, bool anew) override {
    return inner_->Proof(client, anew);
  }
  bool Refuses(const HttpAnswer& answer) const override { return IsExpired(answer); }
  std::string Name() const override { return inner_->Name(); }

 private:
  std::unique_ptr<Authority> inner_;
};

}  // namespace

bool IsExpired(const HttpAnswer& answer) {
  if (answer.status == 401) return true;
  if (answer.status != 400) return false;
  const auto fields = ReadFields(answer, {"status"});
  return fields && fields->front() == std::to_string(kExpiredTicket);
}

std::unique_ptr<Authority> MakeTicket(const BaseUrl& base, std::string login,
                                      std::string password) {
  return std::make_unique<Ticket>(base, std::move(login), std::move(password));
}

std::string TokenUrl(const BaseUrl& base, const decl::IamAuth& declared) {
  return declared.has_token_url() ? declared.token_url() : Beside(base, "oauth2/token");
}

Result<std::unique_ptr<Authority>> MakeAuthority(const BaseUrl& base, const decl::IamAuth& declared,
                                                 const object::Secrets& secrets) {
  // Which of the ways is declared, and that it is one, is checked for all products alike.
  auto credentials = ReadCredentials(declared, secrets, TokenUrl(base, declared));
  if (!credentials) return tl::unexpected(credentials.error());
  if (!declared.has_login()) return std::make_unique<Expiring>(std::move(credentials->authority));
  const auto password = SecretOf(declared.password(), secrets);
  if (!password) return tl::unexpected(password.error());
  return MakeTicket(base, declared.login(), *password);
}

}  // namespace postern::iam::otds
