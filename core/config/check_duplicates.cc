#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/config/check.h"
#include "core/config/iam_names.h"
#include "core/config/tables.h"
#include "core/config/visit.h"
#include "core/diag/codes.h"
#include "core/object/kind.h"

namespace postern::config {
namespace {

namespace code = diag::code;

// Finds what stands twice under one key of two parts, and says so of all but the first. Keys are
// kept as hashes and sorted; texts are compared and made for equal hashes only.
class Once {
 public:
  Once(const char* code, diag::Diagnostics* diagnostics)
      : code_(code), diagnostics_(*diagnostics) {}
  void Reserve(size_t count) { seen_.reserve(count); }

  // `item` counts up; the parts are asked for again through `Finish`.
  void See(std::string_view a, std::string_view b, size_t item) {
    const std::hash<std::string_view> hash;
    seen_.push_back({hash(a) * 0x9e3779b97f4a7c15u ^ hash(b), item});
  }

  // parts(item): the pair of texts; place(item): its span; why(item): the summary.
  template <class Parts, class Place, class Why>
  void Finish(Parts&& parts, Place&& place, Why&& why) {
    std::sort(seen_.begin(), seen_.end());
    for (size_t i = 0; i < seen_.size(); ++i) {
      for (size_t k = i + 1; k < seen_.size() && seen_[k].first == seen_[i].first; ++k) {
        const size_t first = seen_[i].second, again = seen_[k].second;
        if (parts(first) != parts(again)) continue;
        auto& d = diagnostics_.Add({.code = code_,
                                    .summary = why(again),
                                    .span = place(again),
                                    .label = "declared again"});
        d.also.push_back({place(first), "first declared here"});
        break;  // the next one of three names this one as the first
      }
    }
  }

 private:
  const char* code_;
  diag::Diagnostics& diagnostics_;
  std::vector<std::pair<size_t, size_t>> seen_;  // hash, item
};

using Parts = std::pair<std::string_view, std::string_view>;

void CheckNames(const CheckInput& input, diag::Diagnostics* diagnostics) {
  ForEachTable(input.declarations, [&]<class M>(const std::vector<Declared<M>>& all) {
    if constexpr (requires(const M& m) { m.name(); }) {
      for (size_t i = 0; i < all.size(); ++i) {
        const std::string& name = all[i].message.name();
        const Declared<M>* first = input.index.Get<M>(name);
        if (first == &all[i] || all[i].of_service_account()) continue;
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
  const auto& all = input.declarations.accounts;
  Once accounts(code::kSameAccount, diagnostics);
  accounts.Reserve(all.size());
  const auto parts = [&](size_t i) {
    return Parts(all[i].message.server(), LoginOf(all[i].message));
  };
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].message.has_server()) accounts.See(parts(i).first, parts(i).second, i);
  }
  accounts.Finish(
      parts,
      [&](size_t i) {
        return all[i].message.has_login() ? all[i].At(decl::Account::kLoginFieldNumber)
                                          : all[i].span;
      },
      [&](size_t i) {
        return fmt::format("login \"{}\" at {} is declared twice", parts(i).second, parts(i).first);
      });
}

void CheckUids(const CheckInput& input, diag::Diagnostics* diagnostics) {
  const auto& all = input.declarations.accounts;
  Once uids(code::kSameUid, diagnostics);
  const auto parts = [&](size_t i) {
    return std::make_pair(std::string_view(all[i].message.server()), all[i].message.uid());
  };
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].message.has_uid()) {
      uids.See(all[i].message.server(), std::to_string(all[i].message.uid()), i);
    }
  }
  uids.Finish(
      parts, [&](size_t i) { return all[i].At(decl::Account::kUidFieldNumber); },
      [&](size_t i) {
        return fmt::format("uid {} at {} is given twice", parts(i).second, parts(i).first);
      });
}

