// What an observation may conclude from what a target says, and where secrets come from.
#include "core/observe/observe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "schemas/kinds.pb.h"
#include "tests/unit/access/objects.h"

namespace postern::observe {
namespace {

namespace fs = std::filesystem;
using namespace testing_objects;  // NOLINT
using object::Answer;
using object::Kind;
using testing::HasSubstr;

// Lists some objects, and may know of more when it is asked for them by name.
class Short final : public object::Target {
 public:
  std::vector<object::Object> listed, hidden;
  bool unreadable = false, mute = false, fails = false;
  std::vector<object::ScopeStatus> more_scopes;
  std::vector<object::KnownKey>* asked = nullptr;  // by id

  Result<object::Probe> ProbeTarget() override { return object::Probe{}; }
  Result<std::vector<object::ScopeStatus>> Enumerate(std::span<const Kind>,
                                                     object::ObjectSink& sink) override {
    if (fails) return Fail(ErrorCode::kUnavailable, "gone");
    for (const auto& object : listed) sink.Add(object.view());
    std::vector<object::ScopeStatus> scopes = more_scopes;
    scopes.push_back({Kind::kAccount, "ftp", true, "", listed.size(), true});
    return scopes;
  }
  Result<std::vector<object::ReadAnswer>> ReadKnown(
      std::span<const object::KnownKey> known) override {
    if (asked != nullptr) asked->insert(asked->end(), known.begin(), known.end());
    return Target::ReadKnown(known);
  }
  Result<std::vector<object::ReadAnswer>> Read(std::span<const object::ObjectKey> keys) override {
    std::vector<object::ReadAnswer> answers;
    for (const auto& key : keys) {
      object::ReadAnswer answer;
      answer.answer = unreadable ? Answer::kUnreadable : Answer::kAbsent;
      answer.reason = "busy";
      answer.object.kind = key.kind;
      answer.object.key = key.key;
      for (const auto& object : hidden) {
        if (object.key != key.key) continue;
        answer.answer = Answer::kValue;
        answer.object = object;
      }
      if (!mute) answers.push_back(answer);
    }
    return answers;
  }
  Result<void> Apply(std::span<const object::OperationGroup>, const object::Secrets&,
                     object::OutcomeSink&) override {
    return {};
  }
};

ObservedTarget ObserveOne(std::unique_ptr<Short> target, const std::vector<object::Object>& known,
                          const Progress& progress = {}) {
  Known keys;
  for (const auto& object : known) {
    keys["host:edge"].push_back({object.kind, object.key, object.body, object.id});
  }
  std::vector<OpenTarget> targets(1);
  targets[0].name = "host:edge";
  targets[0].target = std::move(target);
  return std::move(Observe(targets, keys, progress).targets[0]);
}

TEST(Observe, BelievesAConfirmedAbsence) {
  auto target = std::make_unique<Short>();
  target->listed = {Account("a")};
  const auto observed = ObserveOne(std::move(target), {Account("a"), Account("gone")});
  EXPECT_TRUE(observed.reached);
  EXPECT_TRUE(observed.Scope(Kind::kAccount, "ftp")->complete);
}

TEST(Observe, FindsAListingThatWasShort) {
  auto target = std::make_unique<Short>();
  target->listed = {Account("a")};
  target->hidden = {Account("b")};
  const auto observed = ObserveOne(std::move(target), {Account("a"), Account("b")});
  EXPECT_FALSE(observed.Scope(Kind::kAccount, "ftp")->complete);
  EXPECT_NE(observed.objects.Find(Kind::kAccount, Account("b").key), nullptr);
}

TEST(Observe, ConcludesNothingFromAnUnreadableObject) {
  auto target = std::make_unique<Short>();
  target->unreadable = true;
  const auto observed = ObserveOne(std::move(target), {Account("b")});
  EXPECT_FALSE(observed.Scope(Kind::kAccount, "ftp")->complete);
  EXPECT_THAT(observed.Scope(Kind::kAccount, "ftp")->reason, HasSubstr("busy"));
}

TEST(Observe, DoesNotTakeAMissingAnswerForAnAbsence) {
  auto target = std::make_unique<Short>();
  target->mute = true;
  EXPECT_FALSE(ObserveOne(std::move(target), {Account("b")}).reached);
}

object::Object IamUser(const std::string& name, const std::string& id) {
  kinds::IamUser user;
  user.set_user_name(name);
  object::Object object = object::Encode(user);
  object.id = id;
  return object;
}

std::unique_ptr<Short> IamSystem(std::vector<object::KnownKey>* asked) {
  auto target = std::make_unique<Short>();
  target->more_scopes = {{Kind::kIamUser, "", true, "", 0, true}};
  target->asked = asked;
  return target;
}

TEST(Observe, AsksByTheIdsThatAreRecorded) {
  std::vector<object::KnownKey> asked;
  auto target = IamSystem(&asked);
  target->listed = {IamUser("ann", "1"), IamUser("bea.new", "2")};
  const auto observed =
      ObserveOne(std::move(target), {IamUser("ann", "1"), IamUser("bea", "2"), IamUser("cid", "3"),
                                     IamUser("cid", "4"), IamUser("dan", "")});
  EXPECT_TRUE(observed.Scope(Kind::kIamUser, "")->complete);
  std::vector<std::string> ids;
  for (const auto& one : asked) ids.push_back(one.key.key + "#" + one.id);
  EXPECT_THAT(ids, testing::ElementsAre("cid#3", "cid#4", "dan#"))
      << "bea is listed, under another name";
}

// Who had the name may be there by another.
TEST(Observe, AsksForWhomAnotherHasReplaced) {
  std::vector<object::KnownKey> asked;
  auto target = IamSystem(&asked);
  target->listed = {IamUser("ann", "9")};
  ObserveOne(std::move(target), {IamUser("ann", "1")});
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].id, "1");
}

