#include "tests/unit/ledger/ledger_suite.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>

#include "core/ledger/payload.h"

namespace postern::ledger {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using Mode = Ledger::Mode;

TEST_P(LedgerSuite, ReadingAMissingLedgerSeesNothing) {
  const auto other = GetParam().make();
  const auto empty = Must(other->Open(Mode::kReadOnly));
  ASSERT_NE(empty, nullptr);
  EXPECT_EQ(empty->id(), "");
  EXPECT_EQ(empty->secret_key(), "");
  EXPECT_EQ(empty->generation(), 0U);
  EXPECT_THAT(Must(empty->RecordedOf("host:edge")), IsEmpty());
  EXPECT_THAT(Must(empty->RecordedTargets()), IsEmpty());
  EXPECT_THAT(Must(empty->OpenIntents()), IsEmpty());
  EXPECT_THAT(Must(empty->Applies(10)), IsEmpty());
  EXPECT_FALSE(Must(empty->FindApply("1")).has_value());
  EXPECT_EQ(Must(empty->Verify()), 0U);
  EXPECT_EQ(CodeOf(empty->BeginApply(Start())), ErrorCode::kInvalid);
  EXPECT_EQ(CodeOf(empty->Acquire("li")), ErrorCode::kInvalid);
  EXPECT_EQ(CodeOf(empty->RecordedAt(1, "host:edge")), ErrorCode::kNotFound);
}

TEST_P(LedgerSuite, IdAndKeyAreRandomAndStay) {
  const std::string id = ledger_->id(), key = ledger_->secret_key();
  EXPECT_EQ(id.size(), 32U);
  EXPECT_EQ(key.size(), 32U);
  Reopen();
  EXPECT_EQ(ledger_->id(), id);
  EXPECT_EQ(ledger_->secret_key(), key);
  const auto other = GetParam().make();
  const auto second = Must(other->Open(Mode::kReadWrite));
  EXPECT_NE(second->id(), id);
  EXPECT_NE(second->secret_key(), key);
}

TEST_P(LedgerSuite, KeepsEveryFieldOfARecord) {
  Recorded record{.kind = object::Kind::kGrant,
                  .key = "edge\x1f/srv/\"q\"\\\n\xff\x1fthis",
                  .body = std::string("\0\x01\xfe\"", 4),
                  .id = "uuid-1",
                  .owner = "grant:access/ä.toml:12",
                  .retired_at = -5,
                  .secret_desired = "aa",
                  .secret_stored = "bb"};
  RunApply(*ledger_, {Done(1, record)});
  Reopen();
  const auto rows = Must(ledger_->RecordedOf("host:edge"));
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].kind, record.kind);
  EXPECT_EQ(rows[0].key, record.key);
  EXPECT_EQ(rows[0].body, record.body);
  EXPECT_EQ(rows[0].id, record.id);
  EXPECT_EQ(rows[0].owner, record.owner);
  EXPECT_EQ(rows[0].retired_at, record.retired_at);
  EXPECT_EQ(rows[0].secret_desired, record.secret_desired);
  EXPECT_EQ(rows[0].secret_stored, record.secret_stored);
  EXPECT_EQ(rows[0].generation, 1U);
  EXPECT_GT(Must(ledger_->Verify()), 0U);
}

TEST_P(LedgerSuite, RecordedIsSortedByKindAndKeyAndByTarget) {
  Recorded folder{.kind = object::Kind::kFolder, .key = "a"};
  Recorded user{.kind = object::Kind::kUser, .key = "z"};
  RunApply(*ledger_, {Done(1, folder), Done(2, Account("b")), Done(3, Account("a")),
                      Done(4, Account("B")), Done(5, user), Done(6, Account("x"), "host:b")});
  EXPECT_THAT(Rows(Must(ledger_->RecordedOf("host:edge"))),
              ElementsAre("z=@1", "B=body@1", "a=body@1", "b=body@1", "a=@1"));
  EXPECT_THAT(Rows(Must(ledger_->RecordedOf("host:b"))), ElementsAre("x=body@1"));
  EXPECT_THAT(Must(ledger_->RecordedOf("host:none")), IsEmpty());
  EXPECT_THAT(Must(ledger_->RecordedTargets()), ElementsAre("host:b", "host:edge"));
}

