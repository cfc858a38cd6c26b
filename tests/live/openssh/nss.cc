#include "tests/live/openssh/nss.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "tests/live/openssh_product/machine.h"

namespace postern::live {
namespace {

using support::RunCommand;
using support::ServerProcess;
using support::Slapd;

constexpr const char* kSwitch = "/etc/nsswitch.conf";
constexpr const char* kNslcdConf = "/etc/nslcd.conf";

void Write(const std::string& path, const std::string& text, mode_t mode = 0644) {
  std::ofstream(path, std::ios::trunc) << text;
  ASSERT_EQ(::chmod(path.c_str(), mode), 0) << path;
}

// `/run` is every program's on the machine: its socket and pid file go to an empty one.
void EnterRun() {
  static const bool entered =
      Machine::Get().entered() && ::mount("tmpfs", "/run", "tmpfs", 0, "mode=0755") == 0;
  ASSERT_TRUE(entered) << "a private /run";
  ::mkdir("/run/nslcd", 0755);
}

}  // namespace

NssDirectory::NssDirectory() {
  EnterRun();
  slapd_ = std::make_unique<Slapd>();
  own_switch_ = support::ReadFile(kSwitch);
  Write(
      kSwitch,
      "passwd: files ldap\ngroup: files ldap\nshadow: files ldap\nhosts: files\nnetgroup: files\n");
  Write(kNslcdConf,
        fmt::format("uri {}/\nbase {}\nbinddn {}\nbindpw root-pw\nthreads 2\nmap shadow "
                    "userPassword userPassword\n"
                    "bind_timelimit 2\nreconnect_retrytime 1\nreconnect_sleeptime 1\n",
                    slapd_->url(), Slapd::kSuffix, Slapd::kRootDn),
        0600);
  StartNslcd();
}

NssDirectory::~NssDirectory() {
  StopNslcd();
  Write(kSwitch, own_switch_);
}

void NssDirectory::StartNslcd() {
  nslcd_ = std::make_unique<ServerProcess>(
      scratch_, std::vector<std::string>{support::FindProgram("nslcd"), "-n"},
      ServerProcess::Options{.name = "nslcd"});
  ASSERT_TRUE(nslcd_->WaitForFile("/run/nslcd/socket")) << nslcd_->LogTail();
}

void NssDirectory::StopNslcd() {
  if (nslcd_ != nullptr) nslcd_->Stop();
  nslcd_.reset();
  ::unlink("/run/nslcd/socket");
}

std::string NssDirectory::Dn(const std::string& login) {
  return "uid=" + login + "," + Slapd::kPeople;
}

void NssDirectory::Add(const std::string& login, uint32_t uid) {
  const support::RunResult hash = RunCommand({"openssl", "passwd", "-6", "correct horse"});
  ASSERT_EQ(hash.exit, 0) << hash.err;
  slapd_->Modify(fmt::format(
      "dn: {}\nchangetype: add\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\n"
      "objectClass: shadowAccount\nuid: {}\ncn: {}\nsn: {}\nuidNumber: {}\ngidNumber: {}\n"
      "homeDirectory: /srv/exchange\nloginShell: /usr/sbin/nologin\nshadowLastChange: 19000\n"
      "shadowMax: 99999\nuserPassword: {{CRYPT}}{}\n",
      Dn(login), login, login, login, uid, uid, hash.out.substr(0, hash.out.find('\n'))));
  bool known = false;
  for (int i = 0; i < 100 && !known; ++i) {
    known = RunCommand({"getent", "passwd", login}).exit == 0;
    if (!known) ::usleep(50'000);
  }
  EXPECT_TRUE(known) << "NSS knows " << login << "\n" << nslcd_->LogTail();
}

std::string NssDirectory::OperatorLines() const {
  Write("/srv/corp-bind", Slapd::kPassword, 0600);
  return fmt::format(R"([directory.corp]
url = "{}"
bind = {{ dn = "{}", password = "secret:corp-bind" }}
tls = {{ start = false }}
manage = {{ bases = ["{}"] }}
users_ou = "{}"
limits = {{ lose_people = 100, lose_percent = 100, remove_objects = 100, remove_percent = 100, change_percent = 100 }}

[secret.corp-bind]
from = "file:/srv/corp-bind"
)",
                     slapd_->url(), Slapd::kBindDn, Slapd::kPeople, Slapd::kPeople);
}

}  // namespace postern::live
