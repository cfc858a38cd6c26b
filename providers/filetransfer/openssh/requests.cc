#include "providers/filetransfer/openssh/requests.h"

#include <fmt/format.h>

#include <algorithm>

#include "providers/filetransfer/openssh/words.h"

namespace postern::openssh {
namespace {

struct Request {
  std::string_view name;
  bool writes = false;  // refused by -R
};
constexpr Request kRequests[] = {
    {"open"},
    {"close"},
    {"read"},
    {"write", true},
    {"lstat"},
    {"fstat"},
    {"setstat", true},
    {"fsetstat", true},
    {"opendir"},
    {"readdir"},
    {"remove", true},
    {"mkdir", true},
    {"rmdir", true},
    {"realpath"},
    {"stat"},
    {"rename", true},
    {"readlink"},
    {"symlink", true},
    {"posix-rename", true},
    {"statvfs"},
    {"fstatvfs"},
    {"hardlink", true},
    {"fsync", true},
    {"lsetstat", true},
    {"limits"},
    {"expand-path"},
    {"copy-data", true},
    {"home-directory"},
    {"users-groups-by-id"},
};

// sshd's ARGV_MAX less the closing null.
constexpr size_t kWords = 9;

constexpr std::string_view kInternal = "internal-sftp";

void AddNames(std::string_view list, std::set<std::string>* names, SftpCommand* command) {
  for (const std::string& name : SplitList(list, ',')) {
    if (!IsRequest(name)) {
      command->warnings.push_back(fmt::format("{} is no request: it stops nothing", name));
    }
    names->insert(name);
  }
}

// getopt(3) over "d:f:l:P:p:Q:u:cehR". False: the server ends with a usage message.
class OptionReader {
 public:
  OptionReader(std::vector<std::string> words, SftpCommand* command)
      : words_(std::move(words)), command_(command) {}

  bool Read() {
    for (at_ = 1; at_ < words_.size(); ++at_) {
      const std::string& word = words_[at_];
      if (word == "--") return true;
      if (word.size() < 2 || word[0] != '-') return true;  // getopt of a daemon stops here
      if (!Cluster(word)) return false;
    }
    return true;
  }

 private:
  bool Cluster(const std::string& word) {
    for (size_t i = 1; i < word.size(); ++i) {
      const char option = word[i];
      if (option == 'R') command_->read_only = true;
      if (option == 'R' || option == 'c' || option == 'e') continue;
      if (std::string_view("dflPpu").find(option) == std::string_view::npos) return false;
      std::string value = word.substr(i + 1);
      if (value.empty()) {
        if (++at_ >= words_.size()) return false;
        value = words_[at_];
      }
      return Take(option, value);
    }
    return true;
  }

  bool Take(char option, const std::string& value) {
    switch (option) {
      case 'd':
        command_->start_folder = value;
        return true;
      case 'u':
        command_->umask = value;
        return std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '7'; });
      case 'P':
        // Given twice it ends the server, like the other list.
        if (!command_->denied.empty()) return false;
        AddNames(value, &command_->denied, command_);
        return true;
      case 'p': {
        if (command_->allowed) return false;
        std::set<std::string> names;
        AddNames(value, &names, command_);
        command_->allowed = std::move(names);
        return true;
      }
      default:
        return true;
    }
  }

  std::vector<std::string> words_;
  SftpCommand* command_;
  size_t at_ = 0;
};

bool Renames(const SftpCommand& command) {
  return command.Permits("rename") || command.Permits("posix-rename");
}

bool IsExternalServer(std::string_view program) {
  return program == "sftp-server" || program.ends_with("/sftp-server");
}

}  // namespace

bool IsRequest(std::string_view name) {
  return std::any_of(std::begin(kRequests), std::end(kRequests),
                     [&](const Request& request) { return request.name == name; });
}

bool SftpCommand::Permits(std::string_view request) const {
  if (kind != Kind::kInternal && kind != Kind::kExternal) return kind == Kind::kNone;
  const auto* known =
      std::find_if(std::begin(kRequests), std::end(kRequests),
                   [&](const Request& candidate) { return candidate.name == request; });
  if (known == std::end(kRequests) || (read_only && known->writes)) return false;
  const std::string name(request);
  return !denied.contains(name) && (!allowed || allowed->contains(name));
}

