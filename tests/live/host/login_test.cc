// What a lock, an expiry and a deletion are to real clients of a real sshd, with PAM and without;
// open sessions listed and ended.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "core/base/time.h"
#include "providers/filetransfer/host/ssh_sessions.h"
#include "providers/filetransfer/host/tree_io.h"
#include "providers/filetransfer/transport/ssh.h"
#include "tests/live/host/world.h"
#include "tests/live/openssh_product/estate.h"
#include "tests/support/sshd.h"

namespace postern::filetransfer {
namespace {

using object::Kind;
using object::Outcome;
using object::Status;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A login that no other machine in the same process space has: sessions are found by name.
const std::string kLogin = fmt::format("pst{}", ::getpid());

class Logins : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    w_.settings.key_places = [](const posix::User& user) -> Result<std::vector<std::string>> {
      return std::vector<std::string>{"/srv/ssh/keys/" + user.name};
    };
    account_ = w_.Account(kLogin, 30001);
    account_.set_password("secret:pw");
    plain_ = account_;
    plain_.clear_password();
    std::filesystem::copy_file(estate_.client_key(), "/srv/clients/key-" + kLogin,
                               std::filesystem::copy_options::overwrite_existing);
    key_ = w_.Key(kLogin, support::PublicKeyOf(estate_.client_key() + ".pub"));
    estate_.WriteConfig(fmt::format(
        "UsePAM {}\nSubsystem sftp internal-sftp\nPasswordAuthentication yes\nMatch User "
        "pst*\n  ForceCommand internal-sftp\n  DisableForwarding yes\n",
        GetParam() ? "yes" : "no"));
    ASSERT_TRUE(estate_.Start());
    for (const Outcome& outcome : w_.ApplyAll({w_.Create(account_), w_.Create(key_)})) {
      ASSERT_EQ(outcome.status, Status::kApplied) << outcome.message;
    }
    ASSERT_TRUE(estate_.LetsIn(kLogin)) << estate_.Log();
    ASSERT_TRUE(estate_.LetsInByPassword(kLogin)) << estate_.Log();
  }
  bool Opens() { return estate_.LetsIn(kLogin) || estate_.LetsInByPassword(kLogin); }

  std::unique_ptr<support::ServerProcess> OpenSession(const std::string& name) {
    const std::string command = fmt::format(
        "sleep 120 | ssh -T -s -p {} -F /dev/null -i /srv/clients/key-{} -oIdentitiesOnly=yes "
        "-oIdentityAgent=none -oUserKnownHostsFile=/srv/clients/known_hosts {}@127.0.0.1 sftp",
        estate_.port(), kLogin, kLogin);
    return std::make_unique<support::ServerProcess>(
        scratch_, std::vector<std::string>{"/bin/sh", "-c", command},
        support::ServerProcess::Options{.name = name});
  }
  std::vector<SshdSession> List() {
    auto list = ListSshSessions(*w_.transport, w_.Read().accounts, estate_.pid());
    EXPECT_TRUE(list.has_value()) << list.error().message;
    return list ? std::move(*list) : std::vector<SshdSession>();
  }
  std::vector<SshdSession> WaitFor(size_t count) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    auto list = List();
    while (list.size() != count && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      list = List();
    }
    EXPECT_THAT(list, SizeIs(count));
    return list;
  }
  Outcome End(const std::string& id) {
    const object::Operation operation{.id = 1,
                                      .kind = Kind::kSession,
                                      .key = object::MakeKey(Kind::kSession, {"edge", kLogin, id})};
    return ApplySshSessions(*w_.transport, "edge", w_.Read().accounts, {&operation, 1},
                            estate_.pid())
        .front();
  }
  // Here this process is what init is elsewhere: an orphan that nobody reaps counts for userdel,
  // and a session's own comes to us only when its monitor has ended.
  Outcome RemoveOnceIdle(const kinds::Account& account) {
    Outcome outcome;
    for (int tries = 0; tries < 100; ++tries) {
      support::EndAdopted("sshd");
      outcome = w_.Apply(w_.Remove(account));
      if (outcome.message.find("currently used by process") == std::string::npos) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return outcome;
  }

  live::Estate estate_;
  World w_;
  support::Scratch scratch_;
  kinds::Account account_, plain_;
  kinds::SshKey key_;
};
INSTANTIATE_TEST_SUITE_P(Both, Logins, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "WithPam" : "WithoutPam"; });

