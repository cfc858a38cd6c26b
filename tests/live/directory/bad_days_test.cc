// What happens between a request and its answer: answers that are lost, other writers, and a server
// that falls silent inside a message.
#include <fmt/format.h>
#include <ldap.h>

#include "tests/live/directory/proxy.h"
#include "tests/live/directory/world.h"

namespace postern::directory {
namespace {

using testing::HasSubstr;
using Fate = LdapProxy::Fate;

// A world whose target reaches slapd through a proxy.
struct FarWorld : World {
  FarWorld(const Slapd::Options& options, LdapProxy::Hook hook)
      : World(options), proxy(slapd.port(), std::move(hook)) {
    decl::Directory declared = Declare(slapd);
    declared.set_url(proxy.url());
    Connect(declared);
  }
  LdapProxy proxy;
};

// Cuts the connection at the first message of this operation.
LdapProxy::Hook CutOnce(unsigned operation) {
  return [operation, done = false](unsigned seen, std::string&) mutable {
    if (seen != operation || done) return Fate::kPass;
    done = true;
    return Fate::kCut;
  };
}

Slapd::Options People() {
  return {.ldif = Slapd::PersonLdif("ann", "description: one\n") + "dn: " + GroupDn("ops") +
                  "\nobjectClass: groupOfNames\ncn: ops\nmember: " + PersonDn("ann") + "\n\n"};
}

Operation Describe(const std::string& from, const std::string& to) {
  kinds::User before, after;
  before.set_dn(PersonDn("ann"));
  before.set_description(from);
  after.set_dn(PersonDn("ann"));
  after.set_description(to);
  return Change(before, after);
}

Operation Rename() {
  kinds::User before, after;
  before.set_dn(PersonDn("ann"));
  after.set_dn(PersonDn("anna"));
  after.set_uid("anna");
  Operation rename = Change(before, after);
  rename.new_key = object::EncodeKey(after);
  return rename;
}

kinds::User WithPassword() {
  kinds::User user = MakeUser("bob");
  user.set_password("secret:first");
  return user;
}

Operation Forget() {
  kinds::User user;
  user.set_dn(PersonDn("ann"));
  return Remove(user);
}

struct LostCase {
  std::string name;
  unsigned request, answer;
  Operation (*operation)();
};

// Whether the request or its answer is lost: a read tells, and the work is done once.
class LostAnswer : public testing::TestWithParam<std::tuple<LostCase, bool>> {};

TEST_P(LostAnswer, IsDecidedByARead) {
  const auto& [lost, answer] = GetParam();
  FarWorld world(People(), CutOnce(answer ? lost.answer : lost.request));
  const Operation operation = lost.operation();
  const Outcome outcome = world.Apply(operation);
  ASSERT_EQ(outcome.status, Status::kApplied) << outcome.message;
  EXPECT_EQ(outcome.live.answer, operation.after.empty() ? Answer::kAbsent : Answer::kValue);
  if (!operation.after.empty() && !operation.before.empty()) {
    EXPECT_TRUE(object::Satisfies(operation.kind, operation.after, outcome.live.object.body));
  }
  EXPECT_EQ(world.proxy.Count(lost.request), 1) << "done twice";
  // A password is set whenever it is named; all else is done once and for all.
  const bool password = lost.name == "NewUserWithPassword";
  EXPECT_EQ(world.Apply(operation).status, password ? Status::kApplied : Status::kAlreadySo);
  if (password) {
    EXPECT_TRUE(world.slapd.CanBind(PersonDn("bob"), "first-pw-1"));
  }
}

const LostCase kLostCases[] = {
    {"Add", LDAP_REQ_ADD, LDAP_RES_ADD, [] { return Create(MakeUser("bob")); }},
    {"Modify", LDAP_REQ_MODIFY, LDAP_RES_MODIFY, [] { return Describe("one", "two"); }},
    {"Delete", LDAP_REQ_DELETE, LDAP_RES_DELETE, Forget},
    {"Rename", LDAP_REQ_MODRDN, LDAP_RES_MODRDN, Rename},
    {"Member", LDAP_REQ_MODIFY, LDAP_RES_MODIFY,
     [] { return Create(MakeMember(GroupDn("ops"), PersonDn("bob"))); }},
    {"NewUserWithPassword", LDAP_REQ_ADD, LDAP_RES_ADD, [] { return Create(WithPassword()); }},
};
INSTANTIATE_TEST_SUITE_P(Each, LostAnswer,
                         testing::Combine(testing::ValuesIn(kLostCases), testing::Bool()),
                         [](const auto& info) {
                           return std::get<0>(info.param).name +
                                  (std::get<1>(info.param) ? "Answer" : "Request");
                         });

TEST(DirectoryBadDays, PasswordAnswerIsLost) {
  // The bind and "who am I" are extended operations as well: cut at the one after the user is
  // there.
  bool added = false, done = false;
  FarWorld world(People(), [&](unsigned seen, std::string&) {
    added |= seen == LDAP_RES_ADD;
    if (!added || done || seen != LDAP_RES_EXTENDED) return Fate::kPass;
    done = true;
    return Fate::kCut;
  });
  const Outcome outcome = world.Apply(Create(WithPassword()));
  EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
  EXPECT_TRUE(done);
  EXPECT_TRUE(world.slapd.CanBind(PersonDn("bob"), "first-pw-1"));
}

TEST(DirectoryBadDays, ThousandWritesLoseTheirConnectionInTheMiddle) {
  int answers = 0;
  FarWorld world({}, [&](unsigned seen, std::string&) {
    return seen == LDAP_RES_ADD && ++answers == 500 ? Fate::kCut : Fate::kPass;
  });
  std::vector<Operation> users;
  for (int i = 0; i < 1000; ++i) users.push_back(Create(MakeUser(fmt::format("u{}", i))));
  for (const auto& [id, outcome] : world.Apply(users)) {
    ASSERT_EQ(outcome.status, Status::kApplied) << id << ": " << outcome.message;
  }
  EXPECT_EQ(world.All().all.size(), 1002u);
}

TEST(DirectoryBadDays, RequestThatNeverArrivesIsUnknownInTheEnd) {
  FarWorld world(People(), [](unsigned seen, std::string&) {
    return seen == LDAP_REQ_MODIFY ? Fate::kCut : Fate::kPass;
  });
  const auto outcomes =
      world.Apply({Describe("one", "two"), Create(MakeMember(GroupDn("ops"), PersonDn("bob")))});
  for (const auto& [id, outcome] : outcomes) {
    EXPECT_EQ(outcome.status, Status::kUnknown) << id;
    EXPECT_THAT(outcome.message, HasSubstr("connection was lost"));
  }
  EXPECT_EQ(object::DecodeAs<kinds::User>(outcomes.at(1).live.object.body).description(), "one");
}

TEST(DirectoryBadDays, ServerThatDiesAfterTheWriteLeavesItUnknown) {
  Slapd* server = nullptr;
  FarWorld world(People(), [&](unsigned seen, std::string&) {
    if (seen != LDAP_RES_MODIFY) return Fate::kPass;
    server->process().Signal(SIGKILL);
    return Fate::kCut;
  });
  server = &world.slapd;
  const auto outcomes =
      world.Apply({Describe("one", "two"), Create(MakeMember(GroupDn("ops"), PersonDn("bob")))});
  // Of the group nothing is known at all, or nothing was sent: never "applied".
  EXPECT_EQ(outcomes.at(1).status, Status::kUnknown) << outcomes.at(1).message;
  EXPECT_NE(outcomes.at(2).status, Status::kApplied) << outcomes.at(2).message;
  EXPECT_EQ(outcomes.at(1).live.answer, Answer::kUnreadable);
}

// Somebody else writes between our read and our write.
class OtherWriter : public testing::TestWithParam<bool> {
 protected:
  // Another hand writes one attribute of ann while our first modify is on its way.
  void Interfere(const std::string& attribute, const std::string& value) {
    Slapd::Options options = People();
    if (!GetParam()) {  // a server that has no assertion control
      options.global_access = {
          R"(access to dn.base="" attrs=supportedControl val.regex="^1\.3\.6\.1\.1\.12$" by * none)"};
    }
    const std::string change = "dn: " + PersonDn("ann") +
                               "\nchangetype: modify\nreplace: " + attribute + "\n" + attribute +
                               ": " + value + "\n";
    world_.emplace(options, [this, change](unsigned seen, std::string&) {
      if (seen == LDAP_REQ_MODIFY && !changed_) {
        changed_ = true;
        world_->slapd.Modify(change);
      }
      return Fate::kPass;
    });
  }
  FarWorld& world() { return *world_; }
  bool changed() const { return changed_; }

