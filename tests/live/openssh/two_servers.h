// tests/live/openssh/two_servers.h: an sshd and a ProFTPD on one host, over the same folders, and
// real clients of both.
#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "tests/live/openssh/world.h"
#include "tests/live/openssh_product/machine.h"
#include "tests/support/proftpd.h"

namespace postern::live {

inline const std::string kIn = kExchange + "/in", kOut = kExchange + "/out";

class TwoServers : public testing::Test {
 protected:
  virtual SshdWorld::Options Options() const { return {.servers = FtpServer()}; }
  // Lines of the FTP daemon's configuration, before it starts.
  virtual void Configure(support::Proftpd*) {}

  void SetUp() override {
    ASSERT_TRUE(Machine::Get().entered());
    // Accounts of a host are marked by a group, at each of its servers.
    ftp_.WriteGroups({{"ftpusers", 40000, {}}});
    Configure(&ftp_);
    world_ = std::make_unique<SshdWorld>(Options());
    SshdWorld::MakeFolder(kIn);
    SshdWorld::MakeFolder(kOut);
    ASSERT_TRUE(world_->Start());
    ASSERT_TRUE(ftp_.Start());
    std::ofstream("/srv/clients/file") << "an order\n";
    Declare(kCalGrant);
    world_->ApplyAll();
  }

  std::string FtpServer() const {
    std::string start;
    for (const std::string& word : ftp_.StartCommand()) {
      if (word != "-n") start += (start.empty() ? "\"" : ", \"") + word + "\"";
    }
    return fmt::format(R"(
[server.ftp]
host = "edge"
product = "proftpd"
config = "{}"
include = "{}"
uids = {{ from = 40000, to = 49999, gid = 40000 }}
control = {{ pidfile = "{}", start = [{}] }}
)",
                       ftp_.config_path(), ftp_.include_path(), ftp_.pid_path(), start);
  }

  static std::string AtFtp(const std::string& name) {
    return fmt::format(
        "[account.{0}-ftp]\nfor = \"person:{0}\"\nserver = \"ftp\"\nhome = \"{1}\"\n"
        "password = \"secret:pw\"\n",
        name, kExchange);
  }
  // bea is at both servers, cal at the FTP server alone.
  void Declare(const std::string& more) const {
    world_->Declare(SshdWorld::Person("bea", world_->KeysLine({"one"})) + AtFtp("bea") +
                    "[person.cal]\n" + AtFtp("cal") + SshdWorld::Folder("in", kIn) +
                    SshdWorld::Folder("out", kOut) +
                    SshdWorld::Grant("person:bea", "in", R"("list", "read")") + more);
  }
  static bool Ftp(const std::string& login, std::vector<std::string> words) {
    words.insert(words.begin(),
                 {"curl", "-sS", "--max-time", "20", "--ftp-method", "nocwd", "-K", "-"});
    return support::RunCommand(words, fmt::format("user = \"{}:correct horse\"\n", login)).exit ==
           0;
  }
  std::string Url(const std::string& path) const {
    return fmt::format("ftp://127.0.0.1:{}/%2F{}", ftp_.ftp_port(), path.substr(1));
  }
  bool FtpGets(const std::string& login, const std::string& path) const {
    return Ftp(login, {Url(path)});
  }
  bool FtpPuts(const std::string& login, const std::string& path) const {
    return Ftp(login, {"-T", "/srv/clients/file", Url(path)});
  }
  bool SftpGets(const std::string& path) const {
    return world_->Sftp("bea-in", "one", "get " + path + " /dev/null\n").exit == 0;
  }
  std::string UidAtFtp(const std::string& login) const {
    const std::string text = "\n" + support::ReadFile(ftp_.passwd_path());
    const size_t at = text.find("\n" + login + ":");
    EXPECT_NE(at, std::string::npos) << text;
    const size_t colon = text.find(':', text.find(':', at) + 1);
    return text.substr(colon + 1, text.find(':', colon + 1) - colon - 1);
  }

  const std::string kCalGrant = SshdWorld::Grant(
      "person:cal", "out", R"("list", "create", "delete", "rename", "mkdir", "rmdir")");
  support::Scratch scratch_;
  support::Proftpd ftp_{scratch_};
  std::unique_ptr<SshdWorld> world_;
};

}  // namespace postern::live