TEST(Observe, AsksNoFurtherWhereOneIsNotAnsweredFor) {
  std::vector<object::KnownKey> asked;
  std::vector<object::Object> known;
  for (int n = 1000; n < 2200; ++n) known.push_back(IamUser(std::to_string(n), std::to_string(n)));
  ASSERT_TRUE(ObserveOne(IamSystem(&asked), known).Scope(Kind::kIamUser, "")->complete);
  EXPECT_EQ(asked.size(), known.size());
  asked.clear();
  auto target = IamSystem(&asked);
  target->unreadable = true;
  const auto observed = ObserveOne(std::move(target), known);
  EXPECT_FALSE(observed.Scope(Kind::kIamUser, "")->complete);
  EXPECT_LT(asked.size(), known.size() / 2) << "the server may be gone";
}

TEST(Observe, SaysHowFarItIs) {
  std::vector<object::KnownKey> asked;
  std::vector<object::Object> known;
  for (int n = 1000; n < 2200; ++n) known.push_back(IamUser(std::to_string(n), std::to_string(n)));
  std::vector<uint64_t> steps;
  ObserveOne(IamSystem(&asked), known, [&](const std::string&, const Seen& seen) {
    if (seen.doubtful == known.size()) steps.push_back(seen.asked);
  });
  EXPECT_THAT(steps, testing::ElementsAre(500u, 1000u, 1200u));
}

// One entry of a directory, as listed with or without a field.
object::Object User(const std::string& mail) {
  kinds::User user;
  user.set_dn("uid=ann,ou=people,dc=x");
  if (!mail.empty()) user.mutable_mail()->add_values(mail);
  return object::Encode(user);
}

TEST(Observe, AsksForAnEntryThatIsNotAsRecorded) {
  auto target = std::make_unique<Short>();
  target->listed = {User("")};
  target->hidden = {User("")};
  target->hidden[0].unreadable = uint64_t{1} << 7;
  const auto observed = ObserveOne(std::move(target), {User("ann@x")});
  ASSERT_TRUE(observed.reached) << observed.error.message;
  ASSERT_EQ(observed.objects.all().size(), 1u);
  EXPECT_EQ(observed.objects.all()[0].unreadable, uint64_t{1} << 7);
}

TEST(Observe, AsksNotForAnEntryThatIsAsRecordedOrKnownToBeHidden) {
  for (const bool marked : {false, true}) {
    auto target = std::make_unique<Short>();
    target->mute = true;  // a read would end the observation
    target->listed = {User(marked ? "" : "ann@x")};
    if (marked) target->listed[0].unreadable = uint64_t{1} << 7;
    EXPECT_TRUE(ObserveOne(std::move(target), {User("ann@x")}).reached) << marked;
  }
}

TEST(Observe, OneDeadTargetStopsNoOther) {
  std::vector<OpenTarget> targets(3);
  targets[0].name = "host:b";
  targets[0].target = std::make_unique<Short>();
  targets[1].name = "host:a";
  targets[1].error = {ErrorCode::kUnavailable, "no provider"};
  targets[2].name = "host:c";
  auto dead = std::make_unique<Short>();
  dead->fails = true;
  targets[2].target = std::move(dead);
  const Observed observed = Observe(targets, {});
  EXPECT_EQ(observed.targets[0].name, "host:a");
  EXPECT_EQ(observed.targets[0].error.message, "no provider");
  EXPECT_TRUE(observed.Find("host:b")->reached);
  EXPECT_FALSE(observed.Find("host:c")->reached);
}

TEST(ScopeOf, TakesTheLongestBase) {
  std::vector<object::ScopeStatus> scopes(3);
  for (auto& scope : scopes) scope.kind = Kind::kUser;
  scopes[0].scope = "dc=x";
  scopes[1].scope = "ou=p,dc=x";
  scopes[2].scope = "u=p,dc=x";  // ends alike, holds nothing of ou=p
  EXPECT_EQ(ScopeOf(Kind::kUser, "uid=a,ou=p,dc=x", scopes), "ou=p,dc=x");
  EXPECT_EQ(ScopeOf(Kind::kUser, "uid=a,dc=x", scopes), "dc=x");
  EXPECT_EQ(ScopeOf(Kind::kAccount, Account("a").key, scopes), "ftp");
}

TEST(SecretStore, FollowsTheOperatorsTablesOnly) {
  std::string folder = (fs::temp_directory_path() / "postern-observe-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  fs::create_directories(folder + "/sub");
  std::ofstream(folder + "/sub/one") << "value\n";
  std::ofstream(folder + "/one") << "not for you\n";
  config::Declarations declarations;
  declarations.secrets.resize(1);
  decl::Secret& secret = declarations.secrets[0].message;
  secret.set_name("acme-*");
  secret.set_from("file:" + folder + "/sub/*");
  secret.mutable_targets()->add_values("host:edge");
  const SecretStore store(&declarations);
  const auto found = store.Find("acme-one", "host:edge");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(*found, "value");
  for (const auto& [name, target] :
       {std::pair{"acme-one", "host:other"}, std::pair{"acme-two", "host:edge"},
        std::pair{"other", "host:edge"}, std::pair{"acme-../one", "host:edge"}}) {
    const auto refused = store.Find(name, target);
    ASSERT_FALSE(refused) << name;
    EXPECT_THAT(refused.error().message, Not(HasSubstr("not for you")));
  }
  fs::remove_all(folder);
}

}  // namespace
}  // namespace postern::observe
