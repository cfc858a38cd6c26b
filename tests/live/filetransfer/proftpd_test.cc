// Every kind against a real ProFTPD, with ordinary clients as witnesses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "core/access/rights.h"
#include "tests/live/filetransfer/world.h"

namespace postern::filetransfer {
namespace {

using access::Right;
using access::Rights;
using testing::HasSubstr;
using testing::StartsWith;

const uint32_t kRead = (Rights(Right::kList) | Right::kRead).bits();
const uint32_t kDrop = (Rights(Right::kList) | Right::kCreate).bits();

// Both ways to the host.
class ProftpdTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    world_ = std::make_unique<World>(GetParam());
    ASSERT_TRUE(world_->Start());
    support::MakeSshKey("ed25519", key_ = world_->scratch.File("bea_key"));
    in_ = world_->scratch.Folder("data-in");
  }

  kinds::Account WithPassword(const std::string& login) {
    kinds::Account account = world_->Account(login);
    account.set_password("secret:pw");
    return account;
  }

  std::unique_ptr<World> world_;
  std::string key_, in_;
};
INSTANTIATE_TEST_SUITE_P(Both, ProftpdTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Ssh" : "Local"; });

TEST_P(ProftpdTest, EveryKindRoundTrips) {
  World& w = *world_;
  kinds::ServerGroup group;
  group.set_server("ftp");
  group.set_name("ops");
  group.set_gid(30100);
  kinds::ServerMembership member;
  member.set_server("ftp");
  member.set_group("ops");
  member.set_login("bea");
  kinds::Folder folder;
  folder.set_host("edge");
  folder.set_path(w.proftpd.data() + "/in");
  folder.set_mode(0777);
  const kinds::SshKey key = w.Key("bea", key_ + ".pub");

  const Seen before = w.Enumerate();
  for (const auto& scope : before.scopes) {
    EXPECT_TRUE(scope.complete) << object::NameOf(scope.kind) << ": " << scope.reason;
  }
  EXPECT_EQ(before.Count(Kind::kAccount), 0u);
  EXPECT_EQ(before.Count(Kind::kFolder), 1u) << "the root itself";

  std::vector<Operation> all = {w.Create(folder),
                                w.Create(WithPassword("bea")),
                                w.Create(key),
                                w.Create(group),
                                w.Create(member),
                                w.Create(w.Grant(w.proftpd.data() + "/in", "account:bea", kDrop)),
                                w.Create(w.Grant(w.proftpd.data(), "group:ops", kRead))};
  ExpectAll(w.Apply(all), Status::kApplied);

  const Seen after = w.Enumerate();
  for (const auto& scope : after.scopes) {
    EXPECT_TRUE(scope.complete) << object::NameOf(scope.kind) << ": " << scope.reason;
    EXPECT_TRUE(scope.sentinel_seen);
  }
  for (const Operation& operation : all) {
    const auto found = after.objects.find({operation.kind, operation.key});
    ASSERT_NE(found, after.objects.end()) << object::Describe(operation.kind, operation.key);
    if (operation.kind != Kind::kAccount) {
      EXPECT_TRUE(object::Satisfies(operation.kind, operation.after, found->second.body));
    }
  }
  const auto bea =
      object::DecodeAs<kinds::Account>(after.Find(Kind::kAccount, {"ftp", "bea"})->body);
  EXPECT_TRUE(bea.enabled());
  EXPECT_THAT(bea.password(), StartsWith("hmac:"));
  EXPECT_EQ(after.Count(Kind::kNativeRule), 0u);

  // The same again changes nothing, and says so.
  const std::string passwd = support::ReadFile(w.proftpd.passwd_path());
  ExpectAll(w.Apply(all), Status::kAlreadySo);
  EXPECT_EQ(support::ReadFile(w.proftpd.passwd_path()), passwd) << "no new salt";

  // Clients: the password and the key open it; rights are what was granted.
  EXPECT_EQ(w.FtpList("bea", "correct horse", "in"), 0) << w.proftpd.Logs();
  EXPECT_NE(w.FtpList("bea", "wrong"), 0);
  EXPECT_EQ(w.SftpLogin("bea", key_), 0) << w.proftpd.Logs();
  EXPECT_EQ(w.FtpUpload("bea", "correct horse", "in/a"), 0) << w.proftpd.Logs();
  EXPECT_NE(w.FtpUpload("bea", "correct horse", "b"), 0);

  // And all of it goes again, but for the root's deny-all.
  std::vector<Operation> removals;
  for (const auto& [object_key, object] : w.Enumerate().objects) {
    if (object.kind == Kind::kFolder || object.kind == Kind::kSession) continue;
    if (object::TableOf(object.kind).observed_only) continue;
    if (object.key != w.Baseline().key) removals.push_back(w.Remove(object));
  }
  ASSERT_EQ(removals.size(), 6u);
  ExpectAll(w.Apply(removals), Status::kApplied);
  const Seen rest = w.Enumerate({Kind::kAccount, Kind::kSshKey, Kind::kGrant, Kind::kServerGroup});
  EXPECT_EQ(rest.objects.size(), 1u);
  EXPECT_TRUE(rest.objects.contains({Kind::kGrant, w.Baseline().key}));
  EXPECT_NE(w.FtpList("bea", "correct horse"), 0);
}

TEST_P(ProftpdTest, ALockStopsPasswordAndKeyAndIsUndone) {
  World& w = *world_;
  const kinds::SshKey key = w.Key("bea", key_ + ".pub");
  ExpectAll(w.Apply({w.Create(WithPassword("bea")), w.Create(key)}), Status::kApplied);
  EXPECT_EQ(w.SftpLogin("bea", key_), 0) << w.proftpd.Logs();
  kinds::Account locked = w.Account("bea");
  locked.set_enabled(false);
  const Outcome outcome = w.ApplyOne(w.Change(locked));
  EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
  EXPECT_NE(w.FtpList("bea", "correct horse"), 0);
  EXPECT_NE(w.SftpLogin("bea", key_), 0);

  Seen seen = w.Enumerate({Kind::kAccount, Kind::kSshKey});
  EXPECT_EQ(seen.Count(Kind::kSshKey), 1u) << "keys of a locked account are still told";
  const auto live =
      object::DecodeAs<kinds::Account>(seen.Find(Kind::kAccount, {"ftp", "bea"})->body);
  EXPECT_FALSE(live.enabled());
  EXPECT_TRUE(live.has_password());

  // A key that comes now doesn't open it either.
  support::MakeSshKey("ed25519", key_ + "2");
  ExpectAll(w.Apply({w.Create(w.Key("bea", key_ + "2.pub"))}), Status::kApplied);
  EXPECT_NE(w.SftpLogin("bea", key_ + "2"), 0);

  ExpectAll(w.Apply({w.Change(w.Account("bea"))}), Status::kApplied);
  EXPECT_EQ(w.FtpList("bea", "correct horse"), 0) << w.proftpd.Logs();
  EXPECT_EQ(w.SftpLogin("bea", key_), 0) << w.proftpd.Logs();
  EXPECT_EQ(w.SftpLogin("bea", key_ + "2"), 0) << w.proftpd.Logs();

  // A `!` by hand, with the key still in place, is no lock.
  std::string text = support::ReadFile(w.proftpd.passwd_path());
  text.replace(text.find(":$6$"), 1, ":!");
  std::ofstream(w.proftpd.passwd_path()) << text;
  seen = w.Enumerate({Kind::kAccount});
  const auto half =
      object::DecodeAs<kinds::Account>(seen.Find(Kind::kAccount, {"ftp", "bea"})->body);
  EXPECT_TRUE(half.enabled());
  EXPECT_FALSE(half.has_password());
}

TEST_P(ProftpdTest, AnOpenSessionIsSeenAndEnded) {
  World& w = *world_;
  ExpectAll(w.Apply({w.Create(WithPassword("bea"))}), Status::kApplied);
  // A slow upload keeps a session open.
  const support::RunResult made = support::RunCommand(
      {"sh", "-c",
       "(sleep 30) | curl -sS -u 'bea:correct horse' -T - 'ftp://127.0.0.1:" +
           std::to_string(w.proftpd.ftp_port()) + "/slow' >/dev/null 2>&1 & echo $!"},
      "");
  ASSERT_EQ(made.exit, 0);
  Seen seen;
  ASSERT_TRUE(support::Eventually(std::chrono::milliseconds(5000), [&] {
    seen = w.Enumerate({Kind::kSession});
    return seen.Count(Kind::kSession) == 1;
  })) << seen.Scope(Kind::kSession).reason;
  const Object session = seen.objects.begin()->second;
  const auto message = object::DecodeAs<kinds::Session>(session.body);
  EXPECT_EQ(message.login(), "bea");
  EXPECT_EQ(message.protocol(), "ftp");
  Operation wrong = w.Remove(session);
  wrong.key += "0";
  EXPECT_EQ(w.ApplyOne(wrong).status, Status::kAlreadySo) << "another start is another session";
  const Outcome outcome = w.ApplyOne(w.Remove(session));
  EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
  EXPECT_EQ(w.Enumerate({Kind::kSession}).Count(Kind::kSession), 0u);
}

TEST_P(ProftpdTest, ChangesByHandAreSeenAndNotOverwritten) {
  World& w = *world_;
  ExpectAll(w.Apply({w.Create(WithPassword("bea")),
                     w.Create(w.Grant(w.proftpd.data(), "account:bea", kRead))}),
            Status::kApplied);
  // A row that changed behind our back is not what was planned.
  Operation planned = w.Change(w.Grant(w.proftpd.data(), "account:bea", kDrop));
  std::string text = support::ReadFile(w.proftpd.include_path());
  for (size_t at = text.find("bea"); at != std::string::npos; at = text.find("bea", at))
    text.replace(at, 3, "eve");
  w.proftpd.WriteInclude(text);
  const Outcome outcome = w.ApplyOne(planned);
  EXPECT_EQ(outcome.status, Status::kPreconditionFailed) << outcome.message;
  EXPECT_EQ(support::ReadFile(w.proftpd.include_path()), text);
  const Seen seen = w.Enumerate({Kind::kGrant});
  EXPECT_NE(seen.Find(Kind::kGrant, {"ftp", w.proftpd.data(), "subtree", "account:eve"}), nullptr);
  EXPECT_EQ(seen.Find(Kind::kGrant, {"ftp", w.proftpd.data(), "subtree", "account:bea"}), nullptr);

  // Other hands' lines in the user file survive our writes.
  const std::string users = "# by hand\nbroken line\n" + support::ReadFile(w.proftpd.passwd_path());
  std::ofstream(w.proftpd.passwd_path()) << users;
  ExpectAll(w.Apply({w.Create(WithPassword("cyril"))}), Status::kApplied);
  EXPECT_THAT(support::ReadFile(w.proftpd.passwd_path()), StartsWith(users));
}

TEST_P(ProftpdTest, AccessFilesAndLostFilesAreNeverSilence) {
  World& w = *world_;
  ExpectAll(w.Apply({w.Create(w.Grant(w.proftpd.data(), "account:bea", kRead))}), Status::kApplied);
  std::filesystem::create_directory(w.proftpd.data() + "/sub");
  std::ofstream(w.proftpd.data() + "/sub/.ftpaccess") << "<Limit ALL>\n AllowAll\n</Limit>\n";
  EXPECT_EQ(w.Enumerate({Kind::kNativeRule}).Count(Kind::kNativeRule), 0u)
      << "with AllowOverride off at server level the daemon doesn't read it";
  std::string config = support::ReadFile(w.proftpd.config_path());
  for (size_t at = config.find("AllowOverride off"); at != std::string::npos;
       at = config.find("AllowOverride off")) {
    config.replace(at, 17, "AllowOverride on");
  }
  std::ofstream(w.proftpd.config_path()) << config;
  Seen seen = w.Enumerate({Kind::kNativeRule});
  ASSERT_GE(seen.Count(Kind::kNativeRule), 1u);
  EXPECT_TRUE(std::any_of(seen.objects.begin(), seen.objects.end(), [&](const auto& entry) {
    const auto rule = object::DecodeAs<kinds::NativeRule>(entry.second.body);
    return rule.path() == w.proftpd.data() + "/sub" && rule.file().ends_with("/.ftpaccess");
  }));

  // A foreign directive in the include itself.
  std::string text = support::ReadFile(w.proftpd.include_path());
  text.replace(text.find("</Directory>"), 0, "  HideNoAccess on\n");
  w.proftpd.WriteInclude(text);
  const size_t more = w.Enumerate({Kind::kNativeRule}).Count(Kind::kNativeRule);
  EXPECT_GT(more, seen.Count(Kind::kNativeRule));

  // Cut, or emptied of its header: never an empty list of grants.
  w.proftpd.WriteInclude("# nothing\n");
  EXPECT_FALSE(w.Enumerate({Kind::kGrant}).Scope(Kind::kGrant).complete);
  std::filesystem::remove(w.proftpd.passwd_path());
  seen = w.Enumerate({Kind::kAccount});
  EXPECT_FALSE(seen.Scope(Kind::kAccount).complete);
  EXPECT_THAT(seen.Scope(Kind::kAccount).reason, HasSubstr("doesn't exist"));
}

TEST_P(ProftpdTest, TheConfigurationIsSeenAndItsSecretsAreNot) {
  World& w = *world_;
  ExpectAll(w.Apply({w.Create(w.Grant(w.proftpd.data(), "account:bea", kRead))}), Status::kApplied);
  support::Proftpd::Options options;
  const std::string folder = w.scratch.Folder("conf.d");
  options.main = "Include " + folder + "/*.conf";
  w.scratch.Write(
      "conf.d/db.conf",
      "# hunter2\nDefine DB_PASSWORD hunter2\n<IfModule mod_sql.c>\n"
      "  SQLConnectInfo db@127.0.0.1 reader hunter2\n</IfModule>\n"
      "LDAPBindDN \"cn=reader\" \"hunter2\"\n<Limit LOGIN>\n  DenyUser eve\n</Limit>\n");
  w.proftpd.WriteConfig(options);
  Seen seen = w.Enumerate();
  EXPECT_TRUE(seen.Scope(Kind::kServerConfig).complete);
  for (const auto& [key, object] : seen.objects) {
    EXPECT_EQ(object.body.find("hunter2"), std::string::npos)
        << object::Describe(object.kind, object.key);
  }
  const Object* file = seen.Find(Kind::kServerConfig, {"ftp", folder + "/db.conf"});
  ASSERT_NE(file, nullptr);
  EXPECT_THAT(object::DecodeAs<kinds::ServerConfig>(file->body).text(), HasSubstr("DenyUser eve"));
  const Object* own = seen.Find(Kind::kServerConfig, {"ftp", w.proftpd.include_path()});
  ASSERT_NE(own, nullptr);
  EXPECT_FALSE(object::DecodeAs<kinds::ServerConfig>(own->body).has_text()) << "not edited";
  // A rule of somebody else's names its line; its arguments stay where they are.
  EXPECT_TRUE(std::any_of(seen.objects.begin(), seen.objects.end(), [](const auto& entry) {
    return entry.first.kind == Kind::kNativeRule &&
           object::DecodeAs<kinds::NativeRule>(entry.second.body).text() == "LDAPBindDN ... ...";
  }));
  const object::ObjectKey keys[] = {{Kind::kServerConfig, file->key}};
  const auto read = w.target->Read(keys);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->front().object.body, file->body);

  // Too large to be looked through: said so, never cut.
  std::string large;
  for (int i = 0; i < 40000; ++i)
    large += "<Directory /srv/" + std::to_string(i) + ">\n</Directory>\n";
  w.scratch.Write("conf.d/large.conf", large);
  seen = w.Enumerate({Kind::kServerConfig});
  EXPECT_FALSE(seen.Scope(Kind::kServerConfig).complete);
  EXPECT_THAT(seen.Scope(Kind::kServerConfig).reason,
              HasSubstr("large.conf makes the configuration"));
  EXPECT_EQ(seen.Count(Kind::kServerConfig), 0u);
}