TEST_P(LedgerSuite, ErasesAndOverwrites) {
  RunApply(*ledger_, {Done(1, Account("a")), Done(2, Account("b"))});
  RunApply(*ledger_, {Gone(1, "a"), Done(2, Account("b", "new")), Gone(3, "never-there")});
  EXPECT_THAT(Rows(Must(ledger_->RecordedOf("host:edge"))), ElementsAre("b=new@2"));
  EXPECT_GT(Must(ledger_->Verify()), 0U);
}

TEST_P(LedgerSuite, DesiredStateIsKeptByGeneration) {
  EXPECT_EQ(ledger_->generation(), 0U);
  RunApply(*ledger_, {Done(1, Account("a", "1")), Done(2, Account("b", "1"))});
  EXPECT_EQ(ledger_->generation(), 1U);
  RunApply(*ledger_, {Done(1, Account("a", "2")), Gone(2, "b"), Done(3, Account("c", "1"))});
  // Stops in the middle: no generation, though things were recorded.
  RunApply(*ledger_,
           {Done(1, Account("a", "3")), Done(2, Account("b", "3")), Gone(3, "c"),
            Done(4, Account("gone-again")), Done(5, Account("a", "4"))},
           "interrupted");
  EXPECT_EQ(ledger_->generation(), 2U);
  RunApply(*ledger_, {Gone(1, "gone-again"), Done(2, Account("c", "2"))});
  EXPECT_EQ(ledger_->generation(), 3U);
  const auto at = [&](uint64_t generation) {
    return Rows(Must(ledger_->RecordedAt(generation, "host:edge")));
  };
  EXPECT_THAT(at(0), IsEmpty());
  EXPECT_THAT(at(1), ElementsAre("a=1@1", "b=1@1"));
  EXPECT_THAT(at(2), ElementsAre("a=2@2", "c=1@2"));
  EXPECT_THAT(at(3), ElementsAre("a=4@3", "b=3@3", "c=2@3"));
  EXPECT_EQ(CodeOf(ledger_->RecordedAt(4, "host:edge")), ErrorCode::kNotFound);
  EXPECT_GT(Must(ledger_->Verify()), 0U);
  Reopen();
  EXPECT_EQ(ledger_->generation(), 3U);
}

TEST_P(LedgerSuite, TheSameRecordAgainIsNoNewVersion) {
  RunApply(*ledger_, {Done(1, Account("a", "1"))});
  RunApply(*ledger_, {Done(1, Account("a", "1"))});
  EXPECT_THAT(Rows(Must(ledger_->RecordedAt(2, "host:edge"))), ElementsAre("a=1@1"));
  EXPECT_GT(Must(ledger_->Verify()), 0U);
}

