#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "core/access/rights.h"
#include "providers/filetransfer/proftpd/blocks.h"
#include "providers/filetransfer/proftpd/config.h"
#include "providers/filetransfer/proftpd/directives.h"
#include "providers/filetransfer/proftpd/names.h"
#include "providers/filetransfer/proftpd/statement.h"

namespace postern::proftpd {
namespace {

using Kind = Statement::Kind;

// Included files may include others; the daemon itself stops at its own depth.
constexpr int kDeepestInclude = 16;

bool IsOn(const Statement& statement) {
  if (statement.args.empty()) return false;
  for (const std::string_view yes : {"on", "yes", "true", "1"}) {
    if (SameWord(statement.args[0], yes)) return true;
  }
  return false;
}

// A switch that is off, and the filter in Debian's own configuration, which refuses only shell
// patterns that reach into folders.
bool IsInert(const Statement& statement) {
  if (statement.args.size() != 1) return false;
  if (SameWord(statement.name, "DenyFilter")) return statement.args[0] == "*.*/";
  for (const std::string_view no : {"off", "no", "false", "0"}) {
    if (SameWord(statement.args[0], no))
      return DescribeDirective(statement.name).effect != Effect::kUnknown;
  }
  return false;
}

// True when each of our blocks answers every word of the Limit itself, so that the Limit further
// away is never asked. STAT is the one command of ours that is decided by its group.
bool AnsweredByUs(const std::vector<std::string>& words) {
  static const std::set<std::string> ours = [] {
    std::set<std::string> all;
    for (int i = 0; i < kClassCount; ++i) {
      for (const auto word : CommandsOf(static_cast<CommandClass>(i))) all.insert(Lowercase(word));
    }
    for (const auto word : DeniedCommands()) all.insert(Lowercase(word));
    return all;
  }();
  return std::all_of(words.begin(), words.end(),
                     [](const std::string& word) { return ours.contains(Lowercase(word)); });
}

class ConfigReader {
 public:
  ConfigReader(const FileSource& files, const ConfigQuestion& question)
      : files_(files),
        question_(question),
        defines_(question.defines.begin(), question.defines.end()) {
    out_.servers.emplace_back();
  }

  Result<LiveConfig> Run() {
    const Result<std::string> text = files_.Read(question_.main_file);
    if (!text) return base::Wrap("read " + question_.main_file, text.error());
    ReadText(question_.main_file, *text, 0);
    if (error_) return tl::unexpected<Error>(*error_);
    MergeGlobal();
    FindFtpaccess();
    FindTraps();
    FindMissing();
    return std::move(out_);
  }

 private:
  struct Section {
    std::string name;  // lowercase
    std::string path;  // of a Directory
    bool skipped = false;
  };

  void ReadText(const std::string& file, const std::string& text, int depth) {
    out_.files.push_back(file);
    const size_t open_before = sections_.size();
    for (const Statement& statement : ParseStatements(text)) {
      file_ = file;
      Take(statement, depth);
      if (error_) return;
    }
    if (depth == 0 && sections_.size() != open_before) {
      out_.foreign.push_back({file, 0, "", "", "a section isn't closed: the daemon won't start"});
    }
  }

  void Take(const Statement& statement, int depth) {
    if (statement.kind == Kind::kBroken) return Report(statement, "", "not a line of ProFTPD");
    if (statement.kind == Kind::kOpen) return Open(statement);
    if (statement.kind == Kind::kClose) {
      if (sections_.empty() || sections_.back().name != Lowercase(statement.name)) {
        return Report(statement, "", "closes a section that isn't open");
      }
      sections_.pop_back();
      if (SameWord(statement.name, "VirtualHost")) server_ = 0;
      return;
    }
    if (Skipping()) return;
    if (SameWord(statement.name, "Include")) return Include(statement, depth);
    Directive(statement);
  }

  void Open(const Statement& statement) {
    Section section{.name = Lowercase(statement.name), .skipped = Skipping()};
    if (!section.skipped) OpenLive(statement, section);
    sections_.push_back(std::move(section));
  }

