// The memory provider in this process and as a process of its own.
#include <fmt/format.h>

#include <span>

#include "core/provider/client.h"
#include "providers/memory/edit.h"
#include "providers/memory/memory.h"
#include "providers/memory/world.h"
#include "schemas/provider.pb.h"
#include "tests/conformance/samples.h"
#include "tests/conformance/suite.h"
#include "tests/support/process.h"

namespace postern::conformance {
namespace {

bool IsDirectoryKind(Kind kind) {
  return kind <= Kind::kMembership;
}

class MemoryWorld : public World {
 public:
  // A runner's world stands beside that of the machine that it is.
  explicit MemoryWorld(Kind kind)
      : name_(kind == Kind::kJob ? "world.night" : "world"), file_(scratch_.File(name_)) {
    if (kind == Kind::kJob) {
      config_.set_name("runner:night");
      config_.mutable_runner()->set_name("night");
      config_.mutable_host()->set_name(names_.host);
      config_.mutable_host()->set_address("memory:" + scratch_.File("world"));
      return;
    }
    if (object::IsIamKind(kind)) {
      config_.set_name("iam:corp");
      config_.mutable_iam()->set_url("memory:" + file_);
      return;
    }
    if (IsDirectoryKind(kind)) {
      config_.set_name("directory:corp");
      config_.mutable_directory()->set_url("memory:" + file_);
      config_.mutable_directory()->mutable_manage()->mutable_bases()->add_values(names_.base);
      return;
    }
    config_.set_name("host:edge");
    config_.mutable_host()->set_name(names_.host);
    config_.mutable_host()->set_address("memory:" + file_);
    config_.mutable_host()->mutable_manage()->mutable_roots()->add_values(names_.root);
    config_.add_servers()->set_name(names_.server);
  }

  std::string WhyOff(Feature feature, Kind kind) const override {
    const object::KindTable& table = object::TableOf(kind);
    const bool has_id = kind == Kind::kOu || kind == Kind::kUser || kind == Kind::kAccount ||
                        kind == Kind::kDirectoryGroup || kind == Kind::kFolder ||
                        (object::IsIamKind(kind) && kind != Kind::kIamMembership);
    const bool has_values =
        object::Encode(*Sample(kind, 1, 0)).body != object::Encode(*Sample(kind, 1, 1)).body;
    switch (feature) {
      case Feature::kStableIds:
      case Feature::kRename:
        return has_id ? "" : fmt::format("a {} is its key and has no id", table.name);
      case Feature::kValues:
        return has_values ? "" : fmt::format("a {} has no field that may change", table.name);
      case Feature::kClear:
        return ClearableFields(kind) != 0 ? "" : "no field of it can be unset";
      case Feature::kUnreadable:
        return ValueField(kind) != nullptr ? "" : "it has no field beside its key";
      case Feature::kDeath:
        return "it runs in the test's own process";
      default:
        return "";
    }
  }
  Result<std::unique_ptr<object::Target>> Connect() override {
    return memory::OpenTarget(config_, Keys());
  }
  std::unique_ptr<Message> Sample(Kind kind, int n, int version) const override {
    return SampleOf(names_, kind, n, version);
  }
  void HandPut(const Message& message) override {
    const object::Object object = object::Encode(message);
    Hand([&](memory::World& world) {
      world.Put(object.kind, object.key, object.body, "another-hand");
    });
  }
  void HandDelete(Kind kind, const std::string& key) override {
    Hand([&](memory::World& world) { world.Delete(kind, key, "another-hand"); });
  }
  uint32_t MakeUnreadable(Kind kind, const std::string& key) override {
    const object::FieldTable* field = ValueField(kind);
    std::string fault = fmt::format("unreadable {} {}", object::NameOf(kind), field->name);
    for (const std::string_view part : object::SplitKey(key)) fault += fmt::format(" \"{}\"", part);
    AddFault(fault);
    return field->number;
  }
  void CutShort(Kind kind, int objects) override {
    AddFault(fmt::format("short-read {} {}", object::NameOf(kind), objects));
  }
  void LoseAnswers(int operations) override { AddFault(fmt::format("lost-answer {}", operations)); }
  void DieAfter(int operations) override { AddFault(fmt::format("die-after {}", operations)); }
  // A bystander stays unreadable.
  void Mend() override {
    std::erase_if(faults_, [](const std::string& f) { return !f.starts_with("unreadable"); });
    AddFault("");
  }

 protected:
  static object::Secrets Keys() { return {{"ledger-key", "a key for tests"}}; }

  provider::v1::TargetConfig config_;

 private:
  static const object::FieldTable* ValueField(Kind kind) {
    for (const object::FieldTable& field : object::TableOf(kind).fields) {
      if (!field.key && !field.secret) return &field;
    }
    return nullptr;
  }
  uint64_t ClearableFields(Kind kind) const {
    return object::FieldsSet(object::Encode(*Sample(kind, 1, 0)).body) &
           ~object::FieldsSet(object::Encode(*Sample(kind, 1, 2)).body);
  }
  template <class Change>
  void Hand(const Change& change) {
    auto world = memory::World::Open(file_);
    ASSERT_TRUE(world.has_value()) << world.error().message;
    ASSERT_TRUE((*world)->Lock().has_value());
    change(**world);
    ASSERT_TRUE((*world)->Commit().has_value());
  }
  void AddFault(const std::string& fault) {
    faults_.push_back(fault);
    scratch_.Write(name_ + ".faults", fmt::format("{}\n", fmt::join(faults_, "\n")));
  }

  const Names names_;
  support::Scratch scratch_;
  const std::string name_, file_;
  std::vector<std::string> faults_;
};

class ProcessWorld final : public MemoryWorld {
 public:
  using MemoryWorld::MemoryWorld;
  std::string WhyOff(Feature feature, Kind kind) const override {
    return feature == Feature::kDeath ? "" : MemoryWorld::WhyOff(feature, kind);
  }
  Result<std::unique_ptr<object::Target>> Connect() override {
    provider::StartOptions options;
    options.program = provider::ProviderProgram("memory");
    return provider::Start(options, config_, Keys());
  }
};

template <class W>
std::vector<Param> AllKinds(const std::string& name) {
  std::vector<Param> params;
  for (const object::KindTable& table : object::AllKinds()) {
    if (table.observed_only || table.kind == Kind::kSession || table.kind == Kind::kJobRun)
      continue;
    const Kind kind = table.kind;
    for (Param& param : Params(name, {kind}, [kind]() -> std::unique_ptr<World> {
           return std::make_unique<W>(kind);
         })) {
      params.push_back(std::move(param));
    }
  }
  return params;
}

INSTANTIATE_TEST_SUITE_P(Memory, Conformance, testing::ValuesIn(AllKinds<MemoryWorld>("memory")),
                         ParamName);
INSTANTIATE_TEST_SUITE_P(MemoryProcess, Conformance,
                         testing::ValuesIn(AllKinds<ProcessWorld>("memory")), ParamName);

}  // namespace
}  // namespace postern::conformance