// To the kernel of a host a number is one account, whichever server gave it: two identities would
// share everything that folders give.
void CheckUidsOfHosts(const CheckInput& input, diag::Diagnostics* diagnostics) {
  std::map<std::pair<std::string_view, uint32_t>, const Declared<decl::Account>*> first;
  for (const auto& account : input.declarations.accounts) {
    const decl::Account& m = account.message;
    const auto* server = m.has_uid() ? input.index.Get<decl::Server>(m.server()) : nullptr;
    if (server == nullptr) continue;
    const auto [at, is_new] = first.try_emplace({server->message.host(), m.uid()}, &account);
    const decl::Account& other = at->second->message;
    // Twice at one server is said of the server.
    if (is_new || other.server() == m.server() || other.for_() == m.for_()) continue;
    auto& d = diagnostics->Add(
        {.code = code::kSameUid,
         .summary = fmt::format("uid {} on host \"{}\" is given to {} and to {}", m.uid(),
                                server->message.host(), other.for_(), m.for_()),
         .span = account.At(decl::Account::kUidFieldNumber),
         .label = fmt::format("at server \"{}\"", m.server()),
         .notes = {
             "servers of one host share its numbers: whoever logs in at either is the same to "
             "the folders",
             "give another uid, or leave it out: one is allocated"}});
    d.also.push_back({at->second->At(decl::Account::kUidFieldNumber),
                      fmt::format("first given here, at server \"{}\"", other.server())});
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
      const std::string_view line = keys[i].key();
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
  const auto& all = input.declarations.folders;
  Once folders(code::kSameFolder, diagnostics);
  folders.Reserve(all.size());
  const auto parts = [&](size_t i) { return Parts(all[i].message.host(), all[i].message.path()); };
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].message.has_host() && all[i].message.has_path()) {
      folders.See(parts(i).first, parts(i).second, i);
    }
  }
  folders.Finish(
      parts, [&](size_t i) { return all[i].At(decl::Folder::kPathFieldNumber); },
      [&](size_t i) {
        return fmt::format("the folder {} on {} is declared twice", parts(i).second,
                           parts(i).first);
      });
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

struct DirectoryEntry {
  std::string_view directory;
  std::string dn;
  diag::Span span;
};

std::vector<DirectoryEntry> EntriesOf(const CheckInput& input) {
  std::vector<DirectoryEntry> entries;
  const auto add = [&](const std::string& directory, std::string dn, diag::Span span) {
    if (!directory.empty() && !dn.empty()) entries.push_back({directory, std::move(dn), span});
  };
  for (const auto& user : input.declarations.users) {
    const decl::User& m = user.message;
    const std::string& uid = m.has_uid() ? m.uid() : m.name();
    add(m.directory(), DnOf(input.index, m.directory(), m.dn(), "uid", uid, true),
        m.has_dn() ? user.At(decl::User::kDnFieldNumber) : user.span);
  }
  for (const auto& group : input.declarations.groups) {
    const decl::Group& m = group.message;
    add(m.directory(), DnOf(input.index, m.directory(), m.dn(), "cn", m.name(), false),
        m.has_dn() ? group.At(decl::Group::kDnFieldNumber) : group.span);
  }
  for (const auto& ou : input.declarations.ous) {
    if (!ou.message.has_dn()) continue;
    add(ou.message.directory(), object::Normalise(object::Comparator::kDn, ou.message.dn()),
        ou.At(decl::Ou::kDnFieldNumber));
  }
  return entries;
}

void CheckEntries(const CheckInput& input, diag::Diagnostics* diagnostics) {
  const std::vector<DirectoryEntry> all = EntriesOf(input);
  Once entries(code::kSameEntry, diagnostics);
  entries.Reserve(all.size());
  for (size_t i = 0; i < all.size(); ++i) entries.See(all[i].directory, all[i].dn, i);
  entries.Finish([&](size_t i) { return Parts(all[i].directory, all[i].dn); },
                 [&](size_t i) { return all[i].span; },
                 [&](size_t i) {
                   return fmt::format("the entry {} in {} is declared twice", all[i].dn,
                                      all[i].directory);
                 });
}

struct IamEntry {
  std::string_view iam;
  std::string name;  // "iam_user jo.hart"
  diag::Span span;
};