 private:
  bool changed_ = false;
  std::optional<FarWorld> world_;
};

TEST_P(OtherWriter, IsNeverOverwritten) {
  Interfere("description", "three");
  const auto probe = world().target->ProbeTarget();
  ASSERT_TRUE(probe) << probe.error().message;
  EXPECT_EQ(probe->concurrency.at(Kind::kUser), GetParam() ? "native CAS" : "value CAS");
  const Outcome outcome = world().Apply(Describe("one", "two"));
  EXPECT_TRUE(changed());
  EXPECT_EQ(outcome.status, Status::kPreconditionFailed);
  EXPECT_THAT(outcome.message, HasSubstr("\"three\" and not \"one\""));
  EXPECT_EQ(world().proxy.Count(LDAP_REQ_MODIFY), 1);
  EXPECT_THAT(world().slapd.Search(PersonDn("ann"), "(objectClass=*)", {"description"}),
              HasSubstr("description: three"));
}

TEST_P(OtherWriter, OfAnotherFieldDoesNotStopUs) {
  Interfere("givenName", "Ann");
  const Outcome outcome = world().Apply(Describe("one", "two"));
  EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
  const auto live = object::DecodeAs<kinds::User>(outcome.live.object.body);
  EXPECT_EQ(live.description(), "two");
  EXPECT_EQ(live.given_name(), "Ann");
}
INSTANTIATE_TEST_SUITE_P(Server, OtherWriter, testing::Bool(), [](const auto& info) {
  return info.param ? "WithAssertions" : "WithoutAssertions";
});

TEST(DirectoryBadDays, ServerThatStopsInsideAMessageIsIncompleteInTime) {
  std::string big = "dn: " + GroupDn("big") + "\nobjectClass: groupOfNames\ncn: big\n";
  for (int i = 0; i < 5000; ++i) big += "member: " + PersonDn(fmt::format("u{}", i)) + "\n";
  FarWorld world({.ldif = big + "\n"}, [](unsigned seen, std::string& message) {
    return seen == LDAP_RES_SEARCH_ENTRY && message.size() > 100'000 ? Fate::kHalf : Fate::kPass;
  });
  decl::Directory declared = Declare(world.slapd);
  declared.set_url(world.proxy.url());
  auto opened = Open(declared, kSecrets, {.stall = std::chrono::milliseconds(700)});
  ASSERT_TRUE(opened);
  world.target = std::move(*opened);
  Collector collector;
  const auto begin = std::chrono::steady_clock::now();
  const auto scopes = world.target->Enumerate({}, collector);
  ASSERT_TRUE(scopes);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  for (const auto& scope : *scopes) {
    if (scope.scope != Slapd::kGroups) continue;
    EXPECT_FALSE(scope.complete);
    EXPECT_THAT(scope.reason, HasSubstr("didn't answer in time"));
  }
}

TEST(DirectoryBadDays, EntryThatCannotBeDecodedIsNotTakenForOneWithoutTheField) {
  FarWorld world(People(), [](unsigned seen, std::string& message) {
    const size_t mail = message.find("mail");
    // Where the set of values begins (RFC 4511 §4.1.7) stands another type.
    if (seen == LDAP_RES_SEARCH_ENTRY && mail != std::string::npos) message[mail + 4] = '\x30';
    return Fate::kPass;
  });
  Collector collector;
  const auto scopes = world.target->Enumerate({}, collector);
  ASSERT_TRUE(scopes);
  EXPECT_EQ(collector.Find(Kind::kUser, PersonDn("ann")), nullptr);
  for (const auto& scope : *scopes) {
    if (scope.scope != Slapd::kPeople) continue;
    EXPECT_FALSE(scope.complete);
    EXPECT_THAT(scope.reason, HasSubstr("1 entry could not be decoded"));
  }
  EXPECT_EQ(world.Read(Kind::kUser, PersonDn("ann")).answer, Answer::kUnreadable);
  EXPECT_EQ(world.Apply(Describe("one", "two")).status, Status::kDenied);
}

}  // namespace
}  // namespace postern::directory
