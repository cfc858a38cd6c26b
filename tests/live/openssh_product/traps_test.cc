// file-transfer.md section 2 on the real sshd: each trap by its name, what sshd does beside what
// the library says.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "providers/filetransfer/openssh/include_file.h"
#include "providers/filetransfer/openssh/product.h"
#include "tests/live/openssh_product/estate.h"
#include "tests/live/openssh_product/machine.h"
#include "tests/support/sshd.h"

namespace postern::openssh {
namespace {

using live::Estate;
using live::PlainNode;
using live::TestAccount;
using support::RunCommand;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Type = posix::Node::Type;

constexpr const char* kForced = "Match User u*\n  ForceCommand internal-sftp\n";

class Traps : public ::testing::Test {
 protected:
  void SetUp() override {
    estate_.WriteFolders({{"/srv/w", PlainNode(Type::kFolder)},
                          {"/srv/w/in", PlainNode(Type::kFolder, 7)},
                          {"/srv/w/in/f", PlainNode(Type::kFile, 7)}});
  }
  void TearDown() override { live::Machine::Get().ExpectOutsideUnchanged(); }

  // Accounts u1, u2, ... with these changes; restarts sshd with that configuration.
  void Begin(std::vector<TestAccount> accounts, const std::string& config, bool pam = false) {
    estate_.Stop();
    for (size_t i = 0; i < accounts.size(); ++i) {
      accounts[i].login = fmt::format("u{}", i + 1);
      accounts[i].uid = static_cast<uint32_t>(30001 + i);
      accounts[i].gid = 31000;
    }
    estate_.WriteAccounts(accounts, {{"g0", {31000, ""}}});
    const std::string subsystem =
        config.find("Subsystem") == std::string::npos ? "Subsystem sftp internal-sftp\n" : "";
    estate_.WriteConfig(fmt::format("UsePAM {}\n{}{}", pam ? "yes" : "no", subsystem, config));
    ASSERT_TRUE(estate_.Start());
  }

  // sshd and the library on every account: who gets in with its key.
  void ExpectKeys(const std::vector<bool>& want) {
    const Estate::Facts facts = estate_.Gather();
    const Raiser raiser(facts.host, facts.tree, facts.at, facts.kernel);
    for (size_t i = 0; i < want.size(); ++i) {
      const std::string login = fmt::format("u{}", i + 1);
      EXPECT_EQ(estate_.LetsIn(login), want[i]) << login << "\n" << estate_.Log();
      const auto session = raiser.SessionOf(facts.accounts.at(login));
      ASSERT_TRUE(session.has_value()) << session.error().message;
      EXPECT_EQ(!session->commands.empty(), want[i])
          << login << ": " << fmt::format("{}", fmt::join(session->login.why, "; "))
          << fmt::format("{}", fmt::join(session->notes, "; "));
    }
  }

  bool RaisedPassword(const std::string& login) {
    const Estate::Facts facts = estate_.Gather();
    const Account& account = facts.accounts.at(login);
    const Login found =
        LoginOf(account.connection, account.settings, facts.host, account.keys, facts.at);
    return std::find(found.ways.begin(), found.ways.end(), WayIn::kPassword) != found.ways.end();
  }