std::vector<IamEntry> IamEntriesOf(const CheckInput& input) {
  std::vector<IamEntry> entries;
  const auto add = [&](const auto& all, std::string_view table, auto&& name_of) {
    for (const auto& one : all) {
      const auto* iam = input.index.Get<decl::Iam>(one.message.iam());
      if (iam == nullptr) continue;
      entries.push_back({one.message.iam(),
                         fmt::format("{} {}", table, name_of(iam->message, one.message)),
                         one.span});
    }
  };
  const auto folded = [](const std::string& name) {
    return object::Normalise(object::Comparator::kCaseIgnore, name);
  };
  const Declarations& all = input.declarations;
  add(all.iam_users, "user",
      [&](const auto& iam, const auto& user) { return folded(UserNameOf(iam, user)); });
  add(all.iam_users, "user with external_id", [](const auto&, const auto& user) {
    return user.has_external_id() ? user.external_id() : "iam_user:" + user.name();
  });
  add(all.iam_groups, "group",
      [&](const auto& iam, const auto& group) { return folded(GroupNameOf(iam, group)); });
  const auto own = [&](const auto&, const auto& one) { return folded(NameOf(one)); };
  add(all.iam_roles, "application role", own);
  add(all.iam_access_roles, "access role", own);
  add(all.oauth_clients, "client", [](const auto&, const auto& one) { return NameOf(one); });
  return entries;
}

void CheckIamEntries(const CheckInput& input, diag::Diagnostics* diagnostics) {
  const std::vector<IamEntry> all = IamEntriesOf(input);
  Once entries(code::kSameIamObject, diagnostics);
  entries.Reserve(all.size());
  for (size_t i = 0; i < all.size(); ++i) entries.See(all[i].iam, all[i].name, i);
  entries.Finish([&](size_t i) { return Parts(all[i].iam, all[i].name); },
                 [&](size_t i) { return all[i].span; },
                 [&](size_t i) {
                   return fmt::format("the {} in iam \"{}\" is declared twice", all[i].name,
                                      all[i].iam);
                 });
}

void CheckTargets(const CheckInput& input, diag::Diagnostics* diagnostics) {
  const auto& hosts = input.declarations.hosts;
  Once addresses(code::kSameTarget, diagnostics);
  for (size_t i = 0; i < hosts.size(); ++i) {
    const std::string& address = hosts[i].message.address();
    if (address == "local:" || address.starts_with("ssh://")) addresses.See(address, "", i);
  }
  addresses.Finish([&](size_t i) { return Parts(hosts[i].message.address(), ""); },
                   [&](size_t i) { return hosts[i].At(decl::Host::kAddressFieldNumber); },
                   [&](size_t i) {
                     return fmt::format("two hosts have the address {}",
                                        hosts[i].message.address());
                   });
  const auto& servers = input.declarations.servers;
  Once configs(code::kSameTarget, diagnostics);
  const auto parts = [&](size_t i) {
    return Parts(servers[i].message.host(), servers[i].message.config());
  };
  for (size_t i = 0; i < servers.size(); ++i) {
    if (servers[i].message.has_config()) configs.See(parts(i).first, parts(i).second, i);
  }
  configs.Finish(
      parts, [&](size_t i) { return servers[i].At(decl::Server::kConfigFieldNumber); },
      [&](size_t i) {
        return fmt::format("two servers on {} have the configuration {}", parts(i).first,
                           parts(i).second);
      });
}

}  // namespace

void CheckDuplicates(const CheckInput& input, diag::Diagnostics* diagnostics) {
  CheckNames(input, diagnostics);
  CheckAccounts(input, diagnostics);
  CheckUids(input, diagnostics);
  CheckUidsOfHosts(input, diagnostics);
  CheckKeys(input, diagnostics);
  CheckFolders(input, diagnostics);
  CheckEntries(input, diagnostics);
  CheckIamEntries(input, diagnostics);
  CheckTargets(input, diagnostics);
}

}  // namespace postern::config