  void OpenLive(const Statement& statement, Section& section) {
    const std::string argument = statement.args.empty() ? "" : statement.args[0];
    if (section.name == "ifmodule" || section.name == "ifdefine") {
      const bool negated = argument.starts_with('!');
      const std::string word = argument.substr(negated ? 1 : 0);
      const bool there = section.name == "ifmodule" ? HasModule(word) : defines_.contains(word);
      section.skipped = there == negated;
    } else if (section.name == "virtualhost") {
      out_.servers.emplace_back().name = argument;
      server_ = out_.servers.size() - 1;
    } else if (section.name == "directory") {
      OpenDirectory(statement, argument, section);
    } else if (section.name == "limit") {
      OpenLimit(statement, section);
    } else if (section.name == "anonymous") {
      Report(statement, argument, "anonymous logins have rules of their own");
      section.skipped = true;
    } else if (section.name.starts_with("if")) {
      Report(statement, "", "rules that hold for some sessions only come ahead of all others");
      section.skipped = true;
    } else if (section.name == "class") {
      section.skipped = true;  // a class does nothing until a rule names it
    } else if (section.name != "global") {
      Report(statement, "", "a section that Postern doesn't know");
      section.skipped = true;
    }
  }

  void OpenDirectory(const Statement& statement, std::string path, Section& section) {
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    section.path = path;
    const auto literal = UnescapePath(path);
    if (!literal || !path.starts_with('/') || path.find('%') != std::string::npos) {
      Report(statement, path, "a pattern may govern managed folders in place of our blocks");
      section.skipped = true;
      return;
    }
    const auto within = [&](const std::string& root) { return access::IsWithin(*literal, root); };
    const auto above = [&](const std::string& root) { return access::IsWithin(root, *literal); };
    if (std::any_of(question_.roots.begin(), question_.roots.end(), within)) {
      Report(statement, *literal, "a block by another hand governs this managed folder");
      section.skipped = true;
    } else if (std::none_of(question_.roots.begin(), question_.roots.end(), above)) {
      section.skipped = true;  // elsewhere on the host
    }
  }

  void OpenLimit(const Statement& statement, Section& section) {
    section.skipped = true;
    for (const std::string& word : statement.args) {
      if (!SameWord(word, "LOGIN")) continue;
      return Report(statement, "", "who may log in is decided here, beside the declarations");
    }
    if (AnsweredByUs(statement.args)) return;
    Report(statement, InDirectory(), "it limits a command that our blocks leave to their groups");
  }

  void Include(const Statement& statement, int depth) {
    if (statement.args.size() != 1) return Report(statement, "", "an Include without one path");
    const std::string& path = statement.args[0];
    if (path == question_.include_file) return SeeOurInclude(statement);
    if (depth >= kDeepestInclude) return Report(statement, "", "included files go too deep");
    std::vector<std::string> found = {path};
    const bool pattern = path.find_first_of("*?[") != std::string::npos;
    if (pattern) {
      found = files_.Glob(path);
      if (found.empty()) return;  // an empty conf.d is usual
    } else if (const Result<std::string> text = files_.Read(path);
               !text && text.error().code == ErrorCode::kNotFound) {
      // A folder: every file in it.
      found = files_.Glob(path.ends_with('/') ? path + "*" : path + "/*");
      if (found.empty() && !path.ends_with('/')) {
        return Report(statement, "",
                      "the file isn't there: the daemon starts without it, and without its rules");
      }
    }
    const std::string here = file_;
    for (const std::string& file : found) {
      if (file == question_.include_file) {
        SeeOurInclude(statement);
        continue;
      }
      const Result<std::string> text = files_.Read(file);
      if (!text) {
        error_ = Error{ErrorCode::kIncomplete, fmt::format("{}: {}", file, text.error().message)};
        return;
      }
      ReadText(file, *text, depth + 1);
    }
    file_ = here;
  }

  void SeeOurInclude(const Statement& statement) {
    if (In("global") && InDirectory().empty()) {
      out_.include_in_global = true;
    } else {
      Report(statement, "", "the generated file is included outside of <Global>");
    }
  }

