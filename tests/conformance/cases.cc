// The cases of the conformance suite, from easy to hard: an author makes them pass from the top.
#include <algorithm>

#include "tests/conformance/suite.h"

namespace postern::conformance {
namespace {

using object::Answer;
using object::Object;
using object::Operation;
using object::Outcome;
using object::Status;

TEST_P(Conformance, ProbesAndSaysWhoItIs) {
  const auto probe = target_->ProbeTarget();
  ASSERT_TRUE(probe.has_value()) << probe.error().message;
  EXPECT_FALSE(probe->product.empty());
  EXPECT_FALSE(probe->identity.empty());
  EXPECT_TRUE(probe->concurrency.contains(kind())) << "how is a change of this kind kept safe?";
}

TEST_P(Conformance, SaysAbsentOfWhatIsNotThere) {
  world_->Prepare(kind(), 1, 1);
  EXPECT_EQ(Read(Sample(1).key).answer, Answer::kAbsent);
  EXPECT_FALSE(Enumerate().contains({kind(), Sample(1).key}));
}

TEST_P(Conformance, CreatesAndReadsBack) {
  world_->Prepare(kind(), 1, 1);
  const Object wanted = Sample(1);
  const Outcome outcome = ApplyOne(Change(wanted.key, "", wanted.body));
  ASSERT_EQ(outcome.status, Status::kApplied) << outcome.message;
  ASSERT_EQ(outcome.live.answer, Answer::kValue) << outcome.live.reason;
  EXPECT_TRUE(object::Satisfies(kind(), wanted.body, outcome.live.object.body));
  EXPECT_EQ(outcome.live.object.id, Read(wanted.key).object.id);
  ExpectLive(wanted);
}

TEST_P(Conformance, ChangesOnlyWhatIsNamed) {
  if (!Has(Feature::kValues)) return;
  Create(1);
  Create(2);
  const Snapshot before = Enumerate();
  const Object live = before.at({kind(), Sample(1).key}), wanted = Sample(1, 1);
  const Outcome outcome = ApplyOne(Change(wanted.key, live.body, wanted.body));
  ASSERT_EQ(outcome.status, Status::kApplied) << outcome.message;
  ExpectLive(wanted);
  const Snapshot after = Enumerate();
  ASSERT_EQ(after.size(), before.size());
  EXPECT_EQ(after.at({kind(), wanted.key}).id, live.id) << "a change is not a replacement";
  for (const auto& [key, object] : before) {
    if (key.key == wanted.key) continue;
    EXPECT_EQ(after.at(key).body, object.body) << key.key;
  }
}

TEST_P(Conformance, SaysAlreadySoOfANoOp) {
  Create(1);
  const Object wanted = Sample(1);
  const Snapshot before = Enumerate();
  // Both ways in which a resumed apply may ask again.
  const Outcome created = ApplyOne(Change(wanted.key, "", wanted.body));
  EXPECT_EQ(created.status, Status::kAlreadySo) << created.message;
  const Outcome changed = ApplyOne(Change(wanted.key, wanted.body, wanted.body));
  EXPECT_EQ(changed.status, Status::kAlreadySo) << changed.message;
  EXPECT_EQ(changed.live.answer, Answer::kValue);
  const Snapshot after = Enumerate();
  ASSERT_EQ(after.size(), before.size());
  EXPECT_EQ(after.at({kind(), wanted.key}).changed_at, before.at({kind(), wanted.key}).changed_at)
      << "a no-op wrote";
}

TEST_P(Conformance, DeletesOnceAndForAll) {
  if (!Has(Feature::kDelete)) return;
  Create(1);
  Create(2);
  const Object gone = Sample(1);
  const std::string live = Read(gone.key).object.body;
  const Outcome outcome = ApplyOne(Change(gone.key, live, ""));
  ASSERT_EQ(outcome.status, Status::kApplied) << outcome.message;
  EXPECT_EQ(outcome.live.answer, Answer::kAbsent);
  EXPECT_EQ(Read(gone.key).answer, Answer::kAbsent);
  const Snapshot after = Enumerate();
  EXPECT_FALSE(after.contains({kind(), gone.key}));
  EXPECT_TRUE(after.contains({kind(), Sample(2).key}));
  EXPECT_EQ(ApplyOne(Change(gone.key, live, "")).status, Status::kAlreadySo);
}

TEST_P(Conformance, ClearsAField) {
  if (!Has(Feature::kClear)) return;
  Create(1);
  const Object live = Read(Sample(1).key).object;
  // What version 2 leaves unset of version 0 is what can be cleared.
  const uint64_t fields =
      object::FieldsSet(Sample(1, 0).body) & ~object::FieldsSet(Sample(1, 2).body);
  ASSERT_NE(fields, 0u) << "version 2 of the sample leaves no field out";
  Operation operation = Change(live.key, live.body, Sample(1, 2).body);
  for (uint32_t field = 1; field < 64; ++field) {
    if ((fields >> field & 1) != 0) operation.clear.push_back(field);
  }
  const Outcome outcome = ApplyOne(operation);
  ASSERT_EQ(outcome.status, Status::kApplied) << outcome.message;
  EXPECT_EQ(object::FieldsSet(outcome.live.object.body) & fields, 0u);
  ExpectLive(Sample(1, 2));
}

TEST_P(Conformance, RenamesUnderOneId) {
  if (!Has(Feature::kRename)) return;
  Create(1);
  const Object live = Read(Sample(1).key).object;
  const Object wanted = object::Encode(*world_->Renamed(kind(), 1, 2));
  Operation operation = Change(live.key, live.body, wanted.body);
  operation.new_key = wanted.key;
  operation.expect_id = live.id;
  const Outcome outcome = ApplyOne(operation);
  ASSERT_EQ(outcome.status, Status::kApplied) << outcome.message;
  EXPECT_EQ(outcome.live.object.key, wanted.key);
  EXPECT_EQ(outcome.live.object.id, live.id);
  EXPECT_EQ(Read(live.key).answer, Answer::kAbsent);
  ExpectLive(wanted);
  operation.id += 1000;
  EXPECT_EQ(ApplyOne(operation).status, Status::kAlreadySo) << "a resumed rename";
}

TEST_P(Conformance, TellsAReplacementFromTheOldObject) {
  if (!Has(Feature::kStableIds)) return;
  Create(1);
  const Object old = Read(Sample(1).key).object;
  ASSERT_FALSE(old.id.empty());
  world_->HandDelete(kind(), old.key);
  world_->HandPut(*world_->Sample(kind(), 1, 0));
  const Object fresh = Enumerate().at({kind(), old.key});
  EXPECT_NE(fresh.id, old.id) << "a re-created object must not look like the old one";
  for (const std::string& after : {Sample(1, 1).body, std::string()}) {
    Operation operation = Change(old.key, old.body, after);
    operation.expect_id = old.id;
    const Outcome outcome = ApplyOne(operation);
    EXPECT_EQ(outcome.status, Status::kPreconditionFailed) << outcome.message;
    EXPECT_EQ(outcome.live.object.id, fresh.id);
  }
  EXPECT_EQ(Read(old.key).object.body, fresh.body);
}

TEST_P(Conformance, RefusesWhatIsNotAsPlanned) {
  world_->Prepare(kind(), 1, 2);
  const Object absent = Sample(1), wanted = Sample(2);
  // It should be there, and isn't.
  const Outcome gone = ApplyOne(Change(absent.key, absent.body, Sample(1, 1).body));
  EXPECT_EQ(gone.status, Status::kPreconditionFailed) << gone.message;
  EXPECT_EQ(gone.live.answer, Answer::kAbsent);
  if (!Has(Feature::kValues)) return;
  // Somebody was faster, with other values: neither changed, nor deleted, nor created over.
  world_->HandPut(*world_->Sample(kind(), 2, 1));
  const std::string theirs = Read(wanted.key).object.body;
  for (const auto& [before, after] :
       {std::pair(wanted.body, wanted.body), std::pair(wanted.body, std::string()),
        std::pair(std::string(), wanted.body)}) {
    const Outcome outcome = ApplyOne(Change(wanted.key, before, after));
    EXPECT_EQ(outcome.status, Status::kPreconditionFailed) << outcome.message;
    EXPECT_EQ(outcome.live.object.body, theirs) << "the outcome shows what is live";
  }
  EXPECT_EQ(Read(wanted.key).object.body, theirs);
}

TEST_P(Conformance, SeesForeignObjects) {
  Create(1);
  world_->Prepare(kind(), 2, 2);
  world_->HandPut(*world_->Sample(kind(), 2, 0));
  const Snapshot snapshot = Enumerate();
  ASSERT_TRUE(snapshot.contains({kind(), Sample(2).key}));
  EXPECT_TRUE(snapshot.contains({kind(), Sample(1).key}));
  const Object foreign = snapshot.at({kind(), Sample(2).key});
  EXPECT_TRUE(object::Satisfies(kind(), Sample(2).body, foreign.body));
  if (!Has(Feature::kWho)) return;
  EXPECT_FALSE(foreign.changed_by.empty());
  EXPECT_NE(foreign.changed_by, snapshot.at({kind(), Sample(1).key}).changed_by);
}

TEST_P(Conformance, CarriesAThousand) {
  const int kCount = world_->many();
  world_->Prepare(kind(), 1, kCount);
  std::vector<Operation> operations;
  for (int n = 1; n <= kCount; ++n) {
    const Object wanted = Sample(n);
    operations.push_back(Change(wanted.key, "", wanted.body));
  }
  const size_t others = Enumerate().size();
  for (const Outcome& outcome : Apply(operations)) {
    ASSERT_EQ(outcome.status, Status::kApplied) << outcome.message;
  }
  const Snapshot first = Enumerate();
  EXPECT_EQ(first.size(), others + kCount);
  for (int n = 1; n <= kCount; ++n) {
    const Object wanted = Sample(n);
    const auto found = first.find({kind(), wanted.key});
    ASSERT_NE(found, first.end()) << wanted.key;
    EXPECT_TRUE(object::Satisfies(kind(), wanted.body, found->second.body));
  }
  EXPECT_EQ(Enumerate().size(), first.size());
}

TEST_P(Conformance, KeepsAnUnreadableFieldApartFromAnUnsetOne) {
  if (!Has(Feature::kUnreadable)) return;
  Create(1);
  const Object wanted = Sample(1);
  const uint32_t field = world_->MakeUnreadable(kind(), wanted.key);
  const Object seen = Enumerate().at({kind(), wanted.key});
  EXPECT_NE(seen.unreadable >> field & 1, 0u);
  const object::ReadAnswer answer = Read(wanted.key);
  if (answer.answer == Answer::kValue) {
    EXPECT_NE(answer.object.unreadable >> field & 1, 0u);
  } else {
    EXPECT_EQ(answer.answer, Answer::kUnreadable);
    EXPECT_FALSE(answer.reason.empty());
  }
}

TEST_P(Conformance, SaysWhenAnEnumerationWasCutShort) {
  if (!Has(Feature::kCutShort)) return;
  for (int n = 1; n <= 3; ++n) Create(n);
  world_->CutShort(kind(), 1);
  struct Ignore final : object::ObjectSink {
    bool Add(const object::ObjectView&) override { return true; }
  } sink;
  const Kind kinds[] = {kind()};
  const auto scopes = target_->Enumerate(kinds, sink);
  if (!scopes) return;  // an error says so as well
  EXPECT_TRUE(std::any_of(scopes->begin(), scopes->end(), [](const object::ScopeStatus& scope) {
    return !scope.complete && !scope.reason.empty();
  }));
}

TEST_P(Conformance, StopsWhenTheCoreHasEnough) {
  for (int n = 1; n <= 3; ++n) Create(n);
  const size_t all = Enumerate().size();
  struct One final : object::ObjectSink {
    bool Add(const object::ObjectView&) override { return ++seen < 2; }
    int seen = 0;
  } sink;
  const Kind kinds[] = {kind()};
  const auto scopes = target_->Enumerate(kinds, sink);
  EXPECT_FALSE(scopes.has_value()) << "a stopped enumeration must not look complete";
  EXPECT_EQ(Enumerate().size(), all);
}

TEST_P(Conformance, ListsForWhoLooksAtSomeFields) {
  Create(1);
  Create(2, 1);
  const Snapshot all = Enumerate();
  constexpr object::FieldSet kEven = 0x5555555555555555, kKey = 2;
  for (const object::FieldSet fields : {kEven, ~kEven, kKey}) {
    const Snapshot some = Enumerate(fields);
    ASSERT_EQ(some.size(), all.size());
    for (const auto& [key, object] : all) {
      ASSERT_TRUE(some.contains(key)) << key.key;
      const Object& listed = some.at(key);
      EXPECT_EQ(listed.unreadable & fields, object.unreadable & fields) << key.key;
      for (const auto& field : object::Differences(kind(), object.body, listed.body)) {
        EXPECT_EQ(fields >> field.field & 1, 0u)
            << field.name << " is " << field.after << ", in full " << field.before;
      }
    }
  }
}

TEST_P(Conformance, LetsAReadDecideWhenTheAnswerIsLost) {
  if (!Has(Feature::kLostAnswer)) return;
  world_->Prepare(kind(), 1, 1);
  world_->LoseAnswers(1);
  const Object wanted = Sample(1);
  EXPECT_EQ(ApplyOne(Change(wanted.key, "", wanted.body)).status, Status::kUnknown);
  world_->Mend();
  const object::ReadAnswer answer = Read(wanted.key);
  ASSERT_NE(answer.answer, Answer::kUnreadable) << answer.reason;
  const Outcome again = ApplyOne(Change(wanted.key, "", wanted.body));
  EXPECT_EQ(again.status, answer.answer == Answer::kValue ? Status::kAlreadySo : Status::kApplied);
  ExpectLive(wanted);
}

TEST_P(Conformance, ConvergesAfterItWasKilled) {
  if (!Has(Feature::kDeath)) return;
  constexpr int kCount = 20, kDone = 7;
  world_->Prepare(kind(), 1, kCount);
  std::vector<object::OperationGroup> groups;
  for (int n = 1; n <= kCount; ++n) {
    const Object wanted = Sample(n);
    groups.push_back({wanted.key, {Change(wanted.key, "", wanted.body)}});
  }
  const size_t others = Enumerate().size();
  world_->DieAfter(kDone);
  struct Count final : object::OutcomeSink {
    void Add(Outcome) override { ++outcomes; }
    int outcomes = 0;
  } count;
  const auto done = target_->Apply(groups, world_->secrets(), count);
  ASSERT_FALSE(done.has_value()) << "the provider was killed and nobody noticed";
  EXPECT_EQ(done.error().code, ErrorCode::kUnavailable) << done.error().message;
  EXPECT_LE(count.outcomes, kDone);
  world_->Mend();
  Reconnect();
  for (const object::OperationGroup& group : groups) {
    const Outcome outcome = ApplyOne(group.operations.front());
    EXPECT_TRUE(outcome.status == Status::kApplied || outcome.status == Status::kAlreadySo)
        << outcome.message;
  }
  EXPECT_EQ(Enumerate().size(), others + kCount);
}

}  // namespace

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Conformance);

}  // namespace postern::conformance
