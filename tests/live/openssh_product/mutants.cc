#include "tests/live/openssh_product/mutants.h"

#include <algorithm>
#include <fstream>

namespace postern::live {
namespace {

using Facts = Estate::Facts;
using openssh::Account;
using openssh::AuthorizedKey;
using posix::Node;

Mutant OnNodes(const std::string& overlooks, const std::function<void(Node&)>& change) {
  return {overlooks, [change](Facts& facts) {
            const posix::Tree::Nodes nodes = facts.tree.nodes();
            for (auto [path, node] : nodes) {
              change(node);
              facts.tree.Put(path, node);
            }
          }};
}

Mutant OnAccounts(const std::string& overlooks, const std::function<void(Account&)>& change) {
  return {overlooks, [change](Facts& facts) {
            for (auto& [login, account] : facts.accounts) change(account);
          }};
}

Mutant OnKeys(const std::string& overlooks, const std::function<void(AuthorizedKey&)>& change) {
  return OnAccounts(overlooks, [change](Account& account) {
    for (AuthorizedKey& key : account.keys.keys) change(key);
  });
}

// One field of each line of an account file as somebody sees it who doesn't look.
Mutant OnFields(const std::string& overlooks, const std::string& file, size_t field,
                const std::string& value) {
  return {overlooks, [=](Facts& facts) {
            std::map<std::string, std::string> text;
            for (const char* name : {"passwd", "group", "shadow"}) {
              std::ifstream in(std::string("/etc/") + name);
              for (std::string line; std::getline(in, line); text[name] += line + "\n") {
                if (name != file) continue;
                size_t start = 0;
                for (size_t i = 0; i < field; ++i) start = line.find(':', start) + 1;
                const size_t end = std::min(line.find(':', start), line.size());
                line.replace(start, end - start, value);
              }
            }
            facts.host = posix::HostAccounts::Parse(text["passwd"], text["group"], text["shadow"]);
          }};
}

std::vector<Mutant> OfFolders() {
  return {OnNodes("the mask",
                  [](Node& node) {
                    if (node.access.mask) node.access.mask = 7;
                  }),
          OnNodes("that an empty mask turns the ACL off",
                  [](Node& node) {
                    if (node.access.mask == 0) node.access.other = 0;
                  }),
          OnNodes("entries of named users", [](Node& node) { node.access.users.clear(); }),
          OnNodes("entries of named groups", [](Node& node) { node.access.groups.clear(); }),
          OnNodes("the owning group", [](Node& node) { node.gid = 1; }),
          OnNodes("that the owner has an entry of its own", [](Node& node) { node.uid = 1; }),
          OnNodes("the sticky bit", [](Node& node) { node.sticky = false; }),
          OnNodes("other", [](Node& node) { node.access.other = 0; }),
          OnNodes("x on the way", [](Node& node) {
            if (node.type != Node::Type::kFolder) return;
            node.access.owner |= 1;
            node.access.other |= 1;
            node.access.group |= 1;
            for (auto& [uid, perm] : node.access.users) perm |= 1;
            for (auto& [gid, perm] : node.access.groups) perm |= 1;
            if (node.access.mask) *node.access.mask |= 1;
          })};
}

std::vector<Mutant> OfSessions() {
  return {OnAccounts("denied requests",
                     [](Account& account) {
                       account.settings.forced.denied.clear();
                       account.settings.subsystem.denied.clear();
                     }),
          OnAccounts("the list of allowed requests",
                     [](Account& account) { account.settings.forced.allowed.reset(); }),
          OnAccounts("read-only mode",
                     [](Account& account) { account.settings.forced.read_only = false; }),
          OnAccounts("forced commands", [](Account& account) { account.settings.forced = {}; }),
          OnAccounts("the subsystem's options",
                     [](Account& account) {
                       account.settings.subsystem = openssh::ParseSftpCommand("internal-sftp");
                     }),
          OnAccounts("the chroot", [](Account& account) { account.settings.chroot.clear(); }),
          OnAccounts("hardlink with remove",
                     [](Account& account) { account.settings.forced.denied.insert("hardlink"); })};
}

std::vector<Mutant> OfLogins() {
  return {
      OnAccounts("UsePAM no", [](Account& account) { account.settings.pam = true; }),
      OnAccounts("UsePAM yes", [](Account& account) { account.settings.pam = false; }),
      OnAccounts("AllowUsers", [](Account& account) { account.settings.allow_users.clear(); }),
      OnAccounts("DenyUsers", [](Account& account) { account.settings.deny_users.clear(); }),
      OnAccounts("AllowGroups", [](Account& account) { account.settings.allow_groups.clear(); }),
      OnAccounts("DenyGroups", [](Account& account) { account.settings.deny_groups.clear(); }),
      OnAccounts("PubkeyAuthentication", [](Account& account) { account.settings.pubkey = true; }),
      OnKeys("where a key may come from", [](AuthorizedKey& key) { key.options.from.reset(); }),
      OnKeys("a key's expiry", [](AuthorizedKey& key) { key.options.not_after.reset(); }),
      OnKeys("a key's command", [](AuthorizedKey& key) { key.options.command.reset(); }),
      OnFields("the expiry field of shadow", "shadow", 7, ""),
      OnFields("the lock in shadow", "shadow", 1, "*"),
      OnFields("supplementary groups", "group", 3, ""),
      OnFields("a shell that is no program", "passwd", 6, "/bin/false")};
}

}  // namespace

std::vector<Mutant> Mutants() {
  std::vector<Mutant> all = OfFolders();
  for (const auto& more : {OfSessions(), OfLogins()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

}  // namespace postern::live
