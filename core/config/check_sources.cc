// Accounts that a host has from a directory through NSS: where they can be, and what of them is the
// directory's alone.
#include <fmt/format.h>

#include "core/config/check.h"
#include "core/diag/codes.h"

namespace postern::config {
namespace {

using Account = Declared<decl::Account>;

// The fields of an account that stand in its entry.
constexpr struct {
  int field;
  const char* name;
  const char* way_out;
} kOfTheEntry[] = {
    {decl::Account::kUidFieldNumber, "uid", "the number is the entry's uidNumber"},
    {decl::Account::kPasswordFieldNumber, "password", "a [user] of that directory can have one"},
    {decl::Account::kCommentFieldNumber, "comment", "a [user] of that directory can say it"},
};

bool Has(const decl::Account& account, int field) {
  switch (field) {
    case decl::Account::kUidFieldNumber:
      return account.has_uid();
    case decl::Account::kPasswordFieldNumber:
      return account.has_password();
    default:
      return account.has_comment();
  }
}

void CheckFields(const Account& account, diag::Diagnostics* diagnostics) {
  for (const auto& of_entry : kOfTheEntry) {
    if (!Has(account.message, of_entry.field)) continue;
    auto& d = diagnostics->Add(
        {.code = diag::code::kSourceLimits,
         .summary = fmt::format("the {} of account \"{}\" stands in {}", of_entry.name,
                                account.message.name(), account.message.source()),
         .span = account.At(of_entry.field),
         .label = "never written at the host",
         .notes = {fmt::format("leave it out: {}", of_entry.way_out)}});
    d.also.push_back({account.At(decl::Account::kSourceFieldNumber), "where it comes from"});
  }
}

void CheckServer(const Account& account, const Declared<decl::Server>& server,
                 diag::Diagnostics* diagnostics) {
  if (server.message.product() == "openssh") return;
  auto& d = diagnostics->Add(
      {.code = diag::code::kSourceLimits,
       .summary =
           fmt::format("server \"{}\" has no accounts of a directory", server.message.name()),
       .span = account.At(decl::Account::kSourceFieldNumber),
       .label = fmt::format("{} keeps its accounts in a file of its own", server.message.product()),
       .notes = {"only servers with product = \"openssh\" take the host's accounts"}});
  d.also.push_back({server.At(decl::Server::kProductFieldNumber), "the server"});
}

// A change under review must not reach whoever stands in the directory: the host's group says who.
void CheckScope(const Account& account, const Declared<decl::Host>& host,
                diag::Diagnostics* diagnostics) {
  if (host.message.manage().accounts().starts_with("group:")) return;
  constexpr int kManage = decl::Host::kManageFieldNumber;
  auto& d = diagnostics->Add(
      {.code = diag::code::kSourceLimits,
       .summary = fmt::format("host \"{}\" doesn't say which accounts of a directory are managed",
                              host.message.name()),
       .span = account.At(decl::Account::kSourceFieldNumber),
       .label = "would be any entry of the directory",
       .notes = {"say manage = { accounts = \"group:NAME\", ... } of the host, and put the logins "
                 "into that group"}});
  d.also.push_back({host.message.manage().has_accounts()
                        ? host.At(Nested(kManage, decl::Manage::kAccountsFieldNumber))
                        : host.span,
                    "the host"});
}

}  // namespace

void CheckSources(const CheckInput& input, diag::Diagnostics* diagnostics) {
  for (const auto& account : input.declarations.accounts) {
    if (!account.message.has_source()) continue;
    CheckFields(account, diagnostics);
    const auto* server = input.index.Get<decl::Server>(account.message.server());
    if (server == nullptr) continue;
    CheckServer(account, *server, diagnostics);
    const auto* host = input.index.Get<decl::Host>(server->message.host());
    if (host != nullptr && server->message.product() == "openssh") {
      CheckScope(account, *host, diagnostics);
    }
  }
}

}  // namespace postern::config
