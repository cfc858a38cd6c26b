// What the suite doesn't ask of every provider: the fake world's file, faults, scopes, passwords.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/base/hash.h"
#include "providers/memory/edit.h"
#include "providers/memory/faults.h"
#include "providers/memory/memory.h"
#include "providers/memory/world.h"
#include "schemas/kinds.pb.h"
#include "schemas/provider.pb.h"
#include "tests/support/process.h"

namespace postern::memory {
namespace {

using object::Answer;
using object::Kind;
using object::Status;
using testing::HasSubstr;

kinds::Account Account(const std::string& login, const std::string& server = "edge-ftp") {
  kinds::Account account;
  account.set_server(server);
  account.set_login(login);
  account.set_home("/srv/exchange/" + login);
  return account;
}

struct Seen : object::ObjectSink {
  bool Add(const object::ObjectView& object) override {
    keys.emplace_back(object::Address(object.kind, object.key));
    return true;
  }
  std::vector<std::string> keys;
};

struct Last : object::OutcomeSink {
  void Add(object::Outcome added) override { outcome = std::move(added); }
  object::Outcome outcome;
};

class MemoryDetails : public testing::Test {
 protected:
  MemoryDetails() : file_(scratch_.File("world")) {
    config_.set_name("host:edge");
    config_.mutable_host()->set_name("edge");
    config_.mutable_host()->set_address("memory:" + file_);
    config_.mutable_host()->mutable_manage()->mutable_roots()->add_values("/srv/exchange");
    config_.add_servers()->set_name("edge-ftp");
  }
  std::unique_ptr<object::Target> Open(const object::Secrets& secrets = {{"ledger-key", "k"}}) {
    auto target = OpenTarget(config_, secrets);
    EXPECT_TRUE(target.has_value()) << target.error().message;
    return target ? std::move(*target) : nullptr;
  }
  void Hand(const std::vector<std::string>& words) {
    std::vector<std::string> arguments = {file_};
    arguments.insert(arguments.end(), words.begin(), words.end());
    const auto done = Edit(arguments);
    ASSERT_TRUE(done.has_value()) << done.error().message;
  }
  static object::ReadAnswer Read(object::Target& target, Kind kind, const std::string& key) {
    const object::ObjectKey keys[] = {{kind, key}};
    return target.Read(keys)->front();
  }
  static object::Outcome Apply(object::Target& target, object::Operation operation,
                               const object::Secrets& secrets = {}) {
    Last last;
    const object::OperationGroup groups[] = {{"", {std::move(operation)}}};
    const auto done = target.Apply(groups, secrets, last);
    EXPECT_TRUE(done.has_value()) << done.error().message;
    return last.outcome;
  }
  static object::Operation Change(const object::Object& object, std::string before,
                                  std::string after) {
    object::Operation operation;
    operation.id = 1;
    operation.kind = object.kind;
    operation.key = object.key;
    operation.before = std::move(before);
    operation.after = std::move(after);
    return operation;
  }

