// tests/unit/jobs/shown.h: a source whose objects a test gives.
#pragma once
#include <algorithm>
#include <vector>

#include "core/object/target.h"
#include "schemas/kinds.pb.h"

namespace postern::jobs::test {

// A source with these objects.
class Shown final : public object::Target {
 public:
  Result<object::Probe> ProbeTarget() override { return object::Probe{}; }
  Result<std::vector<object::ScopeStatus>> Enumerate(std::span<const object::Kind> kinds,
                                                     object::ObjectSink& sink) override {
    for (const object::Object& object : objects) {
      if (std::find(kinds.begin(), kinds.end(), object.kind) == kinds.end()) continue;
      if (!sink.Add(object.view())) break;
    }
    return scopes;
  }
  // Leaves out what wasn't asked for, as a directory does.
  Result<std::vector<object::ScopeStatus>> EnumerateFields(object::Kind kind,
                                                           object::FieldSet fields,
                                                           object::ObjectSink& sink) override {
    for (const object::Object& object : objects) {
      if (object.kind != kind) continue;
      if (!sink.Add(Only(object, fields).view())) break;
    }
    return scopes;
  }
  static object::Object Only(const object::Object& object, object::FieldSet fields) {
    object::Object some = object;
    if (object.kind != object::Kind::kUser) return some;
    auto user = object::DecodeAs<kinds::User>(object.body);
    const auto* reflection = user.GetReflection();
    for (int i = 0; i < user.GetDescriptor()->field_count(); ++i) {
      const auto* field = user.GetDescriptor()->field(i);
      if (field->number() > 1 && (fields >> field->number() & 1) == 0) {
        reflection->ClearField(&user, field);
      }
    }
    some.body = object::Encode(user).body;
    some.unreadable &= fields;
    return some;
  }
  Result<std::vector<object::ReadAnswer>> Read(std::span<const object::ObjectKey>) override {
    return Fail(ErrorCode::kUnsupported, "not asked for by exports");
  }
  Result<void> Apply(std::span<const object::OperationGroup>, const object::Secrets&,
                     object::OutcomeSink&) override {
    return Fail(ErrorCode::kUnsupported, "not asked for by exports");
  }

  std::vector<object::Object> objects;
  std::vector<object::ScopeStatus> scopes = {
      {.kind = object::Kind::kUser, .scope = "ou=people,dc=x", .complete = true, .at = 1000}};
};

}  // namespace postern::jobs::test