TEST_P(ProftpdTest, WhatTheDaemonRefusesIsNeverSwappedIn) {
  World& w = *world_;
  ExpectAll(w.Apply({w.Create(w.Grant(w.proftpd.data(), "account:bea", kRead))}), Status::kApplied);
  const std::string good = support::ReadFile(w.proftpd.include_path());
  const int pid = w.proftpd.process()->pid();
  // The operator breaks another part of the configuration: a reload would end the daemon.
  support::Proftpd::Options broken;
  broken.main = "NoSuchDirective on";
  w.proftpd.WriteConfig(broken);
  const Outcome outcome = w.ApplyOne(w.Create(w.Grant(w.proftpd.data(), "account:eve", kRead)));
  EXPECT_EQ(outcome.status, Status::kDenied);
  EXPECT_THAT(outcome.message, HasSubstr("proftpd -t refuses"));
  EXPECT_THAT(outcome.message, HasSubstr("unknown configuration directive 'NoSuchDirective'"));
  EXPECT_THAT(outcome.message, testing::Not(HasSubstr("/tmp/.postern-check-")));
  EXPECT_EQ(support::ReadFile(w.proftpd.include_path()), good);
  EXPECT_TRUE(w.proftpd.process()->Alive());
  EXPECT_EQ(w.proftpd.process()->pid(), pid);
  EXPECT_TRUE(support::Connects(w.proftpd.ftp_port()));
}

