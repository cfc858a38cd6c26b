// The live matrix over two servers: declarations -> `postern apply` -> sshd and ProFTPD over the
// same folders -> real clients, against what scripts read from the TOML alone. See README.md.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "providers/filetransfer/openssh/product.h"
#include "providers/filetransfer/proftpd/product.h"
#include "tests/live/openssh/world.h"
#include "tests/live/openssh_product/machine.h"
#include "tests/support/proftpd.h"

namespace postern::live {
namespace {

using nlohmann::json;
using support::RunCommand;
using support::RunResult;
using support::ServerProcess;
using testing::HasSubstr;
using testing::Not;

const std::string kLink = "/srv/clients/link.json", kWords = "/srv/clients/capabilities.json";
// The TOML's and the draw's: whose access ends with the change, and whose stays as it is.
const std::vector<std::string> kGone = {"dora-ftp", "acme-ftp", "acme-sftp"},
                               kSteady = {"li-ftp", "li-sftp"};

// What the products say of themselves, as data for the oracle.
json WordsOf(const access::Product& product) {
  json table = json::array();
  for (const access::Capability& one : product.Capabilities()) {
    json widens = json::array();
    for (int bit = 0; bit < access::kRightCount; ++bit) {
      const auto right = static_cast<access::Right>(bit);
      if (one.widens_to.Has(right)) widens.push_back(access::NameOf(right));
    }
    table.push_back({{"kind", one.kind},
                     {"field", one.field},
                     {"support", access::NameOf(one.support)},
                     {"widens_to", widens},
                     {"why", one.why}});
  }
  return table;
}

struct Form {
  bool pam, chroot;
};

class TwoServersMatrix : public testing::TestWithParam<Form> {
 protected:
  TwoServersMatrix() : seed_(FirstSeed()) {
    ftp_.WriteGroups({{"ftpusers", 40000, {}}});
    SshdWorld::Run({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/srv/clients/ca"});
    std::ofstream("/srv/clients/askpass") << "#!/bin/sh\nexec cat \"$ASK_FOR\"\n";
    SshdWorld::Run({"chmod", "755", "/srv/clients/askpass"});
    std::ofstream(kWords) << json{{"openssh", WordsOf(openssh::OpenSsh())},
                                  {"proftpd", WordsOf(proftpd::Proftpd())}};
    const std::string rsa = support::ReadFile(ftp_.host_key_path() + ".pub");
    const std::string ecdsa = support::ReadFile(ftp_.host_key_path() + "_ecdsa.pub");
    std::ofstream("/srv/clients/known_hosts", std::ios::app)
        << fmt::format("[127.0.0.1]:{0} {1}[127.0.0.1]:{0} {2}", ftp_.sftp_port(), rsa, ecdsa);
    WriteLink();
  }
  ~TwoServersMatrix() override { support::EndAdopted("proftpd"); }

  void WriteLink() const {
    json start = json::array();
    for (const std::string& word : ftp_.StartCommand()) {
      if (word != "-n") start.push_back(word);
    }
    std::ofstream(kLink) << json{{"root", kExchange},
                                 {"access", "/srv/postern/access"},
                                 {"capabilities", kWords},
                                 {"clients", "/srv/clients"},
                                 {"known_hosts", "/srv/clients/known_hosts"},
                                 {"loose", "/srv/loose"},
                                 {"chroot", GetParam().chroot},
                                 {"sshd_port", world_.port()},
                                 {"sshd_config", world_.config()},
                                 {"sshd_pidfile", "/srv/ssh/sshd.pid"},
                                 {"ftp_port", ftp_.ftp_port()},
                                 {"sftp_port", ftp_.sftp_port()},
                                 {"config", ftp_.config_path()},
                                 {"include", ftp_.include_path()},
                                 {"passwd", ftp_.passwd_path()},
                                 {"pidfile", ftp_.pid_path()},
                                 {"start", start}};
  }

  static RunResult Python(std::vector<std::string> words) {
    words[0] = std::string(HERE) + "/" + words[0];
    words.insert(words.begin(), {"python3", "-B"});
    return RunCommand(words, {.limit = std::chrono::seconds(1500)});
  }
  void Declare(const std::string& phase) const {
    const RunResult run = Python(
        {"declare.py", std::to_string(seed_), phase, FullCampaign() ? "long" : "short", kLink});
    ASSERT_EQ(run.exit, 0) << run.err;
  }
  // Every decision; "differences" is empty when both servers do what the TOML says.
  json Compare(const std::vector<std::string>& logins = {}) const {
    std::vector<std::string> words = {"compare.py", FullCampaign() ? "all" : "sample",
                                      std::to_string(seed_), kLink};
    words.insert(words.end(), logins.begin(), logins.end());
    const RunResult run = Python(words);
    EXPECT_TRUE(run.exit == 0 || run.exit == 1) << run.err;
    return json::parse(run.out, nullptr, false);
  }
  void ExpectSame(const std::string& when) {
    const json all = Compare();
    ASSERT_TRUE(all.is_object()) << all.dump();
    std::printf(
        "seed %u, %s: %d decisions, %d allowed, %d refused by declared limits, "
        "%d different\n",
        seed_, when.c_str(), all.value("decisions", 0), all.value("allowed", 0),
        all.value("unsupported", 0), all.value("different", -1));
    EXPECT_EQ(all.value("different", -1), 0) << all.dump(1) << ftp_.Logs();
    EXPECT_GT(all.value("allowed", 0), 200);
    EXPECT_GT(all.value("decisions", 0), FullCampaign() ? 5000 : 2000);
  }

  // Files come: by root, and from elsewhere with what they may there. The second is drift.
  void FilesCome() const {
    const RunResult fresh = Python({"compare.py", "fresh", kLink});
    EXPECT_EQ(fresh.exit, 0) << fresh.out << fresh.err;
    const json all = json::parse(fresh.out, nullptr, false);
    std::printf("new files: %d decisions, %d less until the next apply, %d more\n",
                all.value("decisions", 0), all.value("less until the next apply", 0),
                all.value("different", -1));
    EXPECT_EQ(world_.PlanIsEmpty(), all.value("less until the next apply", 0) == 0)
        << world_.Postern({"plan"}).out;
    const RunResult move = Python({"compare.py", "move", kLink});
    ASSERT_EQ(move.exit, 0) << move.err;
    const RunResult drift = world_.Postern({"drift"});
    EXPECT_EQ(drift.exit, 2) << drift.out << drift.err;
    EXPECT_THAT(drift.out, HasSubstr("more access"));
    world_.ApplyAll();
  }

  std::unique_ptr<ServerProcess> Hold(const std::string& name,
                                      const std::vector<std::string>& logins) const {
    std::vector<std::string> words = {"python3", "-B", std::string(HERE) + "/hold.py", kLink,
                                      "/srv/clients/" + name};
    words.insert(words.end(), logins.begin(), logins.end());
    auto held = std::make_unique<ServerProcess>(scratch_, words, ServerProcess::Options{name});
    EXPECT_TRUE(held->WaitForFile("/srv/clients/" + name)) << held->LogTail();
    return held;
  }

  // A right more, or less, in the TOML or in the capabilities than at the servers is found.
  void TheOracleCanFail() const {
    const std::string grants = "/srv/postern/access/grants.toml";
    std::ofstream(grants, std::ios::app)
        << "[[grant]]\nwho = [\"person:li\"]\nfolder = \"north\"\nrights = [\"delete\"]\n";
    const json wider = Compare(kSteady);
    for (const char* way : {"ftp/ftp/password", "ftp/sftp/key", "sftp/sftp/key"}) {
      EXPECT_THAT(wider.dump(), HasSubstr(way));
    }
    EXPECT_GT(wider.value("different", 0), 0);
    std::ofstream(grants, std::ios::trunc) << "";
    EXPECT_GT(Compare(kSteady).value("different", 0), 0);
  }
  void TheCapabilitiesMatter() const {
    const std::string text = support::ReadFile(kWords);
    json words = json::parse(text);
    for (json& one : words["openssh"]) {
      if (one["support"] == "widens to") one["support"] = "native";
    }
    std::ofstream(kWords, std::ios::trunc) << words;
    EXPECT_GT(Compare({"ada-sftp", "bea-sftp"}).value("different", 0), 0) << "nothing widens";
    std::ofstream(kWords, std::ios::trunc) << text;
  }

  const uint32_t seed_;
  support::Scratch scratch_;
  SshdWorld world_{SshdWorld::Options{.pam = GetParam().pam, .chroot = GetParam().chroot}};
  support::Proftpd ftp_{scratch_, {.global = "Umask 007 007", .default_root = GetParam().chroot}};
};

TEST_P(TwoServersMatrix, ClientsOfBothMayDoWhatTheTomlSaysAndNothingElse) {
  ASSERT_NO_FATAL_FAILURE(Declare("before"));
  ASSERT_EQ(Python({"compare.py", "begin", kLink}).exit, 0);
  ASSERT_TRUE(world_.Start());
  ASSERT_TRUE(ftp_.Start());
  world_.ApplyAll();
  FilesCome();
  ExpectSame("before the change");
  TheCapabilitiesMatter();
  const auto gone = Hold("gone", kGone), steady = Hold("steady", kSteady);
  ASSERT_NO_FATAL_FAILURE(Declare("after"));
  world_.ApplyAll();
  for (int i = 0; i < 200 && gone->Alive(); ++i) ::usleep(50'000);
  EXPECT_FALSE(gone->Alive()) << "open still, of those that had to end; ended are\n"
                              << support::ReadFile(gone->log_path());
  EXPECT_TRUE(steady->Alive()) << support::ReadFile(steady->log_path());
  EXPECT_THAT(support::ReadFile(steady->log_path()), Not(HasSubstr("ended")));
  ExpectSame("after the change");
  TheOracleCanFail();
}

INSTANTIATE_TEST_SUITE_P(Forms, TwoServersMatrix,
                         testing::Values(Form{false, false}, Form{true, true}),
                         [](const auto& info) {
                           return fmt::format("{}_{}", info.param.pam ? "Pam" : "NoPam",
                                              info.param.chroot ? "Chroot" : "NoChroot");
                         });

}  // namespace
}  // namespace postern::live