  void Directive(const Statement& statement) {
    const std::string name = Lowercase(statement.name);
    const std::string value = statement.args.empty() ? "" : statement.args[0];
    if (name == "define") defines_.insert(value);
    if (name == "loadmodule") {
      out_.modules.push_back(value);
      if (!IsKnownModule(value)) {
        Report(statement, "", fmt::format("the module {} may change what is checked", value));
      }
      return;
    }
    if (name == "banengine" && IsOn(statement)) ban_engine_ = true;
    if (InDirectory().empty()) Setting(name, value, statement);
    if (name == "authorder") CheckAuthOrder(statement);
    const DirectiveInfo info = DescribeDirective(name);
    if (IsInert(statement)) return;
    if (info.effect == Effect::kAccess) Report(statement, InDirectory(), std::string(info.why));
    if (info.effect == Effect::kUnknown) {
      Report(statement, InDirectory(), "a directive that Postern doesn't know");
    }
  }

  void CheckAuthOrder(const Statement& statement) {
    auth_order_ = true;
    for (const std::string& module : statement.args) {
      if (module.starts_with("mod_auth_file.c")) continue;
      return Report(statement, "", fmt::format("accounts also come from {}", module));
    }
  }

  void Setting(const std::string& name, const std::string& value, const Statement& statement) {
    if (name == "user") out_.user = value;
    if (name == "group") out_.group = value;
    if (name == "pidfile") out_.pid_file = value;
    if (name == "scoreboardfile") out_.scoreboard_file = value;
    if (name == "controlssocket") out_.controls_socket = value;
    ServerSettings& server = In("global") ? global_ : out_.servers[server_];
    if (name == "port") {
      uint16_t port = 0;
      std::from_chars(value.data(), value.data() + value.size(), port);
      server.port = port;
    }
    if (name == "sftpengine") server.sftp = IsOn(statement);
    if (name == "authuserfile") server.auth_user_file = value;
    if (name == "authgroupfile") server.auth_group_file = value;
    if (name == "defaultroot" && server.default_root.empty()) server.default_root = value;
    if (name == "allowoverride") server.allow_override = IsOn(statement);
    if (name == "allowstorerestart") server.allow_store_restart = IsOn(statement);
    if (name == "requirevalidshell") server.require_valid_shell = IsOn(statement);
    const auto append = [&](std::vector<std::string>& to) {
      to.insert(to.end(), statement.args.begin(), statement.args.end());
    };
    if (name == "sftpauthorizeduserkeys") append(server.authorized_user_keys);
    if (name == "sftpoptions") append(server.sftp_options);
    if (name == "sftpextensions") append(server.sftp_extensions);
  }

  // A server's own entry stands before that of <Global>.
  void MergeGlobal() {
    const auto text = [](std::string& own, const std::string& global) {
      if (own.empty()) own = global;
    };
    const auto list = [](std::vector<std::string>& own, const std::vector<std::string>& global) {
      if (own.empty()) own = global;
    };
    const auto flag = [](std::optional<bool>& own, const std::optional<bool>& global) {
      if (!own) own = global;
    };
    for (ServerSettings& server : out_.servers) {
      text(server.auth_user_file, global_.auth_user_file);
      text(server.auth_group_file, global_.auth_group_file);
      text(server.default_root, global_.default_root);
      list(server.authorized_user_keys, global_.authorized_user_keys);
      list(server.sftp_options, global_.sftp_options);
      list(server.sftp_extensions, global_.sftp_extensions);
      flag(server.allow_override, global_.allow_override);
      flag(server.allow_store_restart, global_.allow_store_restart);
      flag(server.require_valid_shell, global_.require_valid_shell);
      server.sftp = server.sftp || global_.sftp;
    }
  }

  void FindFtpaccess() {
    const bool off = std::all_of(out_.servers.begin(), out_.servers.end(), [](const auto& server) {
      return server.allow_override == std::optional(false);
    });
    if (off) return;
    for (const std::string& file : question_.ftpaccess_files) {
      out_.foreign.push_back({file, 0, "", std::string(access::ParentOf(file)),
                              "rules in the folder itself count unless AllowOverride is off"});
    }
  }