SftpCommand ParseSftpCommand(std::string_view text) {
  using Kind = SftpCommand::Kind;
  SftpCommand command;
  std::vector<std::string> words = SplitWords(text);
  if (words.empty() || (words.size() == 1 && words[0] == "none")) return command;
  if (words[0] == kInternal) {
    command.kind = Kind::kInternal;
    if (words.size() > kWords) {
      command.warnings.push_back(
          fmt::format("sshd keeps {} words of a command: {} and all after it is dropped", kWords,
                      words[kWords]));
      words.resize(kWords);
    }
  } else {
    command.kind = IsExternalServer(words[0]) ? Kind::kExternal : Kind::kOther;
    if (command.kind == Kind::kOther) return command;
  }
  if (!OptionReader(std::move(words), &command).Read()) {
    command.kind = Kind::kBroken;
    command.warnings.emplace_back("the options end the SFTP server before it serves anything");
  }
  return command;
}

Rights RightsOf(const SftpCommand& command) {
  using Kind = SftpCommand::Kind;
  if (command.kind == Kind::kNone) return Rights::All();
  const auto all = [&](std::initializer_list<std::string_view> names) {
    return std::all_of(names.begin(), names.end(),
                       [&](std::string_view name) { return command.Permits(name); });
  };
  Rights rights;
  if (all({"opendir", "readdir"})) rights |= Right::kList;
  if (all({"open", "read"})) rights |= Right::kRead;
  if (command.Permits("open") && !command.read_only) {
    rights |= Right::kCreate;
    rights |= Right::kOverwrite;
  }
  if (command.Permits("setstat")) rights |= Right::kOverwrite;  // it sets a size
  if (command.Permits("remove")) rights |= Right::kDelete;
  if (Renames(command) || RenamesByLink(command)) rights |= Right::kRename;
  if (command.Permits("mkdir")) rights |= Right::kMkdir;
  if (command.Permits("rmdir")) rights |= Right::kRmdir;
  if (command.Permits("setstat") || command.Permits("fsetstat") || command.Permits("lsetstat")) {
    rights |= Right::kChmod;
  }
  return rights;
}

bool RenamesByLink(const SftpCommand& command) {
  return !Renames(command) && command.Permits("hardlink") && command.Permits("remove");
}

SftpCommand CommandFor(Rights wanted) {
  wanted = wanted - Right::kChmod;
  SftpCommand command{.kind = SftpCommand::Kind::kInternal};
  const auto deny = [&](std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) command.denied.emplace(name);
  };
  // Second names for files, links out of a folder, copies within the server: nobody needs them to
  // use a right.
  deny({"symlink", "hardlink", "copy-data"});
  // setstat truncates, so chmod writes files in any case.
  const bool writes_files =
      wanted.Has(Right::kCreate) || wanted.Has(Right::kOverwrite) || wanted.Has(Right::kChmod);
  if (!wanted.Has(Right::kList)) deny({"opendir", "readdir"});
  if (!wanted.Has(Right::kRead)) deny({"read"});
  if (!wanted.Has(Right::kRead) && !writes_files) deny({"open"});
  if (!writes_files) deny({"write", "fsync"});
  if (!wanted.Has(Right::kDelete)) deny({"remove"});
  if (!wanted.Has(Right::kRename)) deny({"rename", "posix-rename"});
  if (!wanted.Has(Right::kMkdir)) deny({"mkdir"});
  if (!wanted.Has(Right::kRmdir)) deny({"rmdir"});
  // Only an owner may chmod, and setstat truncates by path: nobody gets it (see product.h).
  deny({"setstat", "fsetstat", "lsetstat"});
  command.read_only = (wanted - Right::kList - Right::kRead).empty();
  return command;
}

std::string Render(const SftpCommand& command) {
  std::string text(kInternal);
  text += " -l VERBOSE";
  if (!command.umask.empty()) text += " -u " + command.umask;
  if (!command.start_folder.empty()) text += " -d " + command.start_folder;
  if (!command.denied.empty()) text += fmt::format(" -P {}", fmt::join(command.denied, ","));
  if (command.read_only) text += " -R";
  return text;
}

}  // namespace postern::openssh
