// What a snapshot of an sshd says, as objects of the kinds that are its own.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "providers/filetransfer/openssh_io/snapshot.h"
#include "providers/filetransfer/server/entry_rules.h"
#include "providers/filetransfer/server/grant_rows.h"
#include "schemas/kinds.pb.h"

namespace postern::filetransfer {
namespace {

using object::Object;

// What our blocks set: of these a line before ours decides.
bool IsOurs(std::string_view keyword) {
  constexpr std::string_view kOurs[] = {"forcecommand", "chrootdirectory", "disableforwarding",
                                        "permittty", "revokedkeys"};
  return std::find(std::begin(kOurs), std::end(kOurs), keyword) != std::end(kOurs);
}

// Edits of the rows and of what sessions may ask for show as rows of access.
bool ShowsElsewhere(const openssh::Edit& edit) {
  const size_t start = edit.text.find_first_not_of(" \t");
  if (start == std::string::npos || edit.text[start] == '#') return true;
  std::string word = edit.text.substr(start, edit.text.find_first_of(" \t=", start) - start);
  std::transform(word.begin(), word.end(), word.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return word == "forcecommand" || word == "match";
}

}  // namespace

std::vector<Object> GrantObjects(const SshdSnapshot& snapshot, const ServerSettings& settings) {
  std::vector<Object> out;
  for (const access::GrantRow& row : snapshot.rows) {
    out.push_back(GrantObject(settings.name, row, snapshot.notes, snapshot.include));
  }
  return out;
}

std::vector<posix::ForeignEntry> EntriesOf(const SshdSnapshot& snapshot,
                                           const ServerSettings& settings) {
  if (!snapshot.grant_problem.empty()) return {};
  std::vector<posix::Credentials> managed = snapshot.peers.accounts;
  for (const std::string& login : snapshot.Logins()) {
    if (auto who = snapshot.host.accounts.CredentialsOf(login)) managed.push_back(std::move(*who));
  }
  return posix::ForeignEntriesIn(snapshot.tree.tree, settings.roots, managed,
                                 snapshot.host.accounts);
}

std::vector<Object> RuleObjects(const SshdSnapshot& snapshot, const ServerSettings& settings) {
  std::vector<Object> out;
  std::set<std::string> seen;
  // A rule that reaches every managed root stands at what holds them all.
  const std::string all = settings.roots.size() == 1 ? settings.roots.front() : "/";
  const auto add = [&](const std::string& file, uint32_t line, const std::string& text,
                       const std::string& effect) {
    kinds::NativeRule rule;
    rule.set_server(settings.name);
    rule.set_file(file);
    rule.set_line(line);
    rule.set_text(text);
    rule.set_path(all);
    rule.set_effect(effect);
    const auto& files = snapshot.files.files();
    const auto at = files.find(file);
    Object object = at == files.end() ? object::Encode(rule) : ObjectFrom(rule, at->second);
    if (seen.insert(object.key).second) out.push_back(std::move(object));
  };
  for (const std::string& login : snapshot.Logins()) {
    const posix::User& user = *snapshot.host.accounts.FindUser(login);
    for (const std::string& address : openssh::AddressesToAsk(snapshot.config, "192.0.2.1")) {
      const openssh::Connection who{.user = login,
                                    .groups = snapshot.host.accounts.GroupNamesOf(user),
                                    .host = address,
                                    .address = address,
                                    .local_address = "127.0.0.1"};
      for (const auto& shadow : openssh::ShadowsOf(snapshot.config, settings.include, who)) {
        if (!IsOurs(shadow.keyword)) continue;
        add(shadow.by.file, shadow.by.line, shadow.by.keyword + " " + shadow.by.value,
            fmt::format("this line counts before our include, for {} and whom else it names",
                        login));
      }
    }
  }
  for (const openssh::Edit& edit : snapshot.grants.edits) {
    if (ShowsElsewhere(edit)) continue;
    add(settings.include, edit.line, edit.text,
        fmt::format("edited by hand ({}); writing any grant of this server restores the file",
                    edit.why));
  }
  for (Object& entry : EntryRules(settings.name, EntriesOf(snapshot, settings), snapshot.times)) {
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace postern::filetransfer
