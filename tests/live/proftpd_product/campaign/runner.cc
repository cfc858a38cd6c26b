#include "tests/live/proftpd_product/campaign/runner.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <sstream>
#include <thread>

#include "tests/support/process.h"

namespace postern::proftpd::campaign {
namespace {

namespace fs = std::filesystem;
using access::Right;

// The scratch folder's files, as the raiser asks for them.
class DiskFiles final : public FileSource {
 public:
  Result<std::string> Read(const std::string& path) const override {
    if (!fs::is_regular_file(path)) return Fail(ErrorCode::kNotFound, "no such file");
    return support::ReadFile(path);
  }
  std::vector<std::string> Glob(const std::string& pattern) const override {
    std::vector<std::string> out;
    const fs::path folder = fs::path(pattern).parent_path();
    if (!fs::is_directory(folder)) return out;
    for (const auto& entry : fs::directory_iterator(folder)) {
      const std::string path = entry.path();
      if (entry.is_regular_file() && fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0) {
        out.push_back(path);
      }
    }
    std::sort(out.begin(), out.end());
    return out;
  }
};

// Every world with one part less than `parts` has, largest parts first.
void WithOneLess(const std::vector<Part>& parts, std::vector<std::vector<Part>>* out) {
  for (size_t i = 0; i < parts.size(); ++i) {
    std::vector<Part> less = parts;
    less.erase(less.begin() + static_cast<std::ptrdiff_t>(i));
    out->push_back(std::move(less));
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    std::vector<std::vector<Part>> inner;
    WithOneLess(parts[i].children, &inner);
    for (std::vector<Part>& children : inner) {
      std::vector<Part> less = parts;
      less[i].children = std::move(children);
      out->push_back(std::move(less));
    }
  }
}

// A client of some other test may hold the port for a while: it is in the ephemeral range.
void WaitUntilFree(uint16_t port) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::chrono::steady_clock::now() < end) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool free = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    if (free) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

std::string Joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "\"" : ", \"") + word + "\"";
  return out;
}

}  // namespace

std::string Format(const Try& what) {
  return fmt::format("{} may {} in {} over {}", what.login, NameOf(what.right), what.folder,
                     NameOf(what.way));
}

// The entry that is tried, where an answer depends on its name.
Cell EntryOf(const Try& what) {
  std::string name = "file";
  if (what.right == Right::kCreate) name = "new";
  if (what.right == Right::kMkdir) name = "dir";
  if (what.right == Right::kRmdir) name = "empty";
  return {what.folder + "/p0." + name, Cell::Rest::kNone};
}

// A refusal for unnamed entries holds for each; what is allowed to some is asked for the entry.
Ruling RulingOf(const Raiser& raiser, const Try& what) {
  const bool lists = what.right == Right::kList;
  const Cell cell{what.folder, lists ? Cell::Rest::kNone : Cell::Rest::kEntry};
  const Ruling ruling = raiser.Decide(what.login, cell, what.right, what.way);
  if (ruling.verdict == Verdict::kDenied || lists) return ruling;
  const Ruling entry = raiser.Decide(what.login, EntryOf(what), what.right, what.way);
  if (what.right != Right::kRename) return entry;
  // Two entries take part: where each alone may be renamed, one can be made the other.
  const Cell target{what.folder + "/p0.moved", Cell::Rest::kNone};
  const Ruling moved = raiser.Decide(what.login, target, what.right, what.way);
  if (entry.verdict == Verdict::kAllowed) {
    const bool narrower = moved.verdict == Verdict::kDenied;
    if (narrower && ruling.verdict == Verdict::kNotComputable) return ruling;
    return moved;
  }
  return ruling.verdict == Verdict::kNotComputable ? ruling : entry;
}

Compared Compare(const Raiser& raiser, const Found& found) {
  Compared out;
  for (const auto& [what, allowed] : found) {
    ++out.decisions;
    const Ruling ruling = RulingOf(raiser, what);
    if (ruling.verdict == Verdict::kNotComputable) {
      ++out.unknown;
      out.unknown_because.insert(ruling.reason->text + ": " + ruling.reason->why);
      continue;
    }
    out.allowed += allowed ? 1 : 0;
    if ((ruling.verdict == Verdict::kAllowed) != allowed) {
      out.differences.emplace_back(what, ruling);
    }
  }
  return out;
}