TEST_P(LedgerSuite, OpenIntentsAreThoseWithoutAnOutcome) {
  const uint64_t apply = Must(ledger_->BeginApply(Start()));
  const std::vector<Intent> intents = {Announce(1, "a"), Announce(2, "b"), Announce(3, "c")};
  Must(ledger_->Commit(apply, {}, intents));
  const std::vector<Outcome> outcomes = {Done(2, Account("b"))};
  const std::vector<Intent> more = {Announce(4, "d\x1f\xfe")};
  Must(ledger_->Commit(apply, outcomes, more));
  Reopen();
  const auto open = Must(ledger_->OpenIntents());
  ASSERT_EQ(open.size(), 3U);
  EXPECT_EQ(open[0].apply, apply);
  EXPECT_EQ(open[0].intent.step, 1U);
  EXPECT_EQ(open[0].intent.target, "host:edge");
  EXPECT_EQ(open[0].intent.kind, object::Kind::kAccount);
  EXPECT_EQ(open[0].intent.after, "body");
  EXPECT_EQ(open[0].intent.before, "");
  EXPECT_EQ(open[0].intent.phase, "open");
  EXPECT_GT(open[0].at, 1'000'000'000);
  EXPECT_EQ(open[1].intent.step, 3U);
  EXPECT_EQ(open[2].intent.key, "d\x1f\xfe");
  // Recovery closes them in the apply that left them, before or after it is finished.
  const std::vector<Outcome> first = {Done(1, Account("a"))};
  Must(ledger_->Commit(apply, first, {}));
  Must(ledger_->FinishApply(apply, "interrupted"));
  EXPECT_EQ(Must(ledger_->OpenIntents()).size(), 2U);
  const std::vector<Outcome> rest = {Ended(3, "already-so"), Ended(4, "unknown")};
  Must(ledger_->Commit(apply, rest, {}));
  EXPECT_THAT(Must(ledger_->OpenIntents()), IsEmpty());
  EXPECT_GT(Must(ledger_->Verify()), 0U);
}

TEST_P(LedgerSuite, RefusesWhatCannotBeTrueAndWritesNothingOfIt) {
  const uint64_t apply = Must(ledger_->BeginApply(Start()));
  const std::vector<Intent> one = {Announce(1, "a")};
  Must(ledger_->Commit(apply, {}, one));
  const uint64_t before = Must(ledger_->Verify());
  const std::vector<Outcome> unannounced = {Done(1, Account("a")), Done(9, Account("b"))};
  EXPECT_EQ(CodeOf(ledger_->Commit(apply, unannounced, {})), ErrorCode::kInvalid);
  EXPECT_EQ(CodeOf(ledger_->Commit(apply, {}, one)), ErrorCode::kInvalid);
  const std::vector<Intent> two = {Announce(2, "b")};
  EXPECT_EQ(CodeOf(ledger_->Commit(apply + 1, {}, two)), ErrorCode::kInvalid);
  EXPECT_EQ(CodeOf(ledger_->FinishApply(apply, "done")), ErrorCode::kInvalid) << "open intents";
  EXPECT_EQ(CodeOf(ledger_->FinishApply(apply + 1, "failed")), ErrorCode::kInvalid);
  EXPECT_EQ(Must(ledger_->Verify()), before);
  EXPECT_THAT(Must(ledger_->RecordedOf("host:edge")), IsEmpty());
  const std::vector<Outcome> done = {Done(1, Account("a"))};
  Must(ledger_->Commit(apply, done, {}));
  EXPECT_EQ(CodeOf(ledger_->Commit(apply, done, {})), ErrorCode::kInvalid) << "closed twice";
  Must(ledger_->FinishApply(apply, "done"));
  EXPECT_EQ(CodeOf(ledger_->FinishApply(apply, "done")), ErrorCode::kInvalid);
  EXPECT_EQ(CodeOf(ledger_->Commit(apply, {}, two)), ErrorCode::kInvalid) << "finished";
}

TEST_P(LedgerSuite, NothingToCommitIsNoEvent) {
  const uint64_t apply = Must(ledger_->BeginApply(Start()));
  const uint64_t before = Must(ledger_->Verify());
  Must(ledger_->Commit(apply, {}, {}));
  Must(ledger_->AllocateUids({}));
  Must(ledger_->RecordCensus({}));
  EXPECT_EQ(Must(ledger_->Verify()), before);
}

TEST_P(LedgerSuite, AppliesTellTheirStory) {
  const uint64_t first =
      RunApply(*ledger_,
               {Done(1, Account("a")), Ended(2, "already-so"), Ended(3, "denied"),
                Ended(4, "transient"), Ended(5, "precondition-failed"), Ended(6, "unknown")},
               "failed");
  const uint64_t second = Must(ledger_->BeginApply(Start("beef01", std::string("p\0q", 3))));
  const auto rows = Must(ledger_->Applies(10));
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].apply, second);
  EXPECT_EQ(rows[0].finished, 0);
  EXPECT_EQ(rows[0].result, "");
  EXPECT_EQ(rows[1].apply, first);
  EXPECT_EQ(rows[1].result, "failed");
  EXPECT_GE(rows[1].finished, rows[1].started);
  EXPECT_EQ(rows[1].generation, 0U);
  EXPECT_EQ(rows[1].intents, 6U);
  EXPECT_EQ(rows[1].outcomes, 6U);
  EXPECT_EQ(rows[1].failed, 4U);
  EXPECT_EQ(rows[1].summary, "2 gain, 1 loses");
  EXPECT_EQ(rows[1].who, "li@runner");
  EXPECT_EQ(rows[1].revision, "abc123");
  EXPECT_EQ(rows[1].intent_digest, "beef");
  EXPECT_EQ(Must(ledger_->Applies(1)).size(), 1U);
  EXPECT_EQ(Must(ledger_->Applies(0)).size(), 0U);
  EXPECT_EQ(Must(ledger_->PlanOf(first)), "plan bytes");
  EXPECT_EQ(Must(ledger_->PlanOf(second)), std::string("p\0q", 3));
  EXPECT_EQ(CodeOf(ledger_->PlanOf(99)), ErrorCode::kNotFound);
}