TEST_P(Logins, ALockHoldsForKeysAndPasswordsAndUnlockingRestores) {
  kinds::Account locked = plain_;
  locked.set_enabled(false);
  ASSERT_EQ(w_.Apply(w_.Update(plain_, locked)).status, Status::kApplied);
  EXPECT_FALSE(Opens()) << estate_.Log();
  // A key that comes while it is locked opens nothing either.
  ASSERT_EQ(w_.Apply(w_.Remove(key_)).status, Status::kApplied);
  ASSERT_EQ(w_.Apply(w_.Create(key_)).status, Status::kApplied);
  EXPECT_FALSE(Opens());
  ASSERT_EQ(w_.Apply(w_.Update(locked, plain_)).status, Status::kApplied);
  EXPECT_TRUE(estate_.LetsIn(kLogin)) << estate_.Log();
  EXPECT_TRUE(estate_.LetsInByPassword(kLogin)) << estate_.Log();
}

TEST_P(Logins, AnExpiryThatIsOverShutsAndOneToComeDoesNot) {
  const base::Instant now = base::Now();
  kinds::Account expiring = plain_;
  expiring.set_expires(now - 1);
  const Outcome over = w_.Apply(w_.Update(plain_, expiring));
  ASSERT_EQ(over.status, Status::kApplied) << over.message;
  EXPECT_FALSE(Opens());
  kinds::Account before = plain_;
  before.set_expires(ExpiryAsTold(now - 1));
  expiring.set_expires(now + 5 * posix::kSecondsPerDay);
  ASSERT_EQ(w_.Apply(w_.Update(before, expiring)).status, Status::kApplied);
  EXPECT_TRUE(estate_.LetsIn(kLogin)) << estate_.Log();
}

TEST_P(Logins, AKeyRemovedAndAnAccountDeletedOpenNothing) {
  ASSERT_EQ(w_.Apply(w_.Remove(key_)).status, Status::kApplied);
  EXPECT_FALSE(estate_.LetsIn(kLogin));
  EXPECT_TRUE(estate_.LetsInByPassword(kLogin));
  ASSERT_EQ(RemoveOnceIdle(plain_).status, Status::kApplied);
  EXPECT_FALSE(Opens());
}

TEST_P(Logins, OpenSessionsAreListedAndEnded) {
  EXPECT_THAT(WaitFor(0), IsEmpty());
  const auto first = OpenSession("first"), second = OpenSession("second"),
             third = OpenSession("third");
  auto list = WaitFor(3);
  ASSERT_THAT(list, SizeIs(3));
  const base::Instant now = base::Now();
  for (const SshdSession& session : list) {
    EXPECT_EQ(session.login, kLogin);
    EXPECT_EQ(session.address, "127.0.0.1");
    EXPECT_NEAR(static_cast<double>(session.since), static_cast<double>(now), 60);
  }
  // A process id that came back is another session.
  EXPECT_EQ(End(fmt::format("{}.{}", list[0].pid, list[0].start + 1)).status, Status::kAlreadySo);
  SshdSession other = list[0];
  ++other.start;
  ASSERT_TRUE(EndSshSessions(*w_.transport, {other}));
  WaitFor(3);
  const Outcome one = End(list[0].id);
  EXPECT_EQ(one.status, Status::kApplied) << one.message;
  EXPECT_EQ(one.live.answer, object::Answer::kAbsent);
  list = WaitFor(2);
  const Outcome all = End("*");
  EXPECT_EQ(all.status, Status::kApplied) << all.message;
  EXPECT_THAT(WaitFor(0), IsEmpty());
  EXPECT_EQ(End("*").status, Status::kAlreadySo);
}

