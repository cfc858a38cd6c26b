#include "tests/support/sshd.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sstream>

namespace postern::support {
namespace {

std::string LoginName() {
  const passwd* entry = ::getpwuid(::geteuid());  // NOLINT(concurrency-mt-unsafe): main thread
  return entry == nullptr ? "root" : entry->pw_name;
}

}  // namespace

void MakeSshKey(const std::string& type, const std::string& path) {
  const RunResult made =
      RunCommand({FindProgram("ssh-keygen"), "-q", "-t", type, "-N", "", "-C", "test", "-f", path});
  EXPECT_EQ(made.exit, 0) << made.err;
}

std::string PublicKeyOf(const std::string& path) {
  std::istringstream words(ReadFile(path));
  std::string type, blob;
  words >> type >> blob;
  return type + " " + blob;
}

Sshd::Sshd(const Scratch& scratch, const Options& options)
    : scratch_(scratch), folder_(scratch.Folder("sshd", 0700)), port_(FreePort()) {
  const std::string host_key = folder_ + "/host_key";
  identity_ = folder_ + "/identity";
  MakeSshKey(options.host_key, host_key);
  MakeSshKey(options.user_key, identity_);
  known_host_ = PublicKeyOf(host_key + ".pub");
  scratch.Write("sshd/authorized_keys", ReadFile(identity_ + ".pub"), 0600);
  // StrictModes would refuse a file below a shared temporary folder.
  config_ = scratch.Write(
      "sshd/sshd_config",
      fmt::format("ListenAddress 127.0.0.1\nPort {}\nHostKey {}\nPidFile none\nUsePAM no\n"
                  "StrictModes no\nAuthorizedKeysFile {}/authorized_keys\n"
                  "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
                  "PermitRootLogin prohibit-password\nLogLevel VERBOSE\nUseDNS no\nPrintMotd no\n"
                  "MaxStartups 100\n",
                  port_, host_key, folder_),
      0600);
}

bool Sshd::Start() {
  // As root it wants its separation folder, which a package makes at boot only.
  if (::geteuid() == 0) ::mkdir("/run/sshd", 0755);
  process_ = std::make_unique<ServerProcess>(
      scratch_, std::vector<std::string>{FindProgram("sshd"), "-D", "-e", "-f", config_},
      ServerProcess::Options{.name = "sshd"});
  return process_->WaitForPort(port_);
}

void Sshd::Stop() {
  if (process_ != nullptr) process_->Stop();
  process_.reset();
}

std::string Sshd::address() const {
  return fmt::format("ssh://{}@127.0.0.1:{}", LoginName(), port_);
}

std::string Sshd::Log() const {
  return process_ == nullptr ? "" : ReadFile(process_->log_path());
}

size_t Sshd::Authentications() const {
  const std::string log = Log();
  size_t count = 0;
  for (const std::string_view word :
       {"Accepted publickey", "Failed publickey", "authenticating user"}) {
    for (size_t at = log.find(word); at != std::string::npos; at = log.find(word, at + 1)) ++count;
  }
  return count;
}

}  // namespace postern::support
