// tests/conformance/suite.h: what a provider's author gives the conformance suite.
//
// The suite (cases.cc) walks a target through the states that the core relies on. An author writes
// one World and one INSTANTIATE line; README.md shows both. Every case runs once for each kind the
// world names, plainly and with a bystander object whose field can't be read. What a system can't
// do is turned off with a reason, which the test prints.
#pragma once
#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "core/object/target.h"

namespace postern::conformance {

using google::protobuf::Message;
using object::Kind;

enum class Feature {
  kStableIds,   // the kind's objects have ids of the target's own
  kRename,      // a new key under the same id
  kValues,      // the kind has fields beside its key
  kClear,       // a field can be cleared
  kDelete,      // objects can be deleted
  kUnreadable,  // a field can be made unreadable
  kCutShort,    // an enumeration can be made to end early
  kLostAnswer,  // an answer can be lost
  kDeath,       // the provider can be killed in the middle of its operations
  kWho,         // the target records who changed an object
};
std::string_view NameOf(Feature feature);

// A live system that one test has for itself. Calls come from one thread. The hand-made changes and
// faults act at once, also on connections that are open; a World fails the test where it can't.
class World {
 public:
  virtual ~World() = default;

  // Empty: the feature is on for this kind. Else why it is off, for people.
  virtual std::string WhyOff(Feature feature, Kind kind) const = 0;
  // A new connection, as the core would make it.
  virtual Result<std::unique_ptr<object::Target>> Connect() = 0;
  // Values that operations name: "secret:NAME".
  virtual object::Secrets secrets() const { return {}; }

  // The nth object of a kind, in its `version` 0, 1, 2: the same key, other values. n < 2,000.
  virtual std::unique_ptr<Message> Sample(Kind kind, int n, int version) const = 0;
  // Object `to` as object `from` looks after a rename to its key: what makes the id stays.
  virtual std::unique_ptr<Message> Renamed(Kind kind, int /*from*/, int to) const {
    return Sample(kind, to, 0);
  }
  // How many objects the case of many makes; fewer where a server takes seconds for each.
  virtual int many() const { return 1000; }
  // Makes by hand what objects first..last of the kind need before they can be (an account for a
  // key). Once for a number and test.
  virtual void Prepare(Kind /*kind*/, int /*first*/, int /*last*/) {}

  // By another hand: creates or changes (the fields that are set), deletes.
  virtual void HandPut(const Message& object) = 0;
  virtual void HandDelete(Kind kind, const std::string& key) = 0;

  // Faults, until Mend. Called only where the feature is on.
  // Makes one field of one object unreadable; answers the field's number.
  virtual uint32_t MakeUnreadable(Kind kind, const std::string& key) = 0;
  virtual void CutShort(Kind kind, int objects) = 0;
  virtual void LoseAnswers(int operations) = 0;
  virtual void DieAfter(int operations) = 0;
  virtual void Mend() = 0;
};

struct Param {
  std::string name;  // "memory", "memory_process"
  Kind kind{};
  bool unreadable = false;  // with a bystander whose field can't be read
  std::function<std::unique_ptr<World>()> make;
};

// One Param for each kind, and a second one with `unreadable`.
std::vector<Param> Params(const std::string& name, const std::vector<Kind>& kinds,
                          const std::function<std::unique_ptr<World>()>& make);
std::string ParamName(const testing::TestParamInfo<Param>& info);
void PrintTo(const Param& param, std::ostream* out);

// Objects by key, as one enumeration gave them.
using Snapshot = std::map<object::ObjectKey, object::Object>;

class Conformance : public testing::TestWithParam<Param> {
 protected:
  void SetUp() override;
  void TearDown() override;

  // False, after printing why, when the feature is off: then the test returns.
  bool Has(Feature feature);
  void Reconnect();
  object::Object Sample(int n, int version = 0) const;
  // Every object of the kind; fails the test when the enumeration isn't complete, and checks what
  // is true of every enumeration: counts, keys that fit bodies, the bystander there and unreadable.
  // With fewer fields than all: a listing for who looks at those only.
  Snapshot Enumerate(object::FieldSet fields = object::kAllFields);
  object::ReadAnswer Read(const std::string& key);
  // Carries out and answers the outcomes in the order of the operations.
  std::vector<object::Outcome> Apply(std::vector<object::Operation> operations);
  object::Outcome ApplyOne(object::Operation operation);
  // An operation with the next number.
  object::Operation Change(const std::string& key, std::string before, std::string after);
  void Create(int n, int version = 0);
  // The object is live exactly as wanted: by read, by enumeration, and again.
  void ExpectLive(const object::Object& wanted);

  Kind kind() const { return GetParam().kind; }

  std::unique_ptr<World> world_;
  std::unique_ptr<object::Target> target_;

 private:
  void CheckBystander(const Snapshot& snapshot, object::FieldSet fields);
  uint64_t last_operation_ = 0;
  object::Object bystander_;
  uint32_t unreadable_field_ = 0;
};

// The sample number that Conformance uses for the bystander.
inline constexpr int kBystander = 1999;

}  // namespace postern::conformance
