// Writes of users, groups and OAuth clients. Facts: iam-governance 1.3, 1.5 (4 to 8, 10).
#include "tests/live/iam/otds/world.h"

namespace postern::iam {
namespace {

using testing::HasSubstr;
using testing::Not;

class OtdsApply : public OtdsTest {
 protected:
  std::string StateOf(const std::string& guess) {
    const auto probe = target().ProbeTarget();
    EXPECT_TRUE(probe) << probe.error().message;
    for (const object::Setting& setting : probe->settings) {
      if (setting.name == guess) return setting.value;
    }
    return "no such setting";
  }
  static kinds::OauthClient Client(const std::string& id, const std::string& secret) {
    kinds::OauthClient client;
    client.set_client_id(id);
    client.set_confidential(true);
    if (!secret.empty()) client.set_secret(secret);
    return client;
  }
  int TokenStatus(const std::string& client, const std::string& secret) {
    return support::Ask({.method = "POST",
                         .url = Server().url() + "/otdsws/oauth2/token",
                         .headers = {"Content-Type: application/x-www-form-urlencoded"},
                         .body = "grant_type=client_credentials&client_id=" + client +
                                 "&client_secret=" + secret})
        .status;
  }
};

TEST_F(OtdsApply, AChangeIsAsNarrowAsWhatChanges) {
  auto user = User("corp000001@Corp", "Editor");
  ASSERT_EQ(Put(user).status, Status::kApplied);
  const auto bodies = Bodies("PATCH", "/users/");
  ASSERT_EQ(bodies.size(), 1u);
  EXPECT_EQ(bodies[0], (json{{"userPartitionID", "Corp"},
                             {"values", {{{"name", "title"}, {"values", {"Editor"}}}}}}));
  EXPECT_EQ(Put(user).status, Status::kAlreadySo);
  EXPECT_EQ(Bodies("PATCH", "/users/").size(), 1u);
}

// Trap 4: no compare-and-set. What another hand changed since the plan isn't written over.
TEST_F(OtdsApply, ReadsComparesWritesAndReadsAgain) {
  const auto user = User("corp000001@Corp", "Editor");
  const object::Operation planned = Operation(user);
  Server().Control("PATCH", "/users/corp000001%40Corp",
                   {{"values", {{{"name", "sn"}, {"values", {"Otherwise"}}}}}});
  const object::Outcome outcome = Apply({planned}).front();
  EXPECT_EQ(outcome.status, Status::kPreconditionFailed);
  EXPECT_THAT(outcome.message, HasSubstr("family_name is \"Otherwise\""));
  EXPECT_TRUE(Bodies("PATCH", "/users/").empty());
  const auto probe = target().ProbeTarget();
  for (const auto& [kind, how] : probe->concurrency) EXPECT_EQ(how, "verify-then-write");
  EXPECT_EQ(probe->concurrency.size(), 7u);
}

TEST_F(OtdsApply, SynchronizedPartitionsAreNeverWritten) {
  auto user = User("ad000001@AD", "Editor");
  const object::Outcome changed = Put(user);
  EXPECT_EQ(changed.status, Status::kDenied);
  EXPECT_THAT(changed.message, HasSubstr("synchronized"));
  EXPECT_EQ(Put(User("new@AD")).status, Status::kDenied);
  EXPECT_EQ(Remove(User("ad000001@AD")).status, Status::kDenied);
  Server().Control("POST", "/groups", {{"partition", "AD"}, {"name", "staff"}});
  EXPECT_EQ(AddMember("group:staff@AD", "user:corp000001@Corp").status, Status::kDenied);
  EXPECT_TRUE(Requests("PATCH").empty());
  EXPECT_TRUE(Requests("DELETE").empty());
  EXPECT_EQ(Requests("POST").size(), 1u) << "the token alone";
  // Its users may be in groups of other partitions: those aren't synchronized.
  EXPECT_EQ(AddMember("group:group 000@Corp", "user:ad000001@AD").status, Status::kApplied);
}

// What can't be told stays unwritten, with the reason: no such list, profiles that don't say at a
// place where one would look which partition they fill, and an empty list that the users belie.
TEST_F(OtdsApply, WhereItIsUnconfirmedWhoIsSynchronizedNothingIsWritten) {
  Server().Control("POST", "/groups", {{"partition", "AD"}, {"name", "staff"}});
  for (const auto& [form, why] : std::map<std::string, std::string>{
           {"missing", "404"}, {"nested", "names no partition"}, {"empty", "originUUID"}}) {
    Server().Set("profiles", form);
    Open();
    for (const char* login : {"ad000001@AD", "corp000001@Corp"}) {
      const object::Outcome outcome = Put(User(login, "Editor"));
      EXPECT_EQ(outcome.status, Status::kDenied) << form;
      EXPECT_THAT(outcome.message,
                  testing::AllOf(HasSubstr("unconfirmed on this server"), HasSubstr(why)));
    }
    EXPECT_EQ(Put(User("new@AD")).status, Status::kDenied) << form;
    EXPECT_EQ(Remove(User("ad000001@AD")).status, Status::kDenied) << form;
    EXPECT_EQ(AddMember("group:staff@AD", "user:corp000001@Corp").status, Status::kDenied) << form;
    EXPECT_EQ(StateOf("synchronized partitions"), "refuted") << form;
    EXPECT_FALSE(CheckNamed("partitions").ok) << form;
  }
  for (const char* method : {"PATCH", "PUT", "DELETE"}) {
    EXPECT_THAT(Requests(method), testing::IsEmpty());
  }
  EXPECT_THAT(Requests("POST"), testing::Each(HasSubstr("/oauth2/token"))) << "nothing is sent";
}

// A server may have no such partition: then its list is empty, and no user speaks against that. The
// doctor says what it stands on.
TEST_F(OtdsApply, AnEmptyListIsBelievedWhereNoUserComesFromElsewhere) {
  Server().Set("profiles", "empty");
  declared().mutable_manage()->mutable_partitions()->clear_values();
  declared().mutable_manage()->mutable_partitions()->add_values("Corp");
  declared().mutable_manage()->mutable_partitions()->add_values("Partners");
  EXPECT_EQ(Put(User("corp000001@Corp", "Editor")).status, Status::kApplied);
  EXPECT_EQ(StateOf("synchronized partitions"), "confirmed");
  const object::Check check = CheckNamed("partitions");
  EXPECT_TRUE(check.ok);
  EXPECT_THAT(check.found,
              HasSubstr("the list is empty, and of 22 users that were looked at none"));
  Server().Set("profiles", "list");
  EXPECT_THAT(CheckNamed("partitions").found, testing::Not(HasSubstr("empty")));
}

// A profile of a partition that isn't managed is understood, too: it names one that exists.
TEST_F(OtdsApply, AProfileOfAnotherPartitionIsUnderstood) {
  declared().mutable_manage()->mutable_partitions()->clear_values();
  declared().mutable_manage()->mutable_partitions()->add_values("Corp");
  EXPECT_EQ(Put(User("corp000001@Corp", "Editor")).status, Status::kApplied);
  EXPECT_EQ(StateOf("synchronized partitions"), "confirmed");
  EXPECT_THAT(Requests("GET"), testing::Contains("GET /otdsws/rest/partitions/AD"));
}

// Trap 8 and the rule of guesses: the first such write goes alone, is read back, and confirms.
TEST_F(OtdsApply, DisablingIsUnconfirmedUntilTheFirstOneWasReadBack) {
  EXPECT_EQ(StateOf("disable a user"), "unconfirmed on this server");
  std::vector<object::Operation> operations;
  for (int n = 1; n <= 5; ++n) {
    auto user = User("corp00000" + std::to_string(n) + "@Corp");
    user.set_active(false);
    operations.push_back(Operation(user));
  }
  Server().Control("DELETE", "/requests");
  for (const object::Outcome& outcome : Apply(operations)) {
    EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
    EXPECT_FALSE(object::DecodeAs<kinds::IamUser>(outcome.live.object.body).active());
  }
  // One PATCH, then reads, then the other four.
  const auto requests = Requests();
  const auto is_patch = [](const std::string& request) { return request.starts_with("PATCH"); };
  const auto first = std::find_if(requests.begin(), requests.end(), is_patch);
  ASSERT_NE(first, requests.end());
  EXPECT_FALSE(is_patch(*(first + 1)));
  EXPECT_EQ(StateOf("disable a user"), "confirmed");
}

TEST_F(OtdsApply, AGuessThatDoesNothingIsRefutedAndNotTriedAgain) {
  Server().Set("ignored", "accountDisabled");
  auto user = User("corp000001@Corp");
  user.set_active(false);
  const object::Outcome first = Put(user);
  EXPECT_EQ(first.status, Status::kDenied);
  EXPECT_THAT(first.message, HasSubstr("doesn't keep it"));
  EXPECT_EQ(StateOf("disable a user"), "refuted");
  Server().Control("DELETE", "/requests");
  user.set_user_name("corp000002@Corp");
  const object::Outcome second = Put(user);
  EXPECT_EQ(second.status, Status::kDenied);
  EXPECT_THAT(second.message, HasSubstr("doesn't work on this server"));
  EXPECT_TRUE(Requests("PATCH").empty());
  const auto probe = target().ProbeTarget();
  bool unsupported = false;
  for (const object::Capability& capability : probe->capabilities) {
    unsupported |= capability.field == "active" && capability.kind == "iam_user" &&
                   capability.support == "unsupported";
  }
  EXPECT_TRUE(unsupported);
}

// Which status a server without such a call answers with is assumed, too: any of these is a no.
TEST_F(OtdsApply, ARefusedGuessIsRefutedAndNotTriedAgain) {
  secrets_["s"] = "secret-of-a-client";
  for (const int status : {400, 404, 405, 501}) {
    Open();
    ASSERT_NE(Put(Client("batch", "secret:s")).status, Status::kDenied);
    Server().Control("DELETE", "/requests");
    Server().Fault({{"kind", "refused"}, {"status", status}, {"method", "DELETE"}});
    const object::Outcome first = Remove(Client("batch", ""));
    EXPECT_EQ(first.status, Status::kDenied) << status;
    EXPECT_EQ(first.live.answer, Answer::kValue) << "it is still there";
    EXPECT_THAT(first.message, HasSubstr(std::to_string(status)));
    EXPECT_EQ(StateOf("delete an OAuth client"), "refuted") << status;
    const object::Outcome second = Remove(Client("batch", ""));
    EXPECT_EQ(second.status, Status::kDenied);
    EXPECT_THAT(second.message, HasSubstr("doesn't work on this server"));
    EXPECT_EQ(Requests("DELETE").size(), 1u) << status << ": the first alone";
  }
}

// A server that is out of order says nothing about the call: it is sent again.
TEST_F(OtdsApply, ATroubleIsNoRefutation) {
  secrets_["s"] = "secret-of-a-client";
  ASSERT_EQ(Put(Client("batch", "secret:s")).status, Status::kApplied);
  Server().Fault({{"kind", "refused"}, {"status", 500}, {"method", "DELETE"}});
  EXPECT_EQ(Remove(Client("batch", "")).status, Status::kApplied);
  EXPECT_EQ(Requests("DELETE").size(), 2u);
  EXPECT_EQ(StateOf("delete an OAuth client"), "confirmed");
}

// An answer says no, and the read that follows says that it is done: the read decides.
TEST_F(OtdsApply, ARefusalOfWhatWasDoneIsNoRefutation) {
  secrets_["s"] = "secret-of-a-client";
  ASSERT_EQ(Put(Client("batch", "secret:s")).status, Status::kApplied);
  Server().Fault({{"kind", "status"}, {"status", 405}, {"method", "DELETE"}});
  EXPECT_EQ(Remove(Client("batch", "")).status, Status::kApplied) << "the fault comes after";
  EXPECT_EQ(StateOf("delete an OAuth client"), "confirmed");
}

// Trap 6: a create that fails is decided by a read.
TEST_F(OtdsApply, ADuplicateThatIsOursAndEqualIsDone) {
  const auto user = User("twice@Corp", "Editor");
  for (const int duplicate : {409, 400, 500}) {
    Server().Set("duplicate_status", duplicate);
    object::Operation create = Operation(user);
    create.before.clear();
    create.expect_id.clear();
    // Somebody creates it between our read and our write: the first read says "absent".
    Server().Control("POST", "/users",
                     {{"partition", "Corp"},
                      {"name", "twice"},
                      {"values", {{{"name", "title"}, {"values", {"Editor"}}}}}});
    Server().Fault(
        {{"kind", "status"}, {"status", 404}, {"method", "GET"}, {"path", "/users/twice"}});
    const object::Outcome outcome = Apply({create}).front();
    EXPECT_TRUE(outcome.status == Status::kApplied || outcome.status == Status::kAlreadySo)
        << duplicate << ": " << outcome.message;
    EXPECT_EQ(outcome.live.answer, Answer::kValue);
    ASSERT_EQ(Remove(user).status, Status::kApplied);
    Server().Set("recycled_names", "free");
  }
}

// The recycle bin keeps names taken: nobody is shown, and the name isn't free.
TEST_F(OtdsApply, ACreateThatMeetsARecycledObjectIsTold) {
  const auto user = User("gone@Corp", "Editor");
  ASSERT_EQ(Put(user).status, Status::kApplied);
  ASSERT_EQ(Remove(user).status, Status::kApplied);
  EXPECT_THAT(Server().Control("GET", "/recycled").dump(), HasSubstr("gone@Corp"));
  const object::Outcome outcome = Put(user);
  EXPECT_EQ(outcome.status, Status::kDenied);
  EXPECT_THAT(outcome.message, HasSubstr("recycle bin"));
  EXPECT_EQ(outcome.live.answer, Answer::kAbsent);
}

// A write whose answer was lost is decided by a read; one that never arrived is written again.
TEST_F(OtdsApply, LostAnswers) {
  for (const char* cut : {"cut-after", "cut-before"}) {
    const auto user = User(std::string(cut) + "@Corp", "Editor");
    Server().Fault({{"kind", cut}, {"method", "POST"}, {"path", "/rest/users"}});
    const object::Outcome created = Put(user);
    EXPECT_EQ(created.status, Status::kApplied) << cut << ": " << created.message;
    auto changed = user;
    changed.set_title("Publisher");
    Server().Fault({{"kind", cut}, {"method", "PATCH"}, {"path", "/rest/users"}});
    EXPECT_EQ(Put(changed).status, Status::kApplied) << cut;
    Server().Fault({{"kind", cut}, {"method", "POST"}, {"path", "/members"}});
    EXPECT_EQ(AddMember("group:group 000@Corp", "user:" + user.user_name()).status,
              Status::kApplied);
    Server().Fault({{"kind", cut}, {"method", "POST"}, {"path", "/deletionset"}});
    EXPECT_EQ(RemoveMember("group:group 000@Corp", "user:" + user.user_name()).status,
              Status::kApplied);
    Server().Fault({{"kind", cut}, {"method", "DELETE"}, {"path", "/rest/users"}});
    EXPECT_EQ(Remove(user).status, Status::kApplied) << cut;
  }
}

TEST_F(OtdsApply, AServerThatIsGoneLeavesNothingDone) {
  const auto user = User("corp000001@Corp", "Editor");
  const object::Operation planned = Operation(user);
  Server().Fault({{"kind", "cut-before"}, {"count", 1000}});
  const object::Outcome outcome = Apply({planned}).front();
  EXPECT_EQ(outcome.status, Status::kTransient) << outcome.message;
  EXPECT_EQ(outcome.live.answer, Answer::kUnreadable);
  Server().Control("DELETE", "/faults");
  // Read, and then every write is cut: what became of it isn't known, and a read says it isn't
  // done.
  Server().Fault({{"kind", "cut-before"}, {"method", "PATCH"}, {"count", 1000}});
  EXPECT_EQ(Apply({planned}).front().status, Status::kTransient);
  Server().Control("DELETE", "/faults");
  EXPECT_EQ(Apply({planned}).front().status, Status::kApplied);
}

TEST_F(OtdsApply, WhatOtdsCantHoldIsRefusedByName) {
  auto user = User("corp000001@Corp");
  user.set_cost_center("4711");
  EXPECT_THAT(Put(user).message, HasSubstr("cost_center"));
  kinds::IamGroup group;
  group.set_name("group 000@Corp");
  group.set_external_id("iam_group:zero");
  const object::Outcome outcome = Put(group);
  EXPECT_EQ(outcome.status, Status::kDenied);
  EXPECT_THAT(outcome.message, HasSubstr("external_id"));
  EXPECT_TRUE(Requests("PUT").empty());
}

// A rename is a PUT, which may take away what it doesn't name: all that was read goes along.
TEST_F(OtdsApply, ARenameKeepsWhatWasThere) {
  const auto before = Server().Control("GET", "/users/corp000001%40Corp");
  object::Operation rename = Operation(User("corp000001@Corp"));
  const auto after = User("renamed@Corp");
  rename.after = object::Encode(after).body;
  rename.new_key = object::Encode(after).key;
  const object::Outcome outcome = Apply({rename}).front();
  ASSERT_EQ(outcome.status, Status::kApplied) << outcome.message;
  const auto now = Server().Control("GET", "/users/renamed%40Corp");
  EXPECT_EQ(now["uuid"], before["uuid"]);
  for (const auto& [name, values] : before["values"].items()) {
    EXPECT_EQ(now["values"][name], values) << name;
  }
  rename = Operation(after);
  rename.after = object::Encode(User("renamed@Partners")).body;
  rename.new_key = object::Encode(User("renamed@Partners")).key;
  EXPECT_EQ(Apply({rename}).front().status, Status::kDenied) << "into another partition";
}

// Trap 7: the secret is ours, known before the client is made; an answer's secret is never used.
TEST_F(OtdsApply, AClientsSecretIsOursAndNeverSaid) {
  const std::string secret = "correct-horse-battery";
  EXPECT_EQ(Put(Client("batch", "")).status, Status::kDenied) << "a generated one may be lost";
  secrets_["batch"] = secret;
  const object::Outcome made = Put(Client("batch", "secret:batch"));
  ASSERT_EQ(made.status, Status::kApplied) << made.message;
  EXPECT_THAT(made.live.object.body + made.message + made.live.reason, Not(HasSubstr(secret)));
  EXPECT_EQ(Bodies("POST", "/oauthclients").front()["secret"], secret);
  EXPECT_EQ(TokenStatus("batch", secret), 200);
  EXPECT_EQ(Put(Client("batch", "secret:batch")).status, Status::kAlreadySo)
      << "tried, not written";
  secrets_["batch"] = "another-one-after-rotation";
  EXPECT_EQ(Put(Client("batch", "secret:batch")).status, Status::kApplied);
  EXPECT_EQ(TokenStatus("batch", "another-one-after-rotation"), 200);
  EXPECT_EQ(TokenStatus("batch", secret), 401);
  const Seen seen = See({Kind::kOauthClient});
  EXPECT_FALSE(seen.At<kinds::OauthClient>(Kind::kOauthClient, "batch").has_secret());
}

TEST_F(OtdsApply, AClientWhoseCreationHadNoAnswerHasOurSecret) {
  secrets_["batch"] = "written-again-to-be-sure";
  Server().Fault({{"kind", "cut-after"}, {"method", "POST"}, {"path", "/oauthclients"}});
  ASSERT_EQ(Put(Client("batch", "secret:batch")).status, Status::kApplied);
  EXPECT_EQ(TokenStatus("batch", "written-again-to-be-sure"), 200);
}

TEST_F(OtdsApply, APublicClientIsGivenASecretThatNobodyKnows) {
  kinds::OauthClient client = Client("web", "");
  client.set_confidential(false);
  client.mutable_redirect_urls()->add_values("https://web.example.com/back");
  ASSERT_EQ(Put(client).status, Status::kApplied);
  EXPECT_FALSE(Bodies("POST", "/oauthclients").front()["secret"].get<std::string>().empty())
      << "without one the server makes one up";
}

TEST_F(OtdsApply, ThePolicyIsOnlyObserved) {
  kinds::PasswordPolicy policy;
  policy.set_name("global");
  policy.mutable_rules()->add_values("minimumNumberOfCharacters=2");
  EXPECT_EQ(Put(policy).status, Status::kDenied);
  EXPECT_TRUE(Requests("PUT").empty());
}

}  // namespace
}  // namespace postern::iam