  // Observed on 1.3.8: SIGSEGV on the first SIGHUP, five of five, in Debian's own load order.
  void FindTraps() {
    const auto place = [&](std::string_view module) {
      return std::find(out_.modules.begin(), out_.modules.end(), module) - out_.modules.begin();
    };
    const auto count = static_cast<std::ptrdiff_t>(out_.modules.size());
    if (ban_engine_ && place("mod_ban.c") < place("mod_facl.c") && place("mod_facl.c") < count) {
      out_.warnings.push_back(
          "mod_ban is loaded before mod_facl and BanEngine is on: ProFTPD 1.3.8 dies on its first "
          "reload; load mod_facl first, or leave it out");
    }
  }

  void Need(bool there, std::string where, std::string line, std::string why) {
    if (!there) out_.missing.push_back({std::move(where), std::move(line), std::move(why)});
  }

  void FindMissing() {
    bool override_off = true, restart_off = true, shells = true, users = true, groups = true;
    bool perms = true, extensions = true, keys = true;
    for (const ServerSettings& server : out_.servers) {
      override_off = override_off && server.allow_override == std::optional(false);
      restart_off = restart_off && server.allow_store_restart == std::optional(false);
      shells = shells && server.require_valid_shell == std::optional(false);
      users = users && !server.auth_user_file.empty();
      groups = groups && !server.auth_group_file.empty();
      if (!server.sftp) continue;
      perms = perms && Lists(server.sftp_options, "IgnoreSFTPUploadPerms");
      keys = keys && !server.authorized_user_keys.empty();
      for (const std::string_view extension : {"-posixRename", "-hardlink", "-copyFile"}) {
        extensions = extensions && Lists(server.sftp_extensions, extension);
      }
    }
    const std::string global = "<Global>", sftp = "each <VirtualHost> with SFTPEngine";
    Need(out_.include_in_global, global, "Include " + question_.include_file,
         "the generated rules count only where they are included");
    Need(override_off, global, "AllowOverride off", "a .ftpaccess file would change the rules");
    Need(restart_off, global, "AllowStoreRestart off",
         "APPE and REST would change existing files without the right to overwrite");
    Need(shells, global, "RequireValidShell off", "accounts for file transfer have no shell");
    Need(auth_order_, global, "AuthOrder mod_auth_file.c",
         "the host's own accounts could log in as well");
    Need(users, global, "AuthUserFile PATH", "accounts are written there");
    Need(groups, global, "AuthGroupFile PATH", "groups are written there");
    Need(perms, sftp, "SFTPOptions IgnoreSFTPUploadPerms",
         "SFTP clients send a mode with an upload, which would need the right to chmod");
    Need(extensions, sftp, "SFTPExtensions -posixRename -hardlink -copyFile",
         "these replace, link and copy files past the rights to overwrite and to create");
    Need(keys, sftp, "SFTPAuthorizedUserKeys file:FOLDER/%u", "keys are written there");
  }

  static bool Lists(const std::vector<std::string>& words, std::string_view word) {
    return std::any_of(words.begin(), words.end(),
                       [&](const std::string& have) { return SameWord(have, word); });
  }

  bool HasModule(const std::string& word) const {
    const auto named = [&](const std::string& module) {
      return module == word || module == word + ".c";
    };
    return IsBuiltinModule(word) || IsBuiltinModule(word + ".c") ||
           std::any_of(out_.modules.begin(), out_.modules.end(), named);
  }
  bool Skipping() const { return !sections_.empty() && sections_.back().skipped; }
  bool In(std::string_view name) const {
    return std::any_of(sections_.begin(), sections_.end(),
                       [&](const Section& section) { return section.name == name; });
  }
  std::string InDirectory() const {
    for (auto section = sections_.rbegin(); section != sections_.rend(); ++section) {
      if (section->name == "directory") return section->path;
    }
    return "";
  }
  void Report(const Statement& statement, std::string path, std::string why) {
    out_.foreign.push_back(
        {file_, statement.line, statement.text, std::move(path), std::move(why)});
  }

  const FileSource& files_;
  const ConfigQuestion& question_;
  std::set<std::string> defines_;
  LiveConfig out_;
  ServerSettings global_;
  size_t server_ = 0;
  std::vector<Section> sections_;
  std::string file_;
  bool ban_engine_ = false, auth_order_ = false;
  std::optional<Error> error_;
};

}  // namespace

Result<LiveConfig> ReadConfig(const FileSource& files, const ConfigQuestion& question) {
  return ConfigReader(files, question).Run();
}

}  // namespace postern::proftpd
