// core/object/target.h: the contract between core and a target, in plain types.
//
// The same interface stands on both sides of the wire: a provider implements Target for the system
// it manages; core/provider implements it over RPC. Tests that need no process use a provider's
// Target directly. Calls come from one thread at a time. Nothing throws across this border.
#pragma once
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/object/object.h"

namespace postern::object {

// Values by name; never logged, never in a plan or ledger.
using Secrets = std::map<std::string, std::string>;

struct Capability {
  std::string kind, field, server;  // server empty: the whole target
  std::string support;              // native, widens, coarser, unsupported
  std::vector<std::string> widens_to;
  std::string why;
  std::vector<std::string> alternatives;
};

// What `postern providers doctor` prints: a thing the target needs, and the lines that mend it.
struct Check {
  std::string name;
  bool ok = false;
  std::string found;
  std::vector<std::string> lines_to_add;
  std::string where;
};

// How a target is spoken to: one property of it, and where the value comes from.
struct Setting {
  std::string name, value;
  std::string origin;  // declared, probe, preset, discovery, default
  std::string why;
};

struct Probe {
  std::string product, product_version;
  std::string identity;  // who we are there
  int64_t clock_skew_ms = 0;
  std::vector<Capability> capabilities;
  std::vector<Check> checks;
  std::map<Kind, std::string>
      concurrency;  // native CAS, value CAS, atomic replace, verify-then-write
  std::vector<Setting> settings;
};

// One (kind, scope) of an enumeration. Anything but complete blocks decisions in that scope only.
struct ScopeStatus {
  Kind kind{};
  std::string scope;  // server name, base DN or managed root
  bool complete = false;
  std::string reason;  // when not complete
  uint64_t count = 0;
  bool sentinel_seen = false;
  // Why the count can't be relied on although everything was read (it moved meanwhile); nothing
  // destructive is planned from it. Empty: it can.
  std::string unstable;
  base::Instant at = 0;  // when the reading that counted began; 0: not known
};

class ObjectSink {
 public:
  virtual ~ObjectSink() = default;
  // Copies what it is given; blocks while the core is behind. False: the core went away, stop.
  virtual bool Add(const ObjectView& object) = 0;
};

// One operation on one object. `before`: what must be live (empty: absent; fields it leaves unset
// are not checked). `after`: what shall be live (empty: absent; unset fields stay as they are).
// Removing a session means ending it.
struct Operation {
  uint64_t id = 0;
  Kind kind{};
  std::string key;
  std::string before, after;
  std::string expect_id;        // stable id that the object must have; empty: not checked
  std::string new_key;          // a rename keeps the stable id
  std::vector<uint32_t> clear;  // fields to clear
};

struct OperationGroup {
  std::string container;
  std::vector<Operation> operations;
};

enum class Status : uint8_t {
  kApplied = 1,
  kAlreadySo = 2,
  kPreconditionFailed = 3,  // live value is in the read-back
  kTransient = 4,           // nothing was done; trying again may help
  kDenied = 5,
  kUnknown = 6,  // may have been done; a read decides
};

struct Outcome {
  uint64_t id = 0;
  Status status = Status::kUnknown;
  ReadAnswer live;      // read back after the write, never the echo of the request
  std::string message;  // for everything but kApplied and kAlreadySo
};

class OutcomeSink {
 public:
  virtual ~OutcomeSink() = default;
  virtual void Add(Outcome outcome) = 0;
};

// Fields of one kind, as bits by their numbers.
using FieldSet = uint64_t;
inline constexpr FieldSet kAllFields = ~FieldSet{0};

// An object that was seen before.
struct KnownKey {
  ObjectKey key;
  std::string id;  // the target's own at that time; empty: the kind has none
  auto operator<=>(const KnownKey&) const = default;
};

class Target {
 public:
  virtual ~Target() = default;
  virtual Result<Probe> ProbeTarget() = 0;
  // Streams every object of the asked kinds (empty: all) inside the managed scope, in any order,
  // and returns one status for each (kind, scope). An error means nothing can be said about the
  // target.
  virtual Result<std::vector<ScopeStatus>> Enumerate(std::span<const Kind> kinds,
                                                     ObjectSink& sink) = 0;
  // As Enumerate of one kind, for a reader that looks at some of its fields only. What the others
  // hold says nothing then, and neither do the stable id and who changed it: a target may leave
  // them out, so that a list of names needs no password hashes. By default nothing is left out.
  virtual Result<std::vector<ScopeStatus>> EnumerateFields(Kind kind, FieldSet fields,
                                                           ObjectSink& sink) {
    (void)fields;
    return Enumerate({&kind, 1}, sink);
  }
  // One answer for each key, in order. Absent is a statement: it was looked for and isn't there.
  virtual Result<std::vector<ReadAnswer>> Read(std::span<const ObjectKey> keys) = 0;
  // Carries each group out as a unit where the target can; answers every operation exactly once.
  // An error (a provider that died) leaves what has no answer unknown.
  virtual Result<void> Apply(std::span<const OperationGroup> groups, const Secrets& secrets,
                             OutcomeSink& sink) = 0;
  // As Read, of objects that were seen before and that a listing lacks. Where the target can be
  // asked for an id, the id decides: absent says that it is gone; one that is there under another
  // key is unreadable, and the reason names it. By default the keys alone are asked for.
  virtual Result<std::vector<ReadAnswer>> ReadKnown(std::span<const KnownKey> known) {
    std::vector<ObjectKey> keys;
    keys.reserve(known.size());
    for (const KnownKey& one : known) keys.push_back(one.key);
    return Read(keys);
  }
};

}  // namespace postern::object
