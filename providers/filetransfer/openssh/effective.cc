#include "providers/filetransfer/openssh/effective.h"

#include <fmt/format.h>

#include <algorithm>

#include "providers/filetransfer/openssh/words.h"

namespace postern::openssh {
namespace {

class View {
 public:
  explicit View(const std::multimap<std::string, std::string>& all) : all_(all) {}

  std::string One(const std::string& keyword) const {
    const auto at = all_.find(keyword);
    return at == all_.end() || at->second == "none" ? "" : at->second;
  }
  bool Yes(const std::string& keyword) const { return One(keyword) == "yes"; }
  // Repeated lines and blanks alike.
  std::vector<std::string> List(const std::string& keyword) const {
    std::vector<std::string> list;
    const auto [begin, end] = all_.equal_range(keyword);
    for (auto at = begin; at != end; ++at) {
      for (std::string& word : SplitWords(at->second)) {
        if (word != "none") list.push_back(std::move(word));
      }
    }
    return list;
  }

 private:
  const std::multimap<std::string, std::string>& all_;
};

constexpr const char* kAlways[] = {"usepam",         "pubkeyauthentication", "strictmodes",
                                   "forcecommand",   "chrootdirectory",      "authorizedkeysfile",
                                   "permitrootlogin"};

void ReadMethods(const View& view, Settings* settings) {
  for (const std::string& list : view.List("authenticationmethods")) {
    if (list == "any") {
      settings->methods.clear();
      return;
    }
    settings->methods.push_back(SplitList(list, ','));
  }
}

void ReadSubsystem(const std::multimap<std::string, std::string>& all, Settings* settings) {
  const auto [begin, end] = all.equal_range("subsystem");
  for (auto at = begin; at != end; ++at) {
    const std::string_view value = at->second;
    settings->has_subsystem = true;
    if (!value.starts_with("sftp ")) continue;
    settings->subsystem = ParseSftpCommand(value.substr(5));
    return;
  }
}

}  // namespace

Result<Settings> ParseSettings(std::string_view output) {
  Settings settings;
  while (!output.empty()) {
    const size_t end = std::min(output.find('\n'), output.size());
    const std::string_view line = output.substr(0, end);
    output.remove_prefix(std::min(end + 1, output.size()));
    const size_t blank = line.find(' ');
    if (blank == 0 || line.empty()) continue;
    settings.all.emplace(std::string(line.substr(0, blank)),
                         blank == std::string_view::npos ? "" : line.substr(blank + 1));
  }
  for (const char* keyword : kAlways) {
    if (!settings.all.contains(keyword)) {
      return Fail(ErrorCode::kIncomplete,
                  fmt::format("sshd -T says nothing about {}: the output was cut", keyword));
    }
  }
  const View view(settings.all);
  settings.chroot = view.One("chrootdirectory");
  settings.forced = ParseSftpCommand(view.One("forcecommand"));
  ReadSubsystem(settings.all, &settings);
  settings.allow_users = view.List("allowusers");
  settings.deny_users = view.List("denyusers");
  settings.allow_groups = view.List("allowgroups");
  settings.deny_groups = view.List("denygroups");
  ReadMethods(view, &settings);
  settings.pubkey = view.Yes("pubkeyauthentication");
  settings.password = view.Yes("passwordauthentication");
  settings.keyboard = view.Yes("kbdinteractiveauthentication");
  settings.empty_passwords = view.Yes("permitemptypasswords");
  settings.pam = view.Yes("usepam");
  settings.strict_modes = view.Yes("strictmodes");
  settings.disable_forwarding = view.Yes("disableforwarding");
  settings.permit_tty = view.Yes("permittty");
  settings.root_login = view.One("permitrootlogin");
  settings.key_files = view.List("authorizedkeysfile");
  settings.principals_files = view.List("authorizedprincipalsfile");
  settings.ca_files = view.List("trustedusercakeys");
  settings.revoked_keys = view.One("revokedkeys");
  settings.keys_command = view.One("authorizedkeyscommand");
  settings.principals_command = view.One("authorizedprincipalscommand");
  return settings;
}

}  // namespace postern::openssh