Runner::Runner() : server_(scratch_), key_(scratch_.File("client_key")) {
  const support::RunResult made = support::RunCommand(
      {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", key_});
  EXPECT_EQ(made.exit, 0) << made.err;
  scratch_.Folder("proftpd/included");
  std::istringstream lines(support::ReadFile(server_.config_path()));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("User ") || line.starts_with("Group ")) daemon_user_ += line + "\n";
  }
}

std::string Runner::ConfigOf(const World& world) const {
  return fmt::format("<Global>\n{}</Global>\n{}# SFTP\n{}", Render(world.global, 1),
                     Render(world.main), Render(world.sftp, 1));
}

void Runner::Write(const World& world) {
  std::string text = fmt::format(
      "ServerName \"campaign\"\nServerType standalone\nUseIPv6 off\nDefaultAddress 127.0.0.1\n"
      "SocketBindTight on\nUseReverseDNS off\nDelayEngine off\nWtmpLog off\nTransferLog none\n"
      "MaxInstances none\nTimeoutIdle 600\nModulePath /usr/lib/proftpd\n"
      "LoadModule mod_sftp.c\nLoadModule mod_ifsession.c\nPort {}\n",
      server_.ftp_port());
  text += daemon_user_;
  text += fmt::format("PidFile {}\nScoreboardFile {}\nControlsEngine off\n", server_.pid_path(),
                      server_.scoreboard_path());
  // <Global> first: the same block in the server and, after it, in <Global> is fatal.
  text += fmt::format(
      "<Global>\n  AuthOrder mod_auth_file.c\n  AuthUserFile {}\n  AuthGroupFile {}\n"
      "  RequireValidShell off\n{}</Global>\n",
      server_.passwd_path(), server_.group_path(), Render(world.global, 1));
  text += Render(world.main);
  text += fmt::format(
      "<VirtualHost 127.0.0.1>\n  Port {0}\n  SFTPEngine on\n  SFTPLog {1}\n"
      "  SFTPHostKey {2}_ecdsa\n  SFTPAuthorizedUserKeys file:{3}/%u\n{4}</VirtualHost>\n",
      server_.sftp_port(), scratch_.File("proftpd/sftp.log"), server_.host_key_path(),
      server_.keys_path(), Render(world.sftp, 1));
  scratch_.Write("proftpd/proftpd.conf", text);

  for (const std::string& file : written_) fs::remove(file);
  written_.clear();
  for (const auto& [name, lines] : world.included) {
    written_.insert(scratch_.Write("proftpd/included/" + name, Render(lines)));
  }
  // Nothing of the world before: its clients may have left files where a path led them.
  for (const fs::directory_entry& entry : fs::directory_iterator(root())) {
    fs::remove_all(entry.path());
  }
  for (const std::string& folder : world.folders) scratch_.Folder("data/" + folder);
  for (const auto& [folder, lines] : world.ftpaccess) {
    written_.insert(scratch_.Write("data/" + folder + "/.ftpaccess", Render(lines)));
  }
  WriteAccounts(world);
  support::OpenTree(server_.data());
}

void Runner::WriteAccounts(const World& world) {
  std::vector<support::ProftpdAccount> accounts;
  std::map<std::string, support::ProftpdGroup> groups;
  for (const RaiseAccount& account : world.accounts) {
    accounts.push_back({.name = account.name, .password = "pw", .home = account.home});
    for (const std::string& group : account.groups) {
      auto& entry = groups.try_emplace(group, support::ProftpdGroup{group, 0, {}}).first->second;
      if (group != account.groups.front()) entry.members.push_back(account.name);
    }
  }
  unsigned gid = 40000;
  std::vector<support::ProftpdGroup> list;
  for (auto& [name, group] : groups) {
    group.gid = ++gid;
    list.push_back(group);
  }
  server_.WriteAccounts(accounts);
  server_.WriteGroups(list);
  // Primary groups: the fourth field.
  std::istringstream lines(support::ReadFile(server_.passwd_path()));
  std::string text;
  size_t at = 0;
  for (std::string line; std::getline(lines, line); ++at) {
    const size_t hash_end = line.find(':', line.find(':') + 1);
    const size_t uid_end = line.find(':', hash_end + 1), gid_end = line.find(':', uid_end + 1);
    unsigned primary = groups[world.accounts[at].groups.front()].gid;
    if (geteuid() != 0) primary = getegid();  // then nobody's primary group is in the group file
    text += line.substr(0, uid_end + 1) + std::to_string(primary) + line.substr(gid_end) + "\n";
  }
  scratch_.Write("proftpd/passwd", text, 0600);
  const support::RunResult rfc4716 =
      support::RunCommand({"ssh-keygen", "-e", "-m", "RFC4716", "-f", key_ + ".pub"});
  ASSERT_EQ(rfc4716.exit, 0) << rfc4716.err;
  for (const std::string& login : world.logins) {
    scratch_.Write("proftpd/keys/" + login, rfc4716.out);
  }
}