// A revocation leaves open sessions alone (file-transfer.md section 1), so it takes both.
TEST_P(Logins, ALockLeavesTheSessionUntilItIsEnded) {
  const auto session = OpenSession("open");
  WaitFor(1);
  kinds::Account locked = plain_;
  locked.set_enabled(false);
  ASSERT_EQ(w_.Apply(w_.Update(plain_, locked)).status, Status::kApplied);
  WaitFor(1);
  // userdel refuses while the account is at work; nothing is lost by trying.
  const Outcome busy = w_.Apply(w_.Remove(locked));
  EXPECT_EQ(busy.status, Status::kDenied);
  EXPECT_THAT(busy.message, ::testing::HasSubstr("currently used by process"));
  EXPECT_EQ(End("*").status, Status::kApplied);
  EXPECT_FALSE(Opens());
  const Outcome gone = RemoveOnceIdle(locked);
  EXPECT_EQ(gone.status, Status::kApplied) << gone.message;
}

// Host reads through a real sshd whose shell talks before and after.
TEST(Hostile, BannerAndStartupOutput) {
  World w;
  const kinds::Account acme = w.Account("acme", 30001);
  ASSERT_EQ(w.ApplyAll({w.Create(acme), w.Create(w.Key("acme", NewKey("a")))})[1].status,
            Status::kApplied);
  const support::Scratch scratch;
  const std::string banner = scratch.Write("banner", "acme:x:0:0:root:/root:/bin/sh\n");
  support::Sshd sshd(
      scratch, {.more = fmt::format("Banner {}\nForceCommand echo bea:x:0:0::/:/bin/sh; echo "
                                    "noise >&2; sh -c \"$SSH_ORIGINAL_COMMAND\"; echo managed:x:1:",
                                    banner)});
  ASSERT_TRUE(sshd.Start());
  auto transport = MakeSshTransport({.address = *ParseSshAddress(sshd.address()),
                                     .known_host = sshd.known_host(),
                                     .identity = sshd.identity()});
  ASSERT_TRUE(transport) << transport.error().message;
  w.transport = std::move(*transport);
  EXPECT_THAT(w.Tell(Kind::kAccount), SizeIs(1));
  EXPECT_THAT(w.Tell(Kind::kSshKey), SizeIs(1));
  EXPECT_EQ(w.Read().accounts.FindUser("bea"), nullptr);
  kinds::Account locked = acme;
  locked.set_enabled(false);
  EXPECT_EQ(w.Apply(w.Update(acme, locked)).status, Status::kApplied);
}

// Through a real connection with noise before and after: 50 MB aren't fetched, the tree is whole.
TEST(Hostile, ALargeKeyFileAndATreeThroughANoisyLogin) {
  World w;
  for (const char* login : {"acme", "bea"}) {
    ASSERT_EQ(w.Apply(w.Create(w.Account(login, *login == 'a' ? 30001 : 30002))).status,
              Status::kApplied);
    ASSERT_EQ(w.Apply(w.Create(w.Key(login, NewKey(login)))).status, Status::kApplied);
  }
  const std::string large = kRoot + "/acme/.ssh/authorized_keys";
  std::filesystem::resize_file(large, 50'000'000);
  std::filesystem::create_directories(kRoot + "/new\nline/in");
  const support::Scratch scratch;
  support::Sshd sshd(scratch, {.more = "ForceCommand echo 3; echo '=0 /etc'; echo noise >&2; sh -c "
                                       "\"$SSH_ORIGINAL_COMMAND\"; echo '# file: /etc'"});
  ASSERT_TRUE(sshd.Start());
  auto transport = MakeSshTransport({.address = *ParseSshAddress(sshd.address()),
                                     .known_host = sshd.known_host(),
                                     .identity = sshd.identity()});
  ASSERT_TRUE(transport) << transport.error().message;
  w.transport = std::move(*transport);
  const HostState state = w.Read();
  EXPECT_THAT(state.unreadable_keys.at("acme"), ::testing::HasSubstr("50000000 bytes"));
  EXPECT_EQ(state.unreadable_keys.size(), 1U);
  EXPECT_THAT(ObjectsOf(state, w.settings, Kind::kSshKey), SizeIs(1));
  const auto read = ReadTree(*w.transport, w.settings.roots);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(read->complete) << read->why_not;
  EXPECT_NE(read->tree.Find(kRoot + "/new\nline/in"), nullptr);
  EXPECT_EQ(read->tree.Find("/etc"), nullptr);
}

}  // namespace
}  // namespace postern::filetransfer