TEST_P(LedgerSuite, FindsAnApplyByNumberOrDigest) {
  for (const char* digest : {"7f3a00", "7f3a11", "123456", "7f3a00", "00010000"}) {
    Must(ledger_->FinishApply(Must(ledger_->BeginApply(Start(digest))), "done"));
  }
  struct Case {
    const char* text;
    uint64_t apply;  // 0: none
  };
  for (const Case& c :
       {Case{"1", 1}, Case{"5", 5}, Case{"6", 0}, Case{"7f3a00", 4}, Case{"7F3A1", 2},
        Case{"1234", 3}, Case{"123", 0}, Case{"7f3", 0}, Case{"", 0}, Case{"zzzz", 0},
        Case{"7f3a000", 0}, Case{"0001", 1}, Case{"-1", 0}, Case{"99999999999999999999999", 0}}) {
    const auto found = Must(ledger_->FindApply(c.text));
    EXPECT_EQ(found ? found->apply : 0, c.apply) << c.text;
  }
  const auto several = ledger_->FindApply("7f3a");
  EXPECT_EQ(CodeOf(several), ErrorCode::kInvalid);
  EXPECT_THAT(several.error().message, HasSubstr("7f3a11"));
}

TEST_P(LedgerSuite, AUidIsNeverGivenTwice) {
  using Uid = std::pair<std::string, uint32_t>;
  const std::vector<Uid> first = {{"edge", 30001}, {"edge", 30000}, {"b", 30000}};
  Must(ledger_->AllocateUids(first));
  const uint64_t events = Must(ledger_->Verify());
  const std::vector<Uid> again = {{"edge", 30002}, {"edge", 30001}};
  const auto refused = ledger_->AllocateUids(again);
  EXPECT_EQ(CodeOf(refused), ErrorCode::kConflict);
  EXPECT_THAT(refused.error().message, HasSubstr("uid 30001 of server edge"));
  const std::vector<Uid> highest = {{"edge", UINT32_MAX}};
  EXPECT_EQ(Must(ledger_->Verify()), events) << "nothing of the refused call";
  Must(ledger_->AllocateUids(highest));
  Reopen();
  EXPECT_THAT(Must(ledger_->AllocatedUids()),
              ElementsAre(Pair("b", 30000U), Pair("edge", 30000U), Pair("edge", 30001U),
                          Pair("edge", UINT32_MAX)));
  EXPECT_GT(Must(ledger_->Verify()), events);
}

