// core/observe/observe.h: what is live, over all targets, in parallel.
//
// One provider process and one thread a target. Judges nothing: statuses are handed on as they
// came, except that a recorded object which a listing claimed not to contain is asked for by
// itself, and a listing that a point read contradicts is marked incomplete. Cost: the listing, and
// one question for each recorded object that it lacks.
#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/config/declarations.h"
#include "core/object/target.h"

namespace postern::observe {

// Finds secret values by the operator's [secret.NAME] tables. exec: runs without a shell.
// Errors name the secret and the table, never a value.
class SecretStore {
 public:
  explicit SecretStore(const config::Declarations* declarations) : declarations_(declarations) {}
  // `name` without "secret:"; `target` is checked against the table's allow-list.
  Result<std::string> Find(std::string_view name, std::string_view target) const;

 private:
  const config::Declarations* declarations_;
};

// One open connection to a provider, by the target's name ("host:edge", "directory:corp",
// "iam:hr").
struct OpenTarget {
  std::string name;
  std::unique_ptr<object::Target> target;  // null: `error` says why
  Error error;
};

struct OpenOptions {
  std::string ledger_id;
  uint64_t generation = 0;
  std::string ledger_key;  // for HMACs over stored passwords
};

// Starts the providers of all declared targets, in parallel. Never fails as a whole.
std::vector<OpenTarget> OpenTargets(const config::Declarations& declarations,
                                    const OpenOptions& options);

struct ObservedTarget {
  std::string name;
  bool reached = false;
  Error error;  // when not reached
  object::Probe probe;
  object::ObjectSet objects;
  std::vector<object::ScopeStatus> scopes;
  std::chrono::milliseconds took{0};

  // Null: the kind was not enumerated in that scope.
  const object::ScopeStatus* Scope(object::Kind kind, std::string_view scope) const;
};

struct Observed {
  std::vector<ObservedTarget> targets;  // in order of name
  const ObservedTarget* Find(std::string_view name) const;
};

// What the ledger says is there, as views that outlive the call. `body`: the fields as recorded.
struct KnownObject {
  object::Kind kind{};
  std::string_view key, body;
  std::string_view id;  // the target's own; empty: none is recorded
};
// By target and sorted by (kind, key); one key may stand there with several ids. Confirmed by a
// point read, by id where the target has such, where a listing lacks it and, of directories'
// entries, where the listing shows a field otherwise: access rules can hide a field of one entry,
// which a listing doesn't tell from a field that isn't there.
using Known = std::map<std::string, std::vector<KnownObject>>;

// How far the observation of one target is.
struct Seen {
  uint64_t objects = 0;
  uint64_t doubtful = 0, asked = 0;  // objects that its listing lacks; of them asked for so far
  bool done = false;
};
// Called from the targets' threads, one at a time.
using Progress = std::function<void(const std::string& target, const Seen& seen)>;

Observed Observe(std::vector<OpenTarget>& targets, const Known& known,
                 const Progress& progress = {});

// The scope an object belongs to: its server, its host, (directories) the base that holds its DN,
// or (IAM systems) the one without a name.
std::string_view ScopeOf(object::Kind kind, std::string_view key,
                         const std::vector<object::ScopeStatus>& scopes);

}  // namespace postern::observe