// Half-way to another world bea creates where ada still overwrites: ProFTPD has one switch for
// both. A revocation isn't kept up by that: until the rest is written nobody overwrites there.
TEST_P(ProftpdTest, ARevocationIsWrittenThoughWhatIsLeftCantBeSaid) {
  World& w = *world_;
  const std::string in = w.proftpd.data() + "/in";
  std::filesystem::create_directory(in);
  std::ofstream(in + "/f") << "content";
  support::OpenTree(w.proftpd.data());
  const Rights both = Rights(Right::kCreate) | Right::kOverwrite;
  ExpectAll(w.Apply({w.Create(WithPassword("ada")), w.Create(WithPassword("bea")),
                     w.Create(w.Grant(in, "account:ada", both.bits())),
                     w.Create(w.Grant(w.proftpd.data(), "account:bea", both.bits()))}),
            Status::kApplied);
  EXPECT_EQ(w.FtpUpload("ada", "correct horse", "in/f"), 0) << w.proftpd.Logs();
  EXPECT_EQ(w.FtpUpload("bea", "correct horse", "in/f"), 0) << w.proftpd.Logs();
  const uint32_t create = Rights(Right::kCreate).bits();
  EXPECT_EQ(w.ApplyOne(w.Change(w.Grant(w.proftpd.data(), "account:bea", create))).status,
            Status::kApplied);
  EXPECT_NE(w.FtpUpload("bea", "correct horse", "in/f"), 0);
  EXPECT_EQ(w.FtpUpload("bea", "correct horse", "in/new"), 0) << w.proftpd.Logs();
  EXPECT_NE(w.FtpUpload("ada", "correct horse", "in/f"), 0) << "less, and never more";
  // What gives is written as it was planned, or not at all.
  const Outcome wider = w.ApplyOne(w.Change(w.Grant(in, "account:ada", both.bits())));
  EXPECT_EQ(wider.status, Status::kDenied);
  EXPECT_THAT(wider.message, HasSubstr("would come with overwrite"));
}

TEST_P(ProftpdTest, AThousandAccountsInOneWrite) {
  World& w = *world_;
  std::vector<Operation> all;
  for (int i = 0; i < 1000; ++i) {
    kinds::Account account = w.Account("user" + std::to_string(i));
    account.set_uid(31000 + i);
    all.push_back(w.Create(account));
  }
  const auto began = std::chrono::steady_clock::now();
  ExpectAll(w.Apply(all), Status::kApplied);
  const auto applied = std::chrono::steady_clock::now();
  const Seen seen = w.Enumerate({Kind::kAccount});
  const auto read = std::chrono::steady_clock::now();
  EXPECT_EQ(seen.Count(Kind::kAccount), 1000u);
  EXPECT_EQ(seen.Find(Kind::kAccount, {"ftp", "user7"})->id, "31007");
  EXPECT_LT(applied - began, std::chrono::seconds(5));
  EXPECT_LT(read - applied, std::chrono::seconds(2));
}

}  // namespace
}  // namespace postern::filetransfer
