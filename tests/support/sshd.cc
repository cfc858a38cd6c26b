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

// Arguments: an empty folder, login or "", rule or "", "booted" or "", then pairs of a program's
// path and a file that takes its place ("": none), "--", the server. Overlays keep what is changed
// to this namespace.
constexpr std::string_view kPrivateScript = R"sh(
set -e
area=$1 login=$2 rule=$3 booted=$4; shift 4
mount -t tmpfs -o mode=0755 tmpfs "$area"
overlay() {
  mkdir -p "$area/$2/up" "$area/$2/work"
  mount -t overlay -o "lowerdir=$1,upperdir=$area/$2/up,workdir=$area/$2/work" overlay "$1"
}
[ -z "$login$booted" ] || overlay /etc etc
if [ -n "$booted" ]; then
  overlay /run run
  mkdir -p /run/systemd/system
fi
if [ -n "$login" ]; then
  echo "$login:x:29999:29999::/:/bin/sh" >>/etc/passwd
  echo "$login:x:29999:" >>/etc/group
  echo "$login:*:19000:0:99999:7:::" >>/etc/shadow
  if [ -n "$rule" ]; then
    mkdir -p /etc/sudoers.d
    (umask 0227; echo "$login ALL=(root) $rule" >/etc/sudoers.d/postern-test)
  fi
fi
n=0
while [ "$1" != -- ]; do
  if [ -n "$2" ]; then
    mount --bind "$2" "$1"
  else
    n=$((n + 1)); overlay "${1%/*}" "bin$n"; rm "$1"
  fi
  shift 2
done
shift
exec "$@"
)sh";

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
    : scratch_(scratch),
      options_(options),
      folder_(scratch.Folder("sshd", options.login.empty() ? 0700 : 0711)),
      port_(FreePort()) {
  const std::string host_key = folder_ + "/host_key";
  identity_ = folder_ + "/identity";
  MakeSshKey(options.host_key, host_key);
  MakeSshKey(options.user_key, identity_);
  known_host_ = PublicKeyOf(host_key + ".pub");
  // sshd reads it as the user who logs in.
  if (!options.login.empty()) ::chmod(scratch.path().c_str(), 0711);
  scratch.Write("sshd/authorized_keys", ReadFile(identity_ + ".pub"),
                options.login.empty() ? 0600 : 0644);
  // StrictModes would refuse a file below a shared temporary folder. With SHLVL bash doesn't take
  // itself for a login from afar, which would read the machine's own start files for each command.
  config_ = scratch.Write(
      "sshd/sshd_config",
      fmt::format("ListenAddress 127.0.0.1\nPort {}\nHostKey {}\nPidFile none\nUsePAM no\n"
                  "StrictModes no\nAuthorizedKeysFile {}/authorized_keys\n"
                  "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
                  "PermitRootLogin prohibit-password\nLogLevel VERBOSE\nUseDNS no\nPrintMotd no\n"
                  "MaxStartups 100\nSetEnv SHLVL=2\n{}\n",
                  port_, host_key, folder_, options.more),
      0600);
}

bool Sshd::Start() {
  // As root it wants its separation folder, which a package makes at boot only.
  if (::geteuid() == 0) ::mkdir("/run/sshd", 0755);
  process_ =
      std::make_unique<ServerProcess>(scratch_, Command(), ServerProcess::Options{.name = "sshd"});
  return process_->WaitForPort(port_);
}

std::vector<std::string> Sshd::Command() const {
  std::vector<std::string> plain = {FindProgram("sshd"), "-D", "-e", "-f", config_};
  if (options_.login.empty() && options_.programs.empty() && !options_.booted) return plain;
  std::vector<std::string> out = {FindProgram("unshare"),
                                  "--mount",
                                  "--propagation",
                                  "private",
                                  "sh",
                                  "-c",
                                  std::string(kPrivateScript),
                                  "sh",
                                  scratch_.Folder("sshd/private"),
                                  options_.login,
                                  options_.sudoers,
                                  options_.booted ? "booted" : ""};
  int number = 0;
  for (const auto& [path, text] : options_.programs) {
    const std::string name = fmt::format("sshd/program{}", ++number);
    out.push_back(path);
    out.push_back(text.empty() ? "" : scratch_.Write(name, text, 0755));
  }
  out.emplace_back("--");
  out.insert(out.end(), plain.begin(), plain.end());
  return out;
}

void Sshd::Stop() {
  if (process_ != nullptr) process_->Stop();
  process_.reset();
}

std::string Sshd::address() const {
  return fmt::format("ssh://{}@127.0.0.1:{}", options_.login.empty() ? LoginName() : options_.login,
                     port_);
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