  support::Scratch scratch_;
  const std::string file_;
  provider::v1::TargetConfig config_;
};

TEST_F(MemoryDetails, ACutOffLineMeansNothingAndIsWrittenPast) {
  Hand({"set", "account", "edge-ftp", "one"});
  const std::string whole = support::ReadFile(file_);
  Hand({"set", "account", "edge-ftp", "two"});
  const std::string both = support::ReadFile(file_);
  // Every place where the kernel may have stopped a killed writer.
  for (size_t length = whole.size(); length < both.size(); ++length) {
    scratch_.Write("world", both.substr(0, length));
    auto world = World::Open(file_);
    ASSERT_TRUE(world.has_value()) << length << ": " << world.error().message;
    EXPECT_EQ((*world)->Find(Kind::kAccount, "edge-ftp\x1ftwo"), nullptr) << length;
    Hand({"set", "account", "edge-ftp", "three"});
    auto again = World::Open(file_);
    ASSERT_TRUE(again.has_value()) << length << ": " << again.error().message;
    EXPECT_NE((*again)->Find(Kind::kAccount, "edge-ftp\x1fone"), nullptr) << length;
    EXPECT_NE((*again)->Find(Kind::kAccount, "edge-ftp\x1fthree"), nullptr) << length;
    ASSERT_TRUE((*world)->Refresh().has_value());
    EXPECT_NE((*world)->Find(Kind::kAccount, "edge-ftp\x1fthree"), nullptr) << length;
  }
}

TEST_F(MemoryDetails, AWholeLineThatIsNoRecordIsNotSkipped) {
  Hand({"set", "account", "edge-ftp", "one"});
  scratch_.Write("world", support::ReadFile(file_) + "put\tnonsense\tkey\t-\t\t\t0\t.\n");
  const auto world = World::Open(file_);
  ASSERT_FALSE(world.has_value());
  EXPECT_EQ(world.error().code, ErrorCode::kIncomplete);
}

TEST_F(MemoryDetails, KeysWithTabsAndBackslashesComeBack) {
  const std::string dn = "cn=a\\,b\tc\\5c,dc=x";
  kinds::DirectoryGroup group;
  group.set_dn(dn);
  const object::Object object = object::Encode(group);
  auto world = World::Open(file_);
  ASSERT_TRUE((*world)->Lock().has_value());
  (*world)->Put(object.kind, object.key, object.body, "by\ttab");
  ASSERT_TRUE((*world)->Commit().has_value());
  auto again = World::Open(file_);
  const Record* record = (*again)->Find(object.kind, object.key);
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(World::BodyOf(*record), object.body);
  EXPECT_EQ(record->who, "by\ttab");
}

TEST_F(MemoryDetails, AReplacedFileIsReadFromItsBeginning) {
  Hand({"set", "account", "edge-ftp", "one"});
  const auto target = Open();
  EXPECT_EQ(Read(*target, Kind::kAccount, "edge-ftp\x1fone").answer, Answer::kValue);
  ASSERT_EQ(unlink(file_.c_str()), 0);
  Hand({"set", "account", "edge-ftp", "two"});
  EXPECT_EQ(Read(*target, Kind::kAccount, "edge-ftp\x1fone").answer, Answer::kAbsent);
  EXPECT_EQ(Read(*target, Kind::kAccount, "edge-ftp\x1ftwo").answer, Answer::kValue);
}

TEST_F(MemoryDetails, OnlyWhatIsManagedIsSeenOrWritten) {
  Hand({"set", "account", "edge-ftp", "ours"});
  Hand({"set", "account", "other-ftp", "theirs"});
  Hand({"set", "folder", "edge", "/srv/exchange/in", "mode=0750"});
  Hand({"set", "folder", "edge", "/srv/exchanges", "mode=0750"});
  Hand({"set", "user", "uid=x,dc=corp", "uid=x"});
  const auto target = Open();
  Seen seen;
  const auto scopes = target->Enumerate({}, seen);
  ASSERT_TRUE(scopes.has_value());
  EXPECT_THAT(seen.keys, testing::UnorderedElementsAre("account:edge-ftp/ours",
                                                       HasSubstr("/srv/exchange/in")));
  EXPECT_EQ(scopes->size(), 9u) << "eight kinds of the server, and the host's folders";
  const object::Object theirs = object::Encode(Account("new", "other-ftp"));
  EXPECT_EQ(Apply(*target, Change(theirs, "", theirs.body)).status, Status::kDenied);
}

TEST_F(MemoryDetails, APasswordNeverLeavesAndIsComparedByItsHash) {
  const auto target = Open();
  kinds::Account account = Account("acme");
  account.set_password("secret:acme");
  const object::Object wanted = object::Encode(account);
  const object::Secrets secrets = {{"acme", "correct horse"}};
  EXPECT_EQ(Apply(*target, Change(wanted, "", wanted.body)).status, Status::kDenied)
      << "the value wasn't sent along";
  const object::Outcome created = Apply(*target, Change(wanted, "", wanted.body), secrets);
  ASSERT_EQ(created.status, Status::kApplied) << created.message;
  const std::string hash = object::DecodeAs<kinds::Account>(created.live.object.body).password();
  EXPECT_THAT(hash, testing::StartsWith("hmac:"));
  EXPECT_EQ(hash.size(), 5u + 64u);
  EXPECT_EQ(support::ReadFile(file_).find("correct horse"), std::string::npos);
  EXPECT_EQ(Apply(*target, Change(wanted, "", wanted.body), secrets).status, Status::kAlreadySo);

  // By hand: another stored value, so another hash, and a stale plan is refused.
  Hand({"set", "account", "edge-ftp", "acme", "password=stolen"});
  const object::Object live = Read(*target, wanted.kind, wanted.key).object;
  EXPECT_NE(object::DecodeAs<kinds::Account>(live.body).password(), hash);
  EXPECT_EQ(Apply(*target, Change(wanted, created.live.object.body, wanted.body), secrets).status,
            Status::kPreconditionFailed);
  EXPECT_EQ(Apply(*target, Change(wanted, live.body, wanted.body), secrets).status,
            Status::kApplied);
  EXPECT_EQ(Dump(file_)->find("$m$"), std::string::npos);
  // Without a key to hash with it can't be told, which is not the same as unset.
  EXPECT_EQ(Read(*Open({}), wanted.kind, wanted.key).object.unreadable, uint64_t{1} << 8);
}

// An IAM system keeps memberships by ids: a new name on either side ends none.
TEST_F(MemoryDetails, ARenamedGroupKeepsItsMembersAndItsPlaceInOthers) {
  provider::v1::TargetConfig config;
  config.set_name("iam:hr");
  config.mutable_iam()->set_name("hr");
  config.mutable_iam()->set_url("memory:" + file_);
  Hand({"set", "iam_group", "all"});
  Hand({"set", "iam_group", "ops"});
  Hand({"set", "iam_membership", "group:all", "group:ops"});
  Hand({"set", "iam_membership", "group:ops", "user:jo"});
  auto opened = OpenTarget(config, {{"ledger-key", "k"}});
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  kinds::IamGroup before, after;
  before.set_name("ops");
  after.set_name("operations");
  object::Operation rename =
      Change(object::Encode(before), object::Encode(before).body, object::Encode(after).body);
  rename.new_key = object::Encode(after).key;
  EXPECT_EQ(Apply(**opened, rename).status, Status::kApplied);
  const auto there = [&](const std::string& set, const std::string& member) {
    const std::string key = object::MakeKey(Kind::kIamMembership, {set, member});
    return Read(**opened, Kind::kIamMembership, key).answer == object::Answer::kValue;
  };
  EXPECT_TRUE(there("group:all", "group:operations"));
  EXPECT_TRUE(there("group:operations", "user:jo"));
  EXPECT_FALSE(there("group:all", "group:ops"));
  EXPECT_FALSE(there("group:ops", "user:jo"));
}

TEST_F(MemoryDetails, SessionsAreEndedAndNotMade) {
  Hand({"set", "session", "edge-ftp", "acme", "4711", "address=10.0.0.1"});
  const auto target = Open();
  kinds::Session session;
  session.set_server("edge-ftp");
  session.set_login("acme");
  session.set_session("4711");
  const object::Object live = object::Encode(session);
  EXPECT_EQ(Apply(*target, Change(live, live.body, "")).status, Status::kApplied);
  EXPECT_EQ(Read(*target, live.kind, live.key).answer, Answer::kAbsent);
  EXPECT_EQ(Apply(*target, Change(live, "", live.body)).status, Status::kDenied);
}

TEST_F(MemoryDetails, ABodyThatDoesNotFitItsKeyIsRefused) {
  const auto target = Open();
  object::Object wanted = object::Encode(Account("one"));
  wanted.key = object::Encode(Account("two")).key;
  EXPECT_EQ(Apply(*target, Change(wanted, "", wanted.body)).status, Status::kDenied);
  wanted = object::Encode(Account("three"));
  EXPECT_EQ(Apply(*target, Change(wanted, "", wanted.body + "\xff")).status, Status::kDenied);
}

TEST_F(MemoryDetails, FaultsActAtOnce) {
  const auto target = Open();
  const object::Object wanted = object::Encode(Account("one"));
  const auto fault = [&](const std::string& text) { scratch_.Write("world.faults", text); };
  fault("transient 1\n");
  EXPECT_EQ(Apply(*target, Change(wanted, "", wanted.body)).status, Status::kTransient);
  fault("deny account  # no right\n");
  EXPECT_EQ(Apply(*target, Change(wanted, "", wanted.body)).status, Status::kDenied);
  fault("precondition-drift 1\n");
  EXPECT_EQ(Apply(*target, Change(wanted, "", wanted.body)).status, Status::kPreconditionFailed);
  fault("unreachable\n");
  EXPECT_EQ(target->ProbeTarget().error().code, ErrorCode::kUnavailable);
  fault("unreadable account * edge-ftp one\n");
  EXPECT_EQ(Read(*target, wanted.kind, wanted.key).answer, Answer::kUnreadable);
  fault("silent-short account 0\nlose-sentinel grant\n");
  Seen seen;
  const auto scopes = target->Enumerate({}, seen);
  ASSERT_TRUE(scopes.has_value());
  EXPECT_TRUE(seen.keys.empty());
  for (const object::ScopeStatus& scope : *scopes) {
    EXPECT_NE(scope.kind, Kind::kAccount);
    EXPECT_EQ(scope.sentinel_seen, scope.kind != Kind::kGrant);
  }
  fault("no such fault\n");
  EXPECT_THAT(target->ProbeTarget().error().message, HasSubstr("line 1 is not a fault"));
}

TEST_F(MemoryDetails, HandMadeChangesAreChecked) {
  const auto refused = [&](std::vector<std::string> words) {
    words.insert(words.begin(), file_);
    const auto done = Edit(words);
    return !done && done.error().code == ErrorCode::kInvalid;
  };
  EXPECT_TRUE(refused({"set"}));
  EXPECT_TRUE(refused({"set", "acount", "a", "b"}));
  EXPECT_TRUE(refused({"set", "account", "edge-ftp"}));
  EXPECT_TRUE(refused({"set", "account", "edge-ftp", "a", "hmoe=/x"}));
  EXPECT_TRUE(refused({"set", "account", "edge-ftp", "a", "enabled=maybe"}));
  EXPECT_TRUE(refused({"rename", "account", "edge-ftp", "a", "edge-ftp", "b"}));
  Hand({"--by", "mallory", "set", "account", "edge-ftp", "a", "enabled=false", "comment=x y"});
  EXPECT_THAT(*Dump(file_), HasSubstr("enabled: false comment: \"x y\""));
  EXPECT_THAT(*Dump(file_), HasSubstr("by=mallory"));
  Hand({"unset", "account", "edge-ftp", "a", "comment"});
  Hand({"rename", "account", "edge-ftp", "a", "edge-ftp", "b"});
  EXPECT_THAT(*Dump(file_), HasSubstr("edge-ftp/b"));
  EXPECT_EQ(Dump(file_)->find("comment"), std::string::npos);
}

TEST_F(MemoryDetails, AFolderThatIsNotThereIsUnavailable) {
  config_.mutable_host()->set_address("memory:" + scratch_.File("no/such/folder/world"));
  EXPECT_EQ(OpenTarget(config_, {}).error().code, ErrorCode::kUnavailable);
  config_.mutable_host()->set_address("local:");
  EXPECT_EQ(OpenTarget(config_, {}).error().code, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace postern::memory
