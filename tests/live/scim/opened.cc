#include "tests/live/scim/opened.h"

#include <fmt/format.h>

namespace postern::iam {

using object::Kind;

int Bed::Writes() {
  int writes = 0;
  for (const auto& request : proxy.Requests()) writes += request["method"] != "GET" ? 1 : 0;
  return writes;
}

Opened::Opened(const std::string& url, const std::string& ca) {
  declared.set_name("corp");
  declared.set_url(url);
  declared.mutable_auth()->set_token("secret:corp-token");
  if (!ca.empty()) declared.set_ca(ca);
  limits.retry.first_delay = std::chrono::milliseconds(5);
  limits.total = std::chrono::milliseconds(20'000);
  Open();
}

void Opened::Open() {
  auto opened = iam::Open(declared, secrets, limits);
  ASSERT_TRUE(opened) << opened.error().message;
  target = std::move(*opened);
}

bool Opened::Add(const object::ObjectView& view) {
  object::Object object;
  object.kind = view.kind;
  object.key = view.key;
  object.body = view.body;
  object.id = view.id;
  object.unreadable = view.unreadable;
  object.changed_at = view.changed_at;
  const object::ObjectKey key{object.kind, object.key};
  EXPECT_TRUE(objects.emplace(key, std::move(object)).second) << view.key << " came twice";
  return true;
}

void Opened::Enumerate() {
  objects.clear();
  statuses.clear();
  auto got = target->Enumerate({}, *this);
  ASSERT_TRUE(got) << got.error().message;
  statuses = std::move(*got);
}

const object::ScopeStatus& Opened::Status(Kind kind) const {
  static const object::ScopeStatus kNone;
  for (const object::ScopeStatus& status : statuses) {
    if (status.kind == kind) return status;
  }
  ADD_FAILURE() << "no status of " << object::NameOf(kind);
  return kNone;
}

size_t Opened::Count(Kind kind) const {
  size_t count = 0;
  for (const auto& [key, object] : objects) count += key.kind == kind ? 1 : 0;
  return count;
}

object::ReadAnswer Opened::Read(const object::ObjectKey& key) {
  const object::ObjectKey keys[] = {key};
  auto answers = target->Read(keys);
  if (!answers || answers->size() != 1) {
    ADD_FAILURE() << (answers ? "not one answer" : answers.error().message);
    return {};
  }
  return std::move(answers->front());
}

std::vector<object::Outcome> Opened::Apply(std::vector<object::Operation> operations) {
  struct List final : object::OutcomeSink {
    void Add(object::Outcome outcome) override {
      EXPECT_TRUE(by_id.emplace(outcome.id, outcome).second) << "answered twice";
    }
    std::map<uint64_t, object::Outcome> by_id;
  } list;
  uint64_t id = 0;
  for (object::Operation& operation : operations) operation.id = ++id;
  const object::OperationGroup groups[] = {{"", operations}};
  const auto done = target->Apply(groups, {}, list);
  EXPECT_TRUE(done) << done.error().message;
  EXPECT_EQ(list.by_id.size(), operations.size());
  std::vector<object::Outcome> out;
  for (auto& [at, outcome] : list.by_id) out.push_back(std::move(outcome));
  return out;
}

object::Outcome Opened::ApplyOne(object::Operation operation) {
  auto outcomes = Apply({std::move(operation)});
  return outcomes.empty() ? object::Outcome() : std::move(outcomes.front());
}

object::Operation Opened::Change(const google::protobuf::Message& message, std::string before) {
  const object::Object object = object::Encode(message);
  object::Operation operation;
  operation.kind = object.kind;
  operation.key = object.key;
  operation.before = std::move(before);
  operation.after = object.body;
  return operation;
}

object::ObjectKey UserKey(const std::string& name) {
  return {Kind::kIamUser, object::MakeKey(Kind::kIamUser, {name})};
}
object::ObjectKey GroupKey(const std::string& name) {
  return {Kind::kIamGroup, object::MakeKey(Kind::kIamGroup, {name})};
}
object::ObjectKey MemberKey(const std::string& group, const std::string& member) {
  return {Kind::kIamMembership, object::MakeKey(Kind::kIamMembership, {"group:" + group, member})};
}

}  // namespace postern::iam
