#include <fmt/format.h>

#include <string>
#include <unordered_map>

#include "core/config/check.h"
#include "core/config/tables.h"
#include "core/config/visit.h"
#include "core/diag/codes.h"
#include "core/object/kind.h"

namespace postern::config {
namespace {

namespace code = diag::code;

// Remembers who came first under a key, and says so of all who come later.
class Once {
 public:
  Once(const char* code, diag::Diagnostics* diagnostics)
      : code_(code), diagnostics_(*diagnostics) {}
  void Reserve(size_t count) { first_.reserve(count); }

  // `why` is called for the text of a duplicate only.
  template <class Why>
  void See(std::string key, diag::Span span, Why&& why) {
    const auto [at, is_new] = first_.try_emplace(std::move(key), span);
    if (is_new) return;
    auto& d = diagnostics_.Add(
        {.code = code_, .summary = why(), .span = span, .label = "declared again"});
    d.also.push_back({at->second, "first declared here"});
  }

 private:
  const char* code_;
  diag::Diagnostics& diagnostics_;
  std::unordered_map<std::string, diag::Span> first_;
};

std::string Key(std::string_view a, std::string_view b) {
  std::string key;
  key.reserve(a.size() + b.size() + 1);
  key.append(a).push_back('\0');
  return key.append(b);
}

void CheckNames(const CheckInput& input, diag::Diagnostics* diagnostics) {
  ForEachTable(input.declarations, [&]<class M>(const std::vector<Declared<M>>& all) {
    if constexpr (requires(const M& m) { m.name(); }) {
      for (size_t i = 0; i < all.size(); ++i) {
        const std::string& name = all[i].message.name();
        const Declared<M>* first = input.index.Get<M>(name);
        if (first == &all[i]) continue;
        std::string table = M::descriptor()->name();
        table[0] = static_cast<char>(table[0] + ('a' - 'A'));
        auto& d =
            diagnostics->Add({.code = code::kDuplicateName,
                              .summary = fmt::format("{} \"{}\" is declared twice", table, name),
                              .span = all[i].span,
                              .label = "declared again"});
        d.also.push_back({first->span, "first declared here"});
      }
    }
  });
}

// The account's login: its own or its name.
std::string_view LoginOf(const decl::Account& account) {
  return account.has_login() ? account.login() : account.name();
}

void CheckAccounts(const CheckInput& input, diag::Diagnostics* diagnostics) {
  Once accounts(code::kSameAccount, diagnostics), uids(code::kSameUid, diagnostics);
  accounts.Reserve(input.declarations.accounts.size());
  for (const auto& account : input.declarations.accounts) {
    const decl::Account& m = account.message;
    if (!m.has_server()) continue;
    accounts.See(Key(m.server(), LoginOf(m)),
                 m.has_login() ? account.At(decl::Account::kLoginFieldNumber) : account.span, [&] {
                   return fmt::format("login \"{}\" at {} is declared twice", LoginOf(m),
                                      m.server());
                 });
    if (!m.has_uid()) continue;
    uids.See(Key(m.server(), std::to_string(m.uid())), account.At(decl::Account::kUidFieldNumber),
             [&] { return fmt::format("uid {} at {} is given twice", m.uid(), m.server()); });
  }
}

// One public key for two identities: whoever holds it can be either.
void CheckKeys(const CheckInput& input, diag::Diagnostics* diagnostics) {
  struct First {
    std::string_view identity;
    diag::Span span;
  };
  std::unordered_map<std::string_view, First> first;
  first.reserve(input.declarations.accounts.size());
  for (const auto& account : input.declarations.accounts) {
    const auto& keys = account.message.keys().values();
    for (int i = 0; i < keys.size(); ++i) {
      const std::string_view line = keys[i];
      const size_t blank = line.find(' ');
      const size_t end = blank == std::string_view::npos ? line.size() : line.find(' ', blank + 1);
      const auto [at, is_new] =
          first.try_emplace(line.substr(0, end), First{account.message.for_(), {}});
      if (is_new) {
        at->second.span = account.At(decl::Account::kKeysFieldNumber, i);
      } else if (at->second.identity != account.message.for_()) {
        auto& d =
            diagnostics->Add({.severity = diag::Severity::kWarning,
                              .code = code::kSharedKey,
                              .summary = fmt::format("one public key opens accounts of {} and {}",
                                                     at->second.identity, account.message.for_()),
                              .span = account.At(decl::Account::kKeysFieldNumber, i),
                              .label = "the same key"});
        d.also.push_back({at->second.span, "first used here"});
      }
    }
  }
}

void CheckFolders(const CheckInput& input, diag::Diagnostics* diagnostics) {
  Once folders(code::kSameFolder, diagnostics);
  folders.Reserve(input.declarations.folders.size());
  for (const auto& folder : input.declarations.folders) {
    const decl::Folder& m = folder.message;
    if (!m.has_host() || !m.has_path()) continue;
    folders.See(Key(m.host(), m.path()), folder.At(decl::Folder::kPathFieldNumber), [&] {
      return fmt::format("the folder {} on {} is declared twice", m.path(), m.host());
    });
  }
}

// The DN of an entry: its own, or TYPE=NAME in the directory's default place; empty when unknown.
std::string DnOf(const Index& index, const std::string& directory, const std::string& own,
                 std::string_view type, const std::string& name, bool user) {
  if (!own.empty()) return object::Normalise(object::Comparator::kDn, own);
  const auto* declared = index.Get<decl::Directory>(directory);
  if (!declared) return {};
  const std::string& place = user ? declared->message.users_ou() : declared->message.groups_ou();
  if (place.empty()) return {};
  return object::Normalise(object::Comparator::kDn, fmt::format("{}={},{}", type, name, place));
}

void CheckEntries(const CheckInput& input, diag::Diagnostics* diagnostics) {
  Once entries(code::kSameEntry, diagnostics);
  entries.Reserve(input.declarations.users.size() + input.declarations.groups.size());
  const auto see = [&](const std::string& directory, const std::string& dn, diag::Span span) {
    if (directory.empty() || dn.empty()) return;
    entries.See(Key(directory, dn), span,
                [&] { return fmt::format("the entry {} in {} is declared twice", dn, directory); });
  };
  for (const auto& user : input.declarations.users) {
    const decl::User& m = user.message;
    const std::string& uid = m.has_uid() ? m.uid() : m.name();
    see(m.directory(), DnOf(input.index, m.directory(), m.dn(), "uid", uid, true),
        m.has_dn() ? user.At(decl::User::kDnFieldNumber) : user.span);
  }
  for (const auto& group : input.declarations.groups) {
    const decl::Group& m = group.message;
    see(m.directory(), DnOf(input.index, m.directory(), m.dn(), "cn", m.name(), false),
        m.has_dn() ? group.At(decl::Group::kDnFieldNumber) : group.span);
  }
  for (const auto& ou : input.declarations.ous) {
    see(ou.message.directory(),
        DnOf(input.index, ou.message.directory(), ou.message.dn(), "", "", false),
        ou.At(decl::Ou::kDnFieldNumber));
  }
}

void CheckTargets(const CheckInput& input, diag::Diagnostics* diagnostics) {
  Once targets(code::kSameTarget, diagnostics);
  for (const auto& host : input.declarations.hosts) {
    const std::string& address = host.message.address();
    if (address != "local:" && !address.starts_with("ssh://")) continue;
    targets.See(address, host.At(decl::Host::kAddressFieldNumber),
                [&] { return fmt::format("two hosts have the address {}", address); });
  }
  for (const auto& server : input.declarations.servers) {
    const decl::Server& m = server.message;
    if (!m.has_config()) continue;
    targets.See(Key(m.host(), m.config()), server.At(decl::Server::kConfigFieldNumber), [&] {
      return fmt::format("two servers on {} have the configuration {}", m.host(), m.config());
    });
  }
}

}  // namespace

void CheckDuplicates(const CheckInput& input, diag::Diagnostics* diagnostics) {
  CheckNames(input, diagnostics);
  CheckAccounts(input, diagnostics);
  CheckKeys(input, diagnostics);
  CheckFolders(input, diagnostics);
  CheckEntries(input, diagnostics);
  CheckTargets(input, diagnostics);
}

}  // namespace postern::config