Found Runner::Probe(const World& world, const std::vector<std::string>& logins) {
  Found found;
  WaitUntilFree(server_.ftp_port());
  WaitUntilFree(server_.sftp_port());
  if (!server_.Start()) {
    ADD_FAILURE() << "the daemon refuses\n" << server_.Check().err << ConfigOf(world);
    return found;
  }
  std::vector<std::string> folders;
  for (const std::string& folder : world.folders) folders.push_back(root() + "/" + folder);
  const support::RunResult run = support::RunCommand(
      {"python3", "-B", PROBE_SCRIPT},
      {.input = fmt::format(R"({{"ftp_port": {}, "sftp_port": {}, "key": "{}", "password": "pw",
"ways": ["ftp", "sftp"], "accounts": [{}], "folders": [{}], "roots": [{}],
"addresses": [{}]}})",
                            server_.ftp_port(), server_.sftp_port(), key_, Joined(logins),
                            Joined(folders), Joined(world.roots), Joined(world.addresses)),
       .limit = support::seconds(120)});
  EXPECT_EQ(run.exit, 0) << run.err << server_.Logs();
  std::istringstream lines(run.out);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string login, way, folder, rights;
    std::getline(fields, login, '\t');
    std::getline(fields, way, '\t');
    std::getline(fields, folder, '\t');
    std::getline(fields, rights, '\t');
    for (const std::string& one : folder == "-" ? folders : std::vector<std::string>{folder}) {
      for (int i = 0; i < access::kRightCount; ++i) {
        const auto right = static_cast<Right>(i);
        const bool have =
            ("," + rights + ",").find(fmt::format(",{},", NameOf(right))) != std::string::npos;
        found[{login, way == "ftp" ? Way::kFtp : Way::kSftp, one, right}] = have;
      }
    }
  }
  server_.Stop();
  return found;
}

Raiser Runner::Raise(const World& world, const RaiseRules& rules) const {
  RaiseQuestion question{.main_file = server_.config_path(),
                         .defines = world.defines,
                         .ftpaccess_files = {},
                         .accounts = world.accounts,
                         .rules = rules};
  for (const auto& [folder, lines] : world.ftpaccess) {
    question.ftpaccess_files.push_back(root() + "/" + folder + "/.ftpaccess");
  }
  Result<Raiser> raiser = Raiser::Make(DiskFiles(), std::move(question));
  EXPECT_TRUE(raiser.has_value()) << raiser.error().message;
  return std::move(*raiser);
}

bool Runner::StillDiffers(const World& world, const Try& what, bool daemon_allows) {
  Write(world);
  const Ruling ruling = RulingOf(Raise(world), what);
  if (ruling.verdict != (daemon_allows ? Verdict::kDenied : Verdict::kAllowed)) return false;
  if (server_.Check().exit != 0) return false;
  const Found found = Probe(world, {what.login});
  const auto at = found.find(what);
  return at != found.end() && at->second == daemon_allows;
}

World Runner::Minimise(World world, const Try& what, bool daemon_allows) {
  world.folders = {what.folder.substr(root().size() + 1)};
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (std::vector<Part> World::*part : {&World::main, &World::global, &World::sftp}) {
      std::vector<std::vector<Part>> candidates;
      WithOneLess(world.*part, &candidates);
      for (std::vector<Part>& candidate : candidates) {
        World less = world;
        less.*part = std::move(candidate);
        if (!StillDiffers(less, what, daemon_allows)) continue;
        world = std::move(less);
        smaller = true;
        break;
      }
    }
  }
  return world;
}

}  // namespace postern::proftpd::campaign
