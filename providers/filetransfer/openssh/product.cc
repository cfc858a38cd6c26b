#include "providers/filetransfer/openssh/product.h"

#include <fmt/format.h>

#include <algorithm>

#include "providers/filetransfer/openssh/words.h"

namespace postern::openssh {

using access::Capability;
using access::Depth;
using access::Right;
using access::Rights;
using access::Support;

namespace {

constexpr Rights kOnTheFolder =
    Rights(Right::kCreate) | Right::kDelete | Right::kRename | Right::kMkdir | Right::kRmdir;

Capability WriteOnFolder(Right right, std::string_view own) {
  return {"grant",
          std::string(NameOf(right)),
          Support::kWidens,
          kOnTheFolder - right,
          fmt::format("POSIX has one bit for all that changes a folder; of the others those come "
                      "along that the account has somewhere else{}",
                      own),
          {"two accounts, one for each kind of folder", "a ProFTPD server for per-folder rights"}};
}

}  // namespace

// Observed on OpenSSH 9.2 and Linux 6.1. A kind or field that isn't here is native.
std::vector<Capability> OpenSshProduct::Capabilities() const {
  return {
      {"account",
       "expires",
       Support::kCoarser,
       {},
       "shadow holds a UTC day; PAM refuses on that day, sshd without PAM a day later: the day "
       "that "
       "ends it in time is written",
       {"expires of the grant or the contract: the next apply ends it to the second",
        "expires of the keys, to the second"}},
      {"account",
       "enabled",
       Support::kNative,
       {},
       "a lock is the expiry day 1 in shadow: it holds for keys, passwords and certificates, with "
       "PAM and without",
       {}},
      {"ssh_key", "", Support::kNative, {}, "authorized_keys is read anew at each login", {}},
      {"ssh_key", "options", Support::kNative, {}, "restrict, from=, expiry-time in UTC", {}},
      {"ssh_key",
       "principals",
       Support::kNative,
       {},
       "a line with cert-authority and principals= in the account's file of keys",
       {}},
      {"grant",
       "group",
       Support::kCoarser,
       {},
       "written as entries of the members: a user entry hides group entries, and requests are "
       "allowed for a whole account",
       {}},
      {"grant",
       "depth",
       Support::kCoarser,
       {},
       "a folder made below a `this` grant is open like its parent until the next apply: new "
       "entries have one default ACL",
       {"a subtree grant", "no mkdir there"}},
      {"grant", "list", Support::kNative, {}, "r and x on the folder", {}},
      {"grant", "read", Support::kNative, {}, "r on the files; who made a file reads it", {}},
      {"grant",
       "overwrite",
       Support::kNative,
       {},
       "w on the files; who made a file overwrites it, and a rename replaces its target",
       {}},
      WriteOnFolder(Right::kCreate,
                    "; who reads or overwrites anywhere and changes a folder creates there too"),
      WriteOnFolder(Right::kDelete, ""),
      WriteOnFolder(Right::kRename, "; a rename replaces what has the new name"),
      WriteOnFolder(Right::kMkdir, ""),
      WriteOnFolder(Right::kRmdir, ""),
      {"grant",
       "chmod",
       Support::kUnsupported,
       {},
       "only the owner of an entry may chmod it, whatever an ACL says",
       {"a ProFTPD server for chmod over FTP", "mode of the declared folder"}},
      {"grant",
       "expires",
       Support::kUnsupported,
       {},
       "an ACL entry has no date",
       {"the next apply removes an expired grant", "an expiring account or key"}},
      {"session",
       "",
       Support::kNative,
       {},
       "an open session keeps its requests and its groups: end it after a revocation; ACLs hold at "
       "once",
       {}},
  };
}

const access::Product& OpenSsh() {
  static const OpenSshProduct product;
  return product;
}

std::vector<GrantRow> ExpandMembers(std::span<const GrantRow> rows, const Members& members) {
  std::map<std::tuple<std::string, Depth, Subject>, Rights> merged;
  for (const GrantRow& row : rows) {
    const bool account = row.subject.type == Subject::Type::kAccount;
    const auto group = members.find(row.subject.name);
    if (account || row.rights.empty() || group == members.end()) {
      merged[{row.path, row.depth, row.subject}] |= row.rights;
      continue;
    }
    for (const std::string& login : group->second) {
      merged[{row.path, row.depth, Subject{Subject::Type::kAccount, login}}] |= row.rights;
    }
  }
  std::vector<GrantRow> expanded;
  for (const auto& [key, rights] : merged) {
    expanded.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), rights});
  }
  return expanded;
}

Result<std::vector<posix::Wanted>> WantedOf(std::span<const GrantRow> rows,
                                            const posix::HostAccounts& host) {
  std::vector<posix::Wanted> wanted;
  for (const GrantRow& row : rows) {
    const posix::User* user = host.FindUser(row.subject.name);
    if (row.subject.type != Subject::Type::kAccount || user == nullptr) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("{} is no account of the host", access::Format(row.subject)));
    }
    wanted.push_back({row.path, row.depth, user->uid, row.rights});
  }
  return wanted;
}

Rights RightsOfRows(std::span<const GrantRow> rows, std::string_view login,
                    std::string_view folder) {
  Rights rights;
  for (const GrantRow& row : rows) {
    const bool covers =
        row.depth == Depth::kSubtree ? access::IsWithin(folder, row.path) : folder == row.path;
    if (covers && row.subject.name == login) rights |= row.rights;
  }
  return rights;
}

std::string WhyRowUnfit(const GrantRow& row, std::span<const std::string> roots) {
  const std::string& path = row.path;
  if (!path.starts_with('/') || (path.size() > 1 && path.ends_with('/')) ||
      path.find("//") != std::string::npos || path.find('\0') != std::string::npos) {
    return "the path isn't absolute and plain";
  }
  const bool within = std::any_of(roots.begin(), roots.end(), [&](const std::string& root) {
    return access::IsWithin(path, root);
  });
  if (!within) return "the folder isn't within a managed root";
  if (row.subject.type != Subject::Type::kAccount) {
    return "a user entry hides group entries, and requests hold for a whole account: a group is "
           "enforced as its members";
  }
  return WhyNameUnfit(row.subject.name);
}

}  // namespace postern::openssh
