#include "providers/filetransfer/openssh/login.h"

#include <fmt/format.h>

#include <algorithm>

#include "providers/filetransfer/openssh/words.h"
#include "providers/filetransfer/posix/access.h"

namespace postern::openssh {
namespace {

using posix::PasswordState;

class Judge {
 public:
  Judge(const Connection& connection, const Settings& settings, const posix::HostAccounts& host,
        const AccountKeys& keys, const HostFacts& facts)
      : who_(connection),
        settings_(settings),
        keys_(keys),
        facts_(facts),
        user_(host.FindUser(connection.user)),
        shadow_(host.FindShadow(connection.user)) {}

  Login Run() {
    if (user_ == nullptr) {
      Shut("the host has no such account");
      return std::move(login_);
    }
    CheckAccount();
    CheckLists();
    if (!login_.why.empty()) return std::move(login_);
    if (KeyOpens()) login_.ways.push_back(WayIn::kKey);
    if (PasswordOpens()) login_.ways.push_back(WayIn::kPassword);
    if (CertificateOpens()) login_.ways.push_back(WayIn::kCertificate);
    ApplyMethods();
    return std::move(login_);
  }

 private:
  void Shut(std::string why) { login_.why.push_back(std::move(why)); }

  int64_t Today() const { return facts_.now / posix::kSecondsPerDay; }

  // Whatever the way: state of the account itself.
  void CheckAccount() {
    if (user_->uid == 0 && settings_.root_login == "no") Shut("PermitRootLogin no");
    if (facts_.nologin_file && user_->uid != 0) Shut("/etc/nologin is there");
    if (settings_.chroot.empty() && !ShellExists()) {
      Shut(fmt::format("the shell {} is no program", user_->shell));
    }
    if (shadow_ == nullptr) return;
    if (!settings_.pam && shadow_->password == PasswordState::kLocked) {
      Shut("the password field starts with !, and sshd without PAM takes that for every way");
    }
    if (shadow_->expires && Expired(*shadow_->expires)) Shut("the account's expiry is past");
    if (settings_.pam && Inactive()) Shut("the password is too old (shadow, inactive)");
  }

  bool Expired(int64_t day) const { return settings_.pam ? Today() >= day : Today() > day; }

  bool Inactive() const {
    return shadow_->last_change && shadow_->max_days && shadow_->inactive_days &&
           *shadow_->last_change > 0 &&
           Today() - *shadow_->last_change > *shadow_->max_days + *shadow_->inactive_days;
  }

  bool ShellExists() const {
    // An empty field is /bin/sh.
    const std::string shell = user_->shell.empty() ? "/bin/sh" : user_->shell;
    return std::binary_search(facts_.programs.begin(), facts_.programs.end(), shell);
  }

  bool Listed(const std::vector<std::string>& patterns) const {
    return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
      return MatchUserAt(who_.user, who_.host, who_.address, pattern);
    });
  }
  bool GroupListed(const std::vector<std::string>& patterns) const {
    return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
      return MatchGroups(who_.groups, pattern);
    });
  }

  void CheckLists() {
    if (Listed(settings_.deny_users)) Shut("DenyUsers");
    if (!settings_.allow_users.empty() && !Listed(settings_.allow_users)) Shut("not in AllowUsers");
    if (GroupListed(settings_.deny_groups)) Shut("DenyGroups");
    if (!settings_.allow_groups.empty() && !GroupListed(settings_.allow_groups)) {
      Shut("not in AllowGroups");
    }
  }

  bool Revoked() const { return !settings_.revoked_keys.empty() && !facts_.revoked_keys_readable; }

  bool KeyOpens() {
    if (!settings_.pubkey) return false;
    if (Revoked()) {
      Shut("RevokedKeys can't be read, so no key counts");
      return false;
    }
    return std::any_of(keys_.keys.begin(), keys_.keys.end(), [&](const AuthorizedKey& key) {
      return !key.options.cert_authority &&
             OpensAt(key.options, facts_.now, who_.host, who_.address);
    });
  }

  bool CertificateOpens() const {
    return settings_.pubkey && !Revoked() &&
           !PrincipalsThatOpen(who_, settings_, keys_, facts_.now).empty();
  }

  bool PasswordOpens() const {
    const bool asks = settings_.password || (settings_.keyboard && settings_.pam);
    if (!asks || shadow_ == nullptr) return false;
    if (user_->uid == 0 && settings_.root_login != "yes") return false;
    return shadow_->password == PasswordState::kHash ||
           (shadow_->password == PasswordState::kEmpty && settings_.empty_passwords);
  }

  bool Has(WayIn way) const {
    return std::find(login_.ways.begin(), login_.ways.end(), way) != login_.ways.end();
  }

  // A way that no list can be finished with is none.
  void ApplyMethods() {
    if (settings_.methods.empty()) return;
    std::vector<WayIn> done;
    const bool key = Has(WayIn::kKey) || Has(WayIn::kCertificate);
    for (const std::vector<std::string>& list : settings_.methods) {
      bool all = true, by_key = false, by_password = false;
      for (const std::string& method : list) {
        const std::string name = method.substr(0, method.find(':'));
        const bool is_key = name == "publickey";
        const bool is_password = name == "password" || name == "keyboard-interactive";
        all = all && ((is_key && key) || (is_password && Has(WayIn::kPassword)));
        by_key = by_key || is_key;
        by_password = by_password || is_password;
      }
      if (!all) continue;
      for (const WayIn way : login_.ways) {
        const bool named = way == WayIn::kPassword ? by_password : by_key;
        if (named && std::find(done.begin(), done.end(), way) == done.end()) done.push_back(way);
      }
    }
    std::sort(done.begin(), done.end());
    if (done.empty() && !login_.ways.empty()) Shut("AuthenticationMethods asks for more");
    login_.ways = std::move(done);
  }

  const Connection& who_;
  const Settings& settings_;
  const AccountKeys& keys_;
  const HostFacts& facts_;
  const posix::User* user_;
  const posix::Shadow* shadow_;
  Login login_;
};

