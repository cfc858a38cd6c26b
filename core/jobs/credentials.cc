#include "core/jobs/credentials.h"

#include <fmt/format.h>

#include <string_view>

namespace postern::jobs {
namespace {

using FindSecret = std::function<Result<std::string>(const std::string&)>;

// One way to sign in, as it is declared.
struct Slot {
  const char* name;
  std::string login, password, private_key;
};

std::vector<Slot> SlotsOf(const job::JobSpec& spec) {
  const decl::Endpoint& endpoint = spec.endpoint();
  if (endpoint.has_login()) {
    return {{"login", endpoint.login(), endpoint.password(), endpoint.private_key()}};
  }
  const decl::ServiceAccount& account = spec.service_account();
  const std::string& login = account.has_login() ? account.login() : account.name();
  std::vector<Slot> slots;
  const auto add = [&](const char* name, const decl::Credential& one) {
    if (one.has_password() || one.has_private_key()) {
      slots.push_back({name, login, one.password(), one.private_key()});
    }
  };
  if (account.has_next()) add("next", account.next());
  if (account.has_current()) add("current", account.current());
  return slots;
}

Result<std::string> ValueOf(const std::string& reference, const FindSecret& secret) {
  constexpr std::string_view kPrefix = "secret:";
  if (reference.empty()) return std::string();
  auto found =
      secret(reference.starts_with(kPrefix) ? reference.substr(kPrefix.size()) : reference);
  if (!found) return base::Wrap(reference, found.error());
  return found;
}

}  // namespace

Result<Credentials> CredentialsOf(const job::JobSpec& spec, const FindSecret& secret) {
  Credentials credentials;
  Error last;
  for (const Slot& slot : SlotsOf(spec)) {
    auto password = ValueOf(slot.password, secret);
    auto key = ValueOf(slot.private_key, secret);
    if (password && key) {
      if (password->empty() && key->empty()) continue;
      credentials.all.push_back({slot.name, slot.login, *std::move(key), *std::move(password)});
      continue;
    }
    last = password ? key.error() : password.error();
    credentials.left_out.push_back(fmt::format("{} isn't used: {}", slot.name, last.message));
  }
  if (credentials.all.empty() && !credentials.left_out.empty()) {
    return tl::unexpected<Error>(last);
  }
  return credentials;
}

}  // namespace postern::jobs
