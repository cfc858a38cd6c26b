// providers/filetransfer/proftpd/config.h: what the whole configuration of a daemon says beside our
// include: settings that the provider needs, rules by other hands, lines that are missing.
//
// Pure: files come through FileSource. Every directive is either known to be harmless, a setting,
// or a finding; an unknown one is a finding too, never silence. Source: 1.3.8, observed: IfModule
// and IfDefine are decided while reading; Include takes a file, a pattern or a folder, and a
// missing one is only a warning of the daemon.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace postern::proftpd {

class FileSource {
 public:
  virtual ~FileSource() = default;
  // Errors: kNotFound when there is no such plain file (a folder is none); others as they come.
  virtual Result<std::string> Read(const std::string& path) const = 0;
  // The plain files that match, sorted by name; `*` and `?` don't cross a slash.
  virtual std::vector<std::string> Glob(const std::string& pattern) const = 0;
};

struct ConfigQuestion {
  std::string main_file;
  std::string include_file;                  // the generated one; it isn't looked into
  std::vector<std::string> roots;            // managed
  std::vector<std::string> defines;          // -D of the start command
  std::vector<std::string> ftpaccess_files;  // .ftpaccess files that exist within the roots
};

// A rule by another hand: access isn't computable where it reaches.
struct Finding {
  std::string file;
  uint32_t line = 0;  // 0: the file as a whole
  std::string text;
  std::string path;  // the folder it reaches; empty: every managed root
  std::string why;
};

// A line that has to be added, for people.
struct MissingLine {
  std::string where;  // "<Global>", "each SFTP <VirtualHost>"
  std::string line;
  std::string why;
};

// The main server (name "") or a <VirtualHost>, with what it takes from <Global>.
struct ServerSettings {
  std::string name;
  uint16_t port = 21;
  bool sftp = false;  // SFTPEngine on
  std::string auth_user_file, auth_group_file, default_root;
  std::vector<std::string> authorized_user_keys, sftp_options, sftp_extensions;
  std::optional<bool> allow_override, allow_store_restart, require_valid_shell;
};

struct LiveConfig {
  std::vector<ServerSettings> servers;  // the main server first
  std::string user, group, pid_file, scoreboard_file, controls_socket;
  std::vector<std::string> modules;  // loaded, in order
  std::vector<std::string> files;    // read, the main file first
  bool include_in_global = false;
  std::vector<Finding> foreign;
  std::vector<MissingLine> missing;
  std::vector<std::string> warnings;  // traps that a reload would step into
};

// Errors: those of reading the main file, and kIncomplete for an included file that is there and
// can't be read.
Result<LiveConfig> ReadConfig(const FileSource& files, const ConfigQuestion& question);

}  // namespace postern::proftpd