// Debian: a group that has nobody but the account is as good as the account.
bool IsOwnGroup(const posix::HostAccounts& host, const posix::User& user, uint32_t gid) {
  if (gid != user.gid) return false;
  for (const posix::User& other : host.users()) {
    if (other.gid == gid && other.name != user.name) return false;
  }
  for (const posix::Group& group : host.groups()) {
    if (group.gid != gid) continue;
    for (const std::string& member : group.members) {
      if (member != user.name) return false;
    }
  }
  return true;
}

}  // namespace

std::string_view NameOf(WayIn way) {
  constexpr std::string_view kNames[] = {"key", "password", "certificate"};
  return kNames[static_cast<int>(way)];
}

Login LoginOf(const Connection& connection, const Settings& settings,
              const posix::HostAccounts& host, const AccountKeys& keys, const HostFacts& facts) {
  return Judge(connection, settings, host, keys, facts).Run();
}

std::vector<std::string> PrincipalsThatOpen(const Connection& connection, const Settings& settings,
                                            const AccountKeys& keys, base::Instant now) {
  std::vector<std::string> names;
  const auto opens = [&](const KeyOptions& options) {
    return OpensAt(options, now, connection.host, connection.address);
  };
  for (const AuthorizedKey& key : keys.keys) {
    if (!key.options.cert_authority || !opens(key.options)) continue;
    const std::string list = key.options.principals.value_or(connection.user);
    for (std::string& name : SplitList(list, ',')) names.push_back(std::move(name));
  }
  if (!keys.trusted.empty() && settings.principals_files.empty()) names.push_back(connection.user);
  if (!keys.trusted.empty() && !settings.principals_files.empty()) {
    for (const Principal& principal : keys.principals) {
      if (opens(principal.options)) names.push_back(principal.name);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

bool RunsCommands(std::string_view shell) {
  const std::string_view name = shell.substr(shell.rfind('/') + 1);
  return name != "nologin" && name != "false";
}

Result<std::vector<std::string>> KeyFilesOf(const Settings& settings, const posix::User& user) {
  std::vector<std::string> files;
  for (const std::string& pattern : settings.key_files) {
    const auto path = ExpandTokens(pattern, user.name, user.home, user.uid);
    if (!path) {
      return Fail(ErrorCode::kInvalid,
                  fmt::format("AuthorizedKeysFile {} has a token that sshd doesn't know", pattern));
    }
    files.push_back(path->starts_with('/') ? *path : user.home + "/" + *path);
  }
  return files;
}

std::string WhyKeyFileUnused(const posix::Tree& tree, const posix::HostAccounts& host,
                             const posix::User& user, const Settings& settings,
                             std::string_view path) {
  const auto chain = tree.Chain(path);
  if (!chain) return chain.error().message;
  const auto who = host.CredentialsOf(user.name);
  if (!who || !posix::May(*who, *chain, access::Right::kRead)) {
    return fmt::format("the account itself can't read {}", path);
  }
  if (!settings.strict_modes) return "";
  for (std::string_view at = path; !at.empty(); at = access::ParentOf(at)) {
    const posix::Node* node = tree.Find(at);
    if (node == nullptr) return fmt::format("{} was not read", at);
    if (node->uid != 0 && node->uid != user.uid) {
      return fmt::format("{} belongs to neither root nor the account", at);
    }
    const posix::Perm group = node->access.group_bits();
    const bool group_writes = (group & posix::kWrite) && !IsOwnGroup(host, user, node->gid);
    if (group_writes || (node->access.other & posix::kWrite)) {
      return fmt::format("{} can be written by others", at);
    }
    if (at == user.home) return "";
  }
  return "";
}

Result<std::string> WhyNoChroot(const posix::Tree& tree, std::string_view chroot) {
  if (!chroot.starts_with('/')) return std::string("the chroot isn't an absolute path");
  const auto chain = tree.Chain(chroot);
  if (!chain) return tl::unexpected<Error>(chain.error());
  std::string_view path = chroot;
  for (auto node = chain->rbegin(); node != chain->rend(); ++node, path = access::ParentOf(path)) {
    const posix::Node& at = **node;
    if (at.type != posix::Node::Type::kFolder) return fmt::format("{} is no folder", path);
    if (at.uid != 0) return fmt::format("{} doesn't belong to root", path);
    // The group digit of the mode: with an ACL that is the mask.
    if ((at.access.group_bits() | at.access.other) & posix::kWrite) {
      return fmt::format("{} can be written by others than root", path);
    }
  }
  return std::string();
}

}  // namespace postern::openssh