  Estate estate_;
};

// "StrictModes and ChrootDirectory reject any group/world-writable or non-root ancestor; chroot
// mode 0775 or owned by the user fails after a successful authentication."
TEST_F(Traps, PathOfTheChroot) {
  posix::Node shared = PlainNode(Type::kFolder);
  shared.access.group = 7;
  posix::Node owned = PlainNode(Type::kFolder);
  owned.uid = 30002;
  posix::Node acl = PlainNode(Type::kFolder);
  acl.access.users[30003] = 7;
  SetMask(&acl.access);
  posix::Node shut = PlainNode(Type::kFolder, 0);
  estate_.WriteFolders({{"/srv/w/u1", shared},
                        {"/srv/w/u2", owned},
                        {"/srv/w/u3", acl},
                        {"/srv/w/u4", PlainNode(Type::kFolder)},
                        {"/srv/w/shut", shut},
                        {"/srv/w/shut/u5", PlainNode(Type::kFolder)}});
  Begin({{}, {}, {}, {}, {}},
        "Match User u5\n  ChrootDirectory /srv/w/shut/u5\n  ForceCommand internal-sftp\n"
        "Match User u*\n  ChrootDirectory /srv/w/%u\n  ForceCommand internal-sftp\n");
  // A named entry with w is a mask with w: to sshd the folder is group-writable. The folder above
  // a chroot may be shut for the account.
  ExpectKeys({false, false, false, true, true});
  EXPECT_THAT(estate_.Log(), HasSubstr("Accepted publickey for u1"));
  EXPECT_THAT(estate_.Log(), HasSubstr("bad ownership or modes for chroot directory"));
}

TEST_F(Traps, StrictModesOfTheKeyFile) {
  Begin({{.key_mode = "0644"}, {.key_mode = "0666"}, {.key_mode = "0664"}, {.key_mode = "0600"}},
        kForced);
  // 0600 of root: sshd opens the file as the account.
  ExpectKeys({true, false, false, false});
}

// "usermod -L is not a lock for key users. A lock that holds in both: shadow expiry = 1."
TEST_F(Traps, LockWithoutPam) {
  Begin({{.shadow = "!"},
         {.shadow = "!*"},
         {.shadow = "*"},
         {.shadow = "*", .expires = "1"},
         {.shadow = "*", .expires = "0"}},
        kForced, false);
  ExpectKeys({false, false, true, false, false});
}

TEST_F(Traps, LockWithPam) {
  Begin({{.shadow = "!"},
         {.shadow = "!*"},
         {.shadow = "*"},
         {.shadow = "*", .expires = "1"},
         {.shadow = "*", .expires = "0"}},
        kForced, true);
  ExpectKeys({true, true, true, false, false});
}

TEST_F(Traps, OnTheExpiryDayItselfPamRefusesAndPlainSshdLetsIn) {
  for (const bool pam : {false, true}) {
    const int64_t today = base::Now() / posix::kSecondsPerDay;
    Begin({{.expires = std::to_string(today)}, {.expires = std::to_string(today + 1)}}, kForced,
          pam);
    ExpectKeys({!pam, true});
  }
}

// The lock that the include writes: DenyUsers in the account's block, by key and by password.
TEST_F(Traps, DenyUsersLocksBothWaysWithPamAndWithout) {
  for (const bool pam : {false, true}) {
    Begin({{.shadow = live::PasswordHash()}, {.shadow = live::PasswordHash()}},
          "PasswordAuthentication yes\nMatch User u1\n  ForceCommand internal-sftp\n  DenyUsers "
          "u1\n" +
              std::string(kForced),
          pam);
    ExpectKeys({false, true});
    EXPECT_FALSE(estate_.LetsInByPassword("u1"));
    EXPECT_TRUE(estate_.LetsInByPassword("u2"));
    EXPECT_FALSE(RaisedPassword("u1"));
    EXPECT_TRUE(RaisedPassword("u2"));
  }
}

TEST_F(Traps, PasswordsStopAtALockedHash) {
  for (const bool pam : {false, true}) {
    Begin({{.shadow = live::PasswordHash()},
           {.shadow = "!" + live::PasswordHash()},
           {.shadow = live::PasswordHash(), .expires = "1"}},
          "PasswordAuthentication yes\n" + std::string(kForced), pam);
    for (int i = 1; i <= 3; ++i) {
      const std::string login = fmt::format("u{}", i);
      EXPECT_EQ(estate_.LetsInByPassword(login), i == 1) << login << estate_.Log();
      EXPECT_EQ(RaisedPassword(login), i == 1) << login;
    }
  }
}

// The shell is no lock: internal-sftp needs none, and a chroot asks for none.
TEST_F(Traps, TheShellIsNoLock) {
  estate_.WriteFolders({{"/srv/w/jail", PlainNode(Type::kFolder)}});
  Begin({{.shell = "/usr/sbin/nologin"},
         {.shell = "/bin/false"},
         {.shell = "/bin/none"},
         {.shell = "/bin/none"}},
        "Match User u4\n  ChrootDirectory /srv/w/jail\n" + std::string(kForced));
  ExpectKeys({true, true, false, true});
}

// "An unknown option silently disables that line"; expiry, source, re-read at each attempt.
TEST_F(Traps, AuthorizedKeys) {
  const int64_t now = base::Now();
  const auto stamp = [](int64_t at, const char* zone) {
    std::string digits;
    for (const char c : base::FormatInstant(at)) {
      if (c >= '0' && c <= '9') digits += c;
    }
    return "expiry-time=\"" + digits + zone + "\"";
  };
  Begin({{.options = "restrict"},
         {.options = stamp(now - 60, "Z")},
         {.options = stamp(now + 600, "Z")},
         {.options = "from=\"127.0.0.0/8\""},
         {.options = "from=\"10.0.0.0/8\""},
         {.options = "from=\"127.0.0.0/8,!127.0.0.1\""},
         {.options = "no-such-option"},
         {.options = "command=\"internal-sftp -R\""},
         {.options = "from=\"127.0.0.1\",from=\"127.0.0.1\""},
         {.options = stamp(now - 60, "Z") + "," + stamp(now + 600, "Z")}},
        kForced);
  ExpectKeys({true, false, true, true, false, false, false, true, false, false});
  EXPECT_THAT(estate_.Log(), HasSubstr("Refused by key options"));
  // No reload: the next attempt reads the file anew.
  ::unlink("/srv/ssh/keys/u1");
  EXPECT_FALSE(estate_.LetsIn("u1"));
}

// The key's own command counts where the configuration forces none, and not where it does.
TEST_F(Traps, ACommandOfTheKeyIsRoomForAnAdministratorsForcedOne) {
  Begin({{.options = "command=\"internal-sftp -R\""}, {.options = "command=\"internal-sftp -R\""}},
        "Subsystem sftp internal-sftp\nMatch User u1\n  ForceCommand internal-sftp\n");
  EXPECT_EQ(estate_.Sftp("u1", "rm /srv/w/in/f\n").exit, 0);
  std::ofstream("/srv/w/in/f") << "old";
  EXPECT_NE(estate_.Sftp("u2", "rm /srv/w/in/f\n").exit, 0);
  const Estate::Facts facts = estate_.Gather();
  const Raiser raiser(facts.host, facts.tree, facts.at, facts.kernel);
  for (const auto& [login, deletes] : std::map<std::string, bool>{{"u1", true}, {"u2", false}}) {
    const Account& account = facts.accounts.at(login);
    EXPECT_EQ(*raiser.May(account, *raiser.SessionOf(account), "/srv/w/in/f", Right::kDelete),
              deletes);
  }
}

// "-P remove,rmdir,setstat,fsetstat denied delete and chmod, still allowed upload and rename."
TEST_F(Traps, DeniedVerbsLeaveRename) {
  Begin({{}, {}},
        "Match User u1\n  ForceCommand internal-sftp -P remove,rmdir,setstat,fsetstat\n"
        "Match User u2\n  ForceCommand internal-sftp -P rename,posix-rename\n");
  EXPECT_NE(estate_.Sftp("u1", "rm /srv/w/in/f\n").exit, 0);
  EXPECT_EQ(estate_.Sftp("u1", "rename /srv/w/in/f /srv/w/in/g\n").exit, 0);
  EXPECT_EQ(estate_.Sftp("u1", "rename /srv/w/in/g /srv/w/in/f\n").exit, 0);
  EXPECT_NE(estate_.Sftp("u2", "rename /srv/w/in/f /srv/w/in/g\n").exit, 0);
  // A second name and the first one away: renamed without a rename.
  EXPECT_EQ(estate_.Sftp("u2", "ln /srv/w/in/f /srv/w/in/g\nrm /srv/w/in/f\n").exit, 0);
  EXPECT_EQ(::access("/srv/w/in/g", F_OK), 0);
}

// Words after the ninth are dropped in silence: the -P there denies nothing.
TEST_F(Traps, TheTenthWordOfAForcedCommandIsLost) {
  const std::string command = "internal-sftp -f AUTH -l VERBOSE -u 0027 -d /srv -P remove";
  Begin({{}}, "Match User u1\n  ForceCommand " + command + "\n");
  EXPECT_EQ(estate_.Sftp("u1", "rm /srv/w/in/f\n").exit, 0);
  EXPECT_TRUE(RightsOf(ParseSftpCommand(command)).Has(Right::kDelete));
  EXPECT_THAT(ParseSftpCommand(command).warnings, Not(IsEmpty()));
}

TEST_F(Traps, ADeniedWriteStillTruncatesAndCreates) {
  Begin({{}}, "Match User u1\n  ForceCommand internal-sftp -P write\n");
  EXPECT_NE(estate_.Sftp("u1", "put /srv/clients/new /srv/w/in/f\n").exit, 0);
  struct stat at = {};
  ASSERT_EQ(::stat("/srv/w/in/f", &at), 0);
  EXPECT_EQ(at.st_size, 0);
  EXPECT_TRUE(RightsOf(ParseSftpCommand("internal-sftp -P write")).Has(Right::kOverwrite));
}

TEST_F(Traps, ARequestThatIsNoneIsIgnoredAndATwiceGivenListEndsTheServer) {
  Begin({{}, {}},
        "Match User u1\n  ForceCommand internal-sftp -P remov\n"
        "Match User u2\n  ForceCommand internal-sftp -P remove -P mkdir\n");
  EXPECT_EQ(estate_.Sftp("u1", "rm /srv/w/in/f\n").exit, 0);
  ExpectKeys({true, false});
}

// Without a forced command the subsystem's options bind nobody who has a shell.
TEST_F(Traps, AShellGoesAroundTheSubsystemsOptions) {
  Begin({{.shell = "/bin/sh"}, {.shell = "/usr/sbin/nologin"}},
        "Subsystem sftp internal-sftp -R\n");
  EXPECT_NE(estate_.Sftp("u1", "rm /srv/w/in/f\n").exit, 0);
  EXPECT_EQ(estate_.Ssh("u1", "rm /srv/w/in/f").exit, 0);
  EXPECT_NE(estate_.Ssh("u2", "true").exit, 0);
  const Estate::Facts facts = estate_.Gather();
  const Raiser raiser(facts.host, facts.tree, facts.at, facts.kernel);
  EXPECT_TRUE(raiser.SessionOf(facts.accounts.at("u1"))->shell);
  EXPECT_FALSE(raiser.SessionOf(facts.accounts.at("u2"))->shell);
}

TEST_F(Traps, AForcedInternalSftpRunsNoCommands) {
  Begin({{.shell = "/bin/sh"}}, kForced);
  const support::RunResult run = estate_.Ssh("u1", "touch /srv/w/in/made");
  EXPECT_NE(::access("/srv/w/in/made", F_OK), 0) << run.out << run.err;
}

// A forced internal-sftp serves those who ask for a subsystem: without one configured, nobody.
TEST_F(Traps, WithoutASubsystemAForcedInternalSftpServesNobody) {
  Begin({{}}, "# no Subsystem\n" + std::string(kForced));
  EXPECT_NE(estate_.Sftp("u1", "pwd\n", {"-s", "/any"}).exit, 0);
  EXPECT_THAT(estate_.Ssh("u1", "true").out, HasSubstr("sftp connections only"));
  ExpectKeys({false});
}

// "%u left unexpanded"; "DisableForwarding does not flip allowstreamlocalforwarding".
TEST_F(Traps, EffectiveReadBack) {
  Begin({{}}, "Match User u1\n  ChrootDirectory /srv/w/%u\n  DisableForwarding yes\n");
  const auto settings = ParseSettings(
      estate_.EffectiveText({"u1", {}, "127.0.0.1", "127.0.0.1", "127.0.0.1", estate_.port()}));
  ASSERT_TRUE(settings.has_value());
  EXPECT_EQ(settings->chroot, "/srv/w/%u");
  EXPECT_TRUE(settings->disable_forwarding);
  EXPECT_EQ(settings->all.find("allowstreamlocalforwarding")->second, "yes");
}

// "First value wins": an earlier foreign Match keeps ours from counting, and is told.
TEST_F(Traps, AnEarlierMatchShadowsOurs) {
  std::ofstream("/srv/ssh/ours.conf") << "Match User u1\n  ForceCommand internal-sftp -R\n";
  Begin({{}},
        "Match Group g0\n  ForceCommand internal-sftp\nMatch all\nInclude /srv/ssh/ours.conf\n");
  EXPECT_EQ(estate_.Sftp("u1", "rm /srv/w/in/f\n").exit, 0);
  const Estate::Facts facts = estate_.Gather();
  const auto shadows =
      ShadowsOf(facts.config, "/srv/ssh/ours.conf", facts.accounts.at("u1").connection);
  ASSERT_EQ(shadows.size(), 1u);
  EXPECT_EQ(shadows[0].keyword, "forcecommand");
}

// "An unreadable, garbage or missing RevokedKeys file refuses every public key of every user."
TEST_F(Traps, RevokedKeysFailClosed) {
  std::ofstream("/srv/ssh/revoked") << "";
  Begin({{}}, "RevokedKeys /srv/ssh/revoked\n" + std::string(kForced));
  EXPECT_TRUE(estate_.LetsIn("u1"));
  std::ofstream("/srv/ssh/revoked") << "garbage\n";
  EXPECT_FALSE(estate_.LetsIn("u1"));
  ::unlink("/srv/ssh/revoked");
  EXPECT_FALSE(estate_.LetsIn("u1"));
  Estate::Facts facts = estate_.Gather();
  facts.at.revoked_keys_readable = false;
  const Raiser raiser(facts.host, facts.tree, facts.at, facts.kernel);
  EXPECT_FALSE(raiser.SessionOf(facts.accounts.at("u1"))->login.open());
}

// "Revoking never touches a session that is already open"; the file system's part holds at once.
TEST_F(Traps, RevokingAKeyLeavesOpenSessionsAlone) {
  Begin({{}}, kForced);
  // One session that removes its key's line, waits until that is done, and goes on.
  const support::RunResult run =
      estate_.Sftp("u1",
                   "!rm /srv/ssh/keys/u1\nmkdir /srv/w/in/after-key\n"
                   "!setfacl -m u:30001:--- /srv/w/in\n-mkdir /srv/w/in/after-acl\n"
                   "!setfacl -b /srv/w/in\nmkdir /srv/w/in/again\n");
  EXPECT_EQ(run.exit, 0) << run.err;
  EXPECT_EQ(::access("/srv/w/in/after-key", F_OK), 0);
  // The file system decides at each request: an ACL holds at once.
  EXPECT_NE(::access("/srv/w/in/after-acl", F_OK), 0);
  EXPECT_EQ(::access("/srv/w/in/again", F_OK), 0);
  EXPECT_FALSE(estate_.LetsIn("u1"));
}

// "HUP keeps the listener pid and all sessions. HUP with a bad file kills the listener; sessions
// survive, no new login."
TEST_F(Traps, AReloadWithABadFileEndsTheListenerAndNoSession) {
  Begin({{}}, kForced);
  estate_.Signal(SIGHUP);
  EXPECT_TRUE(support::Eventually(std::chrono::seconds(10), [&] {
    return estate_.Log().find("Received SIGHUP") != std::string::npos && estate_.LetsIn("u1");
  }));
  std::ofstream(estate_.config_path(), std::ios::app) << "NoSuchKeyword yes\n";
  const support::RunResult check =
      RunCommand({support::FindProgram("sshd"), "-t", "-f", estate_.config_path()});
  EXPECT_NE(check.exit, 0);
  // From within the session: reload, wait until nobody listens, go on.
  const std::string wait = fmt::format(
      "for i in $(seq 400); do (exec 3<>/dev/tcp/127.0.0.1/{}) 2>/dev/null || exit 0; sleep 0.02; "
      "done; exit 1",
      estate_.port());
  std::ofstream("/srv/clients/wait") << wait;
  const support::RunResult run = estate_.Sftp(
      "u1", fmt::format("!kill -HUP {}\n!bash /srv/clients/wait\nmkdir /srv/w/in/after\n",
                        estate_.pid()));
  EXPECT_EQ(run.exit, 0) << run.err;
  EXPECT_EQ(::access("/srv/w/in/after", F_OK), 0);
  EXPECT_FALSE(estate_.LetsIn("u1"));
}

// "Certificates: principal must equal the login name (or AuthorizedPrincipalsFile)."
class Certificates : public Traps {
 protected:
  void Sign(const std::string& principals, const std::string& more = "") {
    if (::access("/srv/clients/ca", F_OK) != 0) support::MakeSshKey("ed25519", "/srv/clients/ca");
    std::ofstream("/srv/ssh/ca.pub") << support::ReadFile("/srv/clients/ca.pub");
    std::vector<std::string> command = {"ssh-keygen", "-q", "-s", "/srv/clients/ca", "-I", "who",
                                        "-z",         "7",  "-n", principals};
    if (!more.empty()) {
      command.emplace_back(more.substr(0, 2));
      command.push_back(more.substr(3));
    }
    command.push_back(estate_.client_key() + ".pub");
    const support::RunResult run = RunCommand(command);
    ASSERT_EQ(run.exit, 0) << run.err;
    RunCommand({"cp", estate_.client_key() + "-cert.pub", "/srv/clients/key-u1-cert.pub"});
  }
  std::vector<std::string> Principals() {
    Estate::Facts facts = estate_.Gather();
    Account& account = facts.accounts.at("u1");
    if (!account.settings.ca_files.empty()) {
      account.keys.trusted = ParseAuthorizedKeys(support::ReadFile("/srv/ssh/ca.pub")).keys;
    }
    if (!account.settings.principals_files.empty()) {
      std::vector<KeyProblem> problems;
      account.keys.principals =
          ParsePrincipals(support::ReadFile(account.settings.principals_files[0]), &problems);
    }
    return PrincipalsThatOpen(account.connection, account.settings, account.keys, facts.at.now);
  }
  void TearDown() override {
    ::unlink("/srv/clients/key-u1-cert.pub");
    Traps::TearDown();
  }
};

TEST_F(Certificates, OfATrustedAuthorityNameTheLogin) {
  Sign("u1");
  Begin({{.options = "none"}}, "TrustedUserCAKeys /srv/ssh/ca.pub\n" + std::string(kForced));
  EXPECT_TRUE(estate_.LetsIn("u1")) << estate_.Log();
  EXPECT_THAT(estate_.Log(), HasSubstr("ID who (serial 7)"));
  EXPECT_THAT(Principals(), ::testing::ElementsAre("u1"));
  Sign("somebody");
  EXPECT_FALSE(estate_.LetsIn("u1"));
  Sign("u1", "-V -2d:-1d");
  EXPECT_FALSE(estate_.LetsIn("u1"));
  Sign("u1", "-O source-address=10.0.0.0/8");
  EXPECT_FALSE(estate_.LetsIn("u1"));
}

TEST_F(Certificates, PrincipalsFilesReplaceTheLogin) {
  Sign("ops");
  std::ofstream("/srv/ssh/principals") << "# who\nfrom=\"10.0.0.0/8\" far\nops\n";
  ::chmod("/srv/ssh/principals", 0644);
  Begin({{.options = "none"}},
        "TrustedUserCAKeys /srv/ssh/ca.pub\nAuthorizedPrincipalsFile /srv/ssh/principals\n" +
            std::string(kForced));
  EXPECT_TRUE(estate_.LetsIn("u1")) << estate_.Log();
  EXPECT_THAT(Principals(), ::testing::ElementsAre("ops"));
  Sign("far");
  EXPECT_FALSE(estate_.LetsIn("u1"));
  Sign("u1");
  EXPECT_FALSE(estate_.LetsIn("u1"));
}

TEST_F(Certificates, ARevokedSerialIsRefusedAtOnce) {
  Sign("u1");
  std::ofstream("/srv/ssh/revoked") << "";
  Begin({{.options = "none"}},
        "TrustedUserCAKeys /srv/ssh/ca.pub\nRevokedKeys /srv/ssh/revoked\n" + std::string(kForced));
  EXPECT_TRUE(estate_.LetsIn("u1"));
  std::ofstream("/srv/clients/serials") << "serial: 7\n";
  const support::RunResult made =
      RunCommand({"ssh-keygen", "-q", "-k", "-f", "/srv/ssh/revoked.new", "-s",
                  "/srv/clients/ca.pub", "/srv/clients/serials"});
  ASSERT_EQ(made.exit, 0) << made.err;
  ASSERT_EQ(::rename("/srv/ssh/revoked.new", "/srv/ssh/revoked"), 0);
  EXPECT_FALSE(estate_.LetsIn("u1"));
}

TEST_F(Certificates, AnAuthorityInAuthorizedKeysOpensItsAccountAlone) {
  Sign("u1");
  Begin({{.options = "none"}, {.options = "none"}}, kForced);
  std::ofstream("/srv/ssh/keys/u1") << "cert-authority " << support::ReadFile("/srv/ssh/ca.pub");
  EXPECT_TRUE(estate_.LetsIn("u1")) << estate_.Log();
  EXPECT_THAT(Principals(), ::testing::ElementsAre("u1"));
  EXPECT_FALSE(estate_.LetsIn("u2"));
}

}  // namespace
}  // namespace postern::openssh
