#include <fmt/format.h>

#include <algorithm>

#include "tests/conformance/suite.h"

namespace postern::conformance {
namespace {

class SnapshotSink final : public object::ObjectSink {
 public:
  bool Add(const object::ObjectView& view) override {
    object::Object object;
    object.kind = view.kind;
    object.key = view.key;
    object.body = view.body;
    object.id = view.id;
    object.unreadable = view.unreadable;
    object.changed_by = view.changed_by;
    object.changed_at = view.changed_at;
    object.how_known = view.how_known;
    const object::ObjectKey key{object.kind, object.key};
    EXPECT_TRUE(snapshot.emplace(key, std::move(object)).second)
        << object::Describe(view.kind, view.key) << " came twice";
    return true;
  }
  Snapshot snapshot;
};

class OutcomeList final : public object::OutcomeSink {
 public:
  void Add(object::Outcome outcome) override {
    EXPECT_TRUE(outcomes.emplace(outcome.id, outcome).second)
        << "operation " << outcome.id << " was answered twice";
  }
  std::map<uint64_t, object::Outcome> outcomes;
};

}  // namespace

std::string_view NameOf(Feature feature) {
  switch (feature) {
    case Feature::kStableIds:
      return "stable ids";
    case Feature::kRename:
      return "renames";
    case Feature::kValues:
      return "values";
    case Feature::kClear:
      return "clearing fields";
    case Feature::kDelete:
      return "deletions";
    case Feature::kUnreadable:
      return "unreadable fields";
    case Feature::kCutShort:
      return "enumerations cut short";
    case Feature::kLostAnswer:
      return "lost answers";
    case Feature::kDeath:
      return "a provider killed in the middle";
    case Feature::kWho:
      return "who changed it";
  }
  return "?";
}

std::vector<Param> Params(const std::string& name, const std::vector<Kind>& kinds,
                          const std::function<std::unique_ptr<World>()>& make) {
  std::vector<Param> params;
  for (const Kind kind : kinds) {
    params.push_back({name, kind, false, make});
    params.push_back({name, kind, true, make});
  }
  return params;
}

std::string ParamName(const testing::TestParamInfo<Param>& info) {
  return fmt::format("{}_{}{}", info.param.name, object::NameOf(info.param.kind),
                     info.param.unreadable ? "_unreadable" : "");
}

void PrintTo(const Param& param, std::ostream* out) {
  *out << ParamName(testing::TestParamInfo<Param>(param, 0));
}

void Conformance::SetUp() {
  world_ = GetParam().make();
  ASSERT_NE(world_, nullptr);
  if (GetParam().unreadable && Has(Feature::kUnreadable)) {
    world_->Prepare(kind(), kBystander, kBystander);
    world_->HandPut(*world_->Sample(kind(), kBystander, 0));
    bystander_ = Sample(kBystander);
    unreadable_field_ = world_->MakeUnreadable(kind(), bystander_.key);
    ASSERT_NE(unreadable_field_, 0u);
  }
  Reconnect();
}

void Conformance::TearDown() {
  target_.reset();
  world_.reset();
}

bool Conformance::Has(Feature feature) {
  const std::string why = world_->WhyOff(feature, kind());
  if (why.empty()) return true;
  fmt::print("[   OFF    ] {} of {}: {}\n", NameOf(feature), object::NameOf(kind()), why);
  return false;
}

void Conformance::Reconnect() {
  target_.reset();
  auto target = world_->Connect();
  ASSERT_TRUE(target.has_value()) << target.error().message;
  target_ = std::move(*target);
}

object::Object Conformance::Sample(int n, int version) const {
  return object::Encode(*world_->Sample(kind(), n, version));
}

Snapshot Conformance::Enumerate(object::FieldSet fields) {
  SnapshotSink sink;
  const Kind kinds[] = {kind()};
  const auto scopes = fields == object::kAllFields ? target_->Enumerate(kinds, sink)
                                                   : target_->EnumerateFields(kind(), fields, sink);
  if (!scopes) {
    ADD_FAILURE() << "enumerate: " << scopes.error().message;
    return {};
  }
  uint64_t counted = 0;
  EXPECT_FALSE(scopes->empty()) << "an enumeration without a status says nothing";
  for (const object::ScopeStatus& scope : *scopes) {
    EXPECT_EQ(scope.kind, kind());
    EXPECT_TRUE(scope.complete) << scope.scope << ": " << scope.reason;
    EXPECT_TRUE(scope.sentinel_seen) << scope.scope;
    counted += scope.count;
  }
  EXPECT_EQ(counted, sink.snapshot.size());
  for (const auto& [key, object] : sink.snapshot) {
    EXPECT_EQ(key.kind, kind()) << "a kind came that wasn't asked for";
    const uint64_t both = object.unreadable & object::FieldsSet(object.body);
    EXPECT_EQ(both, 0u) << "a field is unreadable and has a value";
  }
  CheckBystander(sink.snapshot, fields);
  return std::move(sink.snapshot);
}

void Conformance::CheckBystander(const Snapshot& snapshot, object::FieldSet fields) {
  if (unreadable_field_ == 0 || (fields >> unreadable_field_ & 1) == 0) return;
  const auto found = snapshot.find({kind(), bystander_.key});
  ASSERT_NE(found, snapshot.end()) << "an object with an unreadable field looks absent";
  EXPECT_NE(found->second.unreadable >> unreadable_field_ & 1, 0u)
      << "an unreadable field looks unset";
}

object::ReadAnswer Conformance::Read(const std::string& key) {
  const object::ObjectKey keys[] = {{kind(), key}};
  auto answers = target_->Read(keys);
  if (!answers || answers->size() != 1) {
    ADD_FAILURE() << "read: " << (answers ? "not one answer" : answers.error().message);
    return {};
  }
  EXPECT_EQ(answers->front().object.kind, kind());
  EXPECT_EQ(answers->front().object.key, key);
  return std::move(answers->front());
}

std::vector<object::Outcome> Conformance::Apply(std::vector<object::Operation> operations) {
  OutcomeList list;
  const object::OperationGroup groups[] = {{"", operations}};
  const auto done = target_->Apply(groups, world_->secrets(), list);
  EXPECT_TRUE(done.has_value()) << done.error().message;
  std::vector<object::Outcome> outcomes;
  for (const object::Operation& operation : operations) {
    EXPECT_TRUE(list.outcomes.contains(operation.id)) << "operation without an answer";
    outcomes.push_back(list.outcomes[operation.id]);
  }
  return outcomes;
}

object::Outcome Conformance::ApplyOne(object::Operation operation) {
  return Apply({std::move(operation)}).front();
}

object::Operation Conformance::Change(const std::string& key, std::string before,
                                      std::string after) {
  object::Operation operation;
  operation.id = ++last_operation_;
  operation.kind = kind();
  operation.key = key;
  operation.before = std::move(before);
  operation.after = std::move(after);
  return operation;
}

void Conformance::Create(int n, int version) {
  world_->Prepare(kind(), n, n);
  const object::Object wanted = Sample(n, version);
  const object::Outcome outcome = ApplyOne(Change(wanted.key, "", wanted.body));
  ASSERT_EQ(outcome.status, object::Status::kApplied) << outcome.message;
}

void Conformance::ExpectLive(const object::Object& wanted) {
  const object::ReadAnswer answer = Read(wanted.key);
  ASSERT_EQ(answer.answer, object::Answer::kValue) << answer.reason;
  for (const auto& field : object::Differences(kind(), wanted.body, answer.object.body)) {
    ADD_FAILURE() << field.name << " is " << field.before << ", wanted " << field.after;
  }
  const Snapshot first = Enumerate(), second = Enumerate();
  const auto found = first.find({kind(), wanted.key});
  ASSERT_NE(found, first.end());
  EXPECT_EQ(found->second.body, answer.object.body) << "Read and Enumerate disagree";
  EXPECT_EQ(found->second.id, answer.object.id);
  ASSERT_EQ(first.size(), second.size());
  EXPECT_TRUE(std::equal(first.begin(), first.end(), second.begin(), [](auto& a, auto& b) {
    return a.first == b.first && a.second.body == b.second.body && a.second.id == b.second.id;
  })) << "a second look differs from the first: no plan would ever be empty";
}

}  // namespace postern::conformance