TEST_P(LedgerSuite, CensusKeepsTheLastCount) {
  const auto account = object::Kind::kAccount;
  const std::vector<Census> first = {{"host:edge", account, "edge", 7},
                                     {"host:edge", account, "b", 1}};
  Must(ledger_->RecordCensus(first));
  const uint64_t events = Must(ledger_->Verify());
  Must(ledger_->RecordCensus(first));
  EXPECT_EQ(Must(ledger_->Verify()), events) << "nothing new, no event";
  const std::vector<Census> second = {{"host:edge", account, "edge", 9},
                                      {"host:edge", account, "b", 1}};
  Must(ledger_->RecordCensus(second));
  EXPECT_EQ(Must(ledger_->Verify()), events + 1);
  const auto rows = Must(ledger_->LastCensus());
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].scope, "b");
  EXPECT_EQ(rows[1].count, 9U);
  EXPECT_EQ(rows[1].kind, account);
}

TEST_P(LedgerSuite, EventsAreInOrderAndChained) {
  RunApply(*ledger_, {Done(1, Account("a"))});
  std::vector<std::string> types;
  uint64_t next = 1;
  Must(ledger_->Events(1, [&](const Event& event) {
    EXPECT_EQ(event.sequence, next++);
    EXPECT_GT(event.at, 1'000'000'000);
    EXPECT_EQ(event.payload.find('\n'), std::string::npos);
    types.push_back(event.type);
    return true;
  }));
  EXPECT_THAT(types,
              ElementsAre("created", "apply-started", "intent", "outcome", "apply-finished"));
  std::vector<uint64_t> some;
  Must(ledger_->Events(3, [&](const Event& event) {
    some.push_back(event.sequence);
    return some.size() < 2;
  }));
  EXPECT_THAT(some, ElementsAre(3U, 4U));
  Must(ledger_->Events(UINT64_MAX, [](const Event&) {
    ADD_FAILURE() << "no event that late";
    return false;
  }));
}

TEST_P(LedgerSuite, ReadersGoOnWhileOneWrites) {
  RunApply(*ledger_, {Done(1, Account("a"))});
  const auto reader = Must(store_->Open(Mode::kReadOnly));
  uint64_t seen = 0;
  Must(reader->Events(1, [&](const Event& event) {
    if (event.sequence == 1) RunApply(*ledger_, {Done(1, Account("b"))});
    seen = event.sequence;
    return true;
  }));
  EXPECT_EQ(seen, 5U) << "one snapshot a call";
  EXPECT_THAT(Rows(Must(reader->RecordedOf("host:edge"))), ElementsAre("a=body@1", "b=body@2"));
  EXPECT_EQ(Must(reader->Verify()), 9U);
  EXPECT_EQ(CodeOf(reader->BeginApply(Start())), ErrorCode::kInvalid);
}

TEST_P(LedgerSuite, TwoWritersKeepOneChain) {
  const auto other = Must(store_->Open(Mode::kReadWrite));
  RunApply(*ledger_, {Done(1, Account("a"))});
  RunApply(*other, {Done(1, Account("a", "2"))});
  RunApply(*ledger_, {Done(1, Account("a", "3"))});
  EXPECT_THAT(Rows(Must(other->RecordedOf("host:edge"))), ElementsAre("a=3@3"));
  EXPECT_THAT(Rows(Must(other->RecordedAt(2, "host:edge"))), ElementsAre("a=2@2"));
  EXPECT_EQ(Must(other->Verify()), 13U);
}

// A child that takes the lock and holds it until it is killed.
class Holder {
 public:
  explicit Holder(Store& store) {
    int ready[2];
    EXPECT_EQ(::pipe(ready), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      auto ledger = store.Open(Mode::kReadWrite);
      auto lock = ledger ? (*ledger)->Acquire("bea@laptop") : Fail(ErrorCode::kInternal, "open");
      const char answer = lock ? 'y' : 'n';
      if (::write(ready[1], &answer, 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    ::close(ready[1]);
    char answer = 0;
    EXPECT_EQ(::read(ready[0], &answer, 1), 1);
    EXPECT_EQ(answer, 'y');
    ::close(ready[0]);
  }
  ~Holder() { Kill(); }
  void Kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

TEST_P(LedgerSuite, OneApplyAtATimeAndTheRefusalSaysWho) {
  Holder holder(*store_);
  char machine[256] = {};
  ::gethostname(machine, sizeof machine - 1);
  const auto refused = ledger_->Acquire("li@runner");
  EXPECT_EQ(CodeOf(refused), ErrorCode::kConflict);
  EXPECT_THAT(refused.error().message, HasSubstr("bea@laptop"));
  EXPECT_THAT(refused.error().message, HasSubstr("process " + std::to_string(holder.pid())));
  EXPECT_THAT(refused.error().message, HasSubstr(machine));
  EXPECT_THAT(refused.error().message, HasSubstr(base::FormatInstant(base::Now()).substr(0, 10)));
  // Reading needs no lock.
  EXPECT_THAT(Must(ledger_->RecordedOf("host:edge")), IsEmpty());
  holder.Kill();
  auto lock = Must(ledger_->Acquire("li@runner"));
  EXPECT_NE(lock, nullptr) << "it died with its holder";
}

TEST_P(LedgerSuite, RostersAreTheLastAcceptedAndEvidence) {
  EXPECT_THAT(Must(ledger_->Rosters()), IsEmpty());
  const RosterRow first{"acme", "r1", "f1", std::string("first\0\x1f", 7)};
  const JobEvent accepted{.job = "import.acme",
                          .run = "r1",
                          .what = "accepted",
                          .who = "li@runner",
                          .file_sha256 = "f1"};
  ASSERT_TRUE(ledger_->RecordJob(accepted, &first));
  const JobEvent held{.job = "import.acme",
                      .run = "r2",
                      .what = "held",
                      .who = "li@runner",
                      .plan_digest = "7f3a",
                      .note = "30 people",
                      .signature = "-----BEGIN",
                      .reason = "the night shift\nended",
                      .locked_seconds = 0};
  ASSERT_TRUE(ledger_->RecordJob(held, nullptr));
  const RosterRow other{"zeta", "r3", "f3", "third"};
  const JobEvent third{.job = "import.zeta", .run = "r3", .what = "accepted", .file_sha256 = "f3"};
  ASSERT_TRUE(ledger_->RecordJob(third, &other));
  Reopen();
  auto rosters = Must(ledger_->Rosters());
  ASSERT_EQ(rosters.size(), 2U);
  EXPECT_EQ(rosters[0].roster, first.roster);
  EXPECT_EQ(rosters[0].file_sha256, "f1");
  RosterRow second = first;
  second.roster = "second";
  JobEvent again = accepted;
  again.run = "r4";
  ASSERT_TRUE(ledger_->RecordJob(again, &second));
  rosters = Must(ledger_->Rosters());
  ASSERT_EQ(rosters.size(), 2U);
  EXPECT_EQ(rosters[0].roster, "second");
  EXPECT_EQ(rosters[0].run, "r4");
  EXPECT_EQ(Must(ledger_->Verify()), 5U);
  std::vector<std::string> types;
  ASSERT_TRUE(ledger_->Events(2, [&](const Event& event) {
    const auto parsed = ParseEvent(event.type, event.payload);
    EXPECT_TRUE(parsed);
    if (!parsed) return false;
    const JobEvent& read = std::get<JobDone>(*parsed).event;
    types.push_back(read.what);
    const bool is_held = read.what == "held";
    EXPECT_EQ(read.reason, is_held ? held.reason : "");
    EXPECT_EQ(read.locked_seconds, is_held ? held.locked_seconds : std::nullopt) << "none isn't 0";
    return true;
  }));
  EXPECT_THAT(types, ElementsAre("accepted", "held", "accepted", "accepted"));
}

TEST_P(LedgerSuite, TheLockEndsWithItsObject) {
  auto lock = Must(ledger_->Acquire("first\nline"));
  const auto other = Must(store_->Open(Mode::kReadWrite));
  const auto refused = other->Acquire("second");
  EXPECT_EQ(CodeOf(refused), ErrorCode::kConflict);
  EXPECT_THAT(refused.error().message, HasSubstr("first line"));
  lock.reset();
  EXPECT_NE(Must(other->Acquire("second")), nullptr);
}

}  // namespace postern::ledger
