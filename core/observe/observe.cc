#include "core/observe/observe.h"

#include <algorithm>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "schemas/kinds.pb.h"

namespace postern::observe {
namespace {

using object::Kind;
using object::KnownKey;
using Clock = std::chrono::steady_clock;

// Point reads a call; a provider answers them in batches of its own.
constexpr size_t kReadBatch = 500;

class SetSink : public object::ObjectSink {
 public:
  SetSink(ObservedTarget* target, const Progress& progress)
      : target_(target), progress_(progress) {}

  bool Add(const object::ObjectView& object) override {
    target_->objects.Add(object);
    // Once in a while: a progress line isn't worth a lock for each object.
    if ((++count_ & 0x3ff) == 0 && progress_) progress_(target_->name, {.objects = count_});
    return true;
  }
  uint64_t count() const { return count_; }

 private:
  ObservedTarget* target_;
  const Progress& progress_;
  uint64_t count_ = 0;
};

object::ScopeStatus* ScopeHolding(ObservedTarget& target, Kind kind, std::string_view key) {
  const std::string_view name = ScopeOf(kind, key, target.scopes);
  for (object::ScopeStatus& scope : target.scopes) {
    if (scope.kind == kind && scope.scope == name) return &scope;
  }
  return nullptr;
}

void MarkIncomplete(Kind kind, std::string_view key, std::string reason, ObservedTarget* target) {
  object::ScopeStatus* scope = ScopeHolding(*target, kind, key);
  if (scope == nullptr) return;
  scope->complete = false;
  scope->reason = std::move(reason);
}

// Asks for what is known in batches; `each` answer in turn. `wants`: whether an answer about it is
// still worth a question. `asked`: how far it is, after each batch.
Result<void> ReadEach(object::Target& client, const std::vector<KnownKey>& known,
                      const std::function<bool(const KnownKey&)>& wants,
                      const std::function<void(const object::ReadAnswer&)>& each,
                      const std::function<void(size_t)>& asked) {
  for (size_t next = 0; next < known.size();) {
    std::vector<KnownKey> batch;
    for (; next < known.size() && batch.size() < kReadBatch; ++next) {
      if (wants(known[next])) batch.push_back(known[next]);
    }
    if (batch.empty()) break;
    auto answers = client.ReadKnown(batch);
    if (!answers) return tl::unexpected(answers.error());
    if (answers->size() != batch.size()) {
      return Fail(ErrorCode::kInternal, "the provider breaks the protocol: a read lacks answers");
    }
    for (const object::ReadAnswer& answer : *answers) each(answer);
    asked(next);
  }
  return {};
}

// Of what is recorded: what a complete listing lacks, and what it shows otherwise.
struct Doubts {
  std::vector<KnownKey> missing, changed;
};

bool ShowsOtherwise(const KnownObject& known, const object::ObjectView& live) {
  const bool entry =
      known.kind == Kind::kUser || known.kind == Kind::kOu || known.kind == Kind::kDirectoryGroup;
  if (!entry || object::Satisfies(known.kind, known.body, live.body)) return false;
  const auto differences = object::Differences(known.kind, known.body, live.body);
  return std::any_of(differences.begin(), differences.end(), [&](const auto& difference) {
    return (live.unreadable >> difference.field & 1) == 0;
  });
}

KnownKey KeyOf(const KnownObject& known) {
  return {{known.kind, std::string(known.key)}, std::string(known.id)};
}

// What a listing of an IAM system shows under another name is there. (Of other kinds an id may be
// another's by now: an inode.)
void DropRenamed(const ObservedTarget& target, std::vector<KnownKey>* missing) {
  const auto has_id = [](Kind kind, std::string_view id) {
    return object::IsIamKind(kind) && !id.empty();
  };
  if (std::none_of(missing->begin(), missing->end(),
                   [&](const KnownKey& one) { return has_id(one.key.kind, one.id); })) {
    return;
  }
  std::set<std::pair<Kind, std::string_view>> listed;
  for (const object::ObjectView& object : target.objects.all()) {
    if (has_id(object.kind, object.id)) listed.emplace(object.kind, object.id);
  }
  std::erase_if(*missing, [&](const KnownKey& one) {
    return listed.contains({one.key.kind, std::string_view(one.id)});
  });
}

Doubts FindDoubts(const std::vector<KnownObject>& known, ObservedTarget* target) {
  Doubts doubts;
  // Both sides are sorted, so one walk over them tells what is missing.
  auto at = target->objects.all().begin();
  const auto end = target->objects.all().end();
  for (const KnownObject& one : known) {
    while (at != end && (at->kind != one.kind ? at->kind < one.kind : at->key < one.key)) ++at;
    if (at != end && at->kind == one.kind && at->key == one.key) {
      if (ShowsOtherwise(one, *at)) doubts.changed.push_back(KeyOf(one));
      // Another one has the name: whoever had it may be there by another.
      const bool replaced = object::IsIamKind(one.kind) && !one.id.empty() && one.id != at->id;
      if (replaced) doubts.missing.push_back(KeyOf(one));
      continue;
    }
    if (one.kind == Kind::kSession || object::TableOf(one.kind).observed_only) continue;
    const object::ScopeStatus* scope = ScopeHolding(*target, one.kind, one.key);
    if (scope != nullptr && scope->complete) doubts.missing.push_back(KeyOf(one));
  }
  DropRenamed(*target, &doubts.missing);
  return doubts;
}

bool IsInactive(const object::Object& object) {
  if (object.kind != Kind::kIamUser) return false;
  const auto user = object::DecodeAs<kinds::IamUser>(object.body);
  return user.has_active() && !user.active();
}

// A recorded object that a complete listing lacks is asked for by itself. Found after all: the
// listing was short, and nothing may be concluded from what it lacks. Not told: nothing is
// concluded either, and the rest of that scope isn't asked for, because the server may be gone.
Result<void> ConfirmAbsences(object::Target& client, const std::vector<KnownKey>& missing,
                             const std::function<void(size_t)>& asked, ObservedTarget* target) {
  std::set<object::ObjectKey> found;
  std::set<const object::ScopeStatus*> untold;
  const auto wants = [&](const KnownKey& one) {
    return !untold.contains(ScopeHolding(*target, one.key.kind, one.key.key));
  };
  const auto take = [&](const object::ReadAnswer& answer) {
    const object::Object& object = answer.object;
    if (answer.answer == object::Answer::kAbsent) return;
    const object::ScopeStatus* scope = ScopeHolding(*target, object.kind, object.key);
    if (scope == nullptr) return;
    const std::string what = object::Describe(object.kind, object.key);
    if (answer.answer == object::Answer::kValue) {
      const object::ObjectView* listed = target->objects.Find(object.kind, object.key);
      if (listed != nullptr && listed->id == object.id) return;  // by its name, of whom is listed
      // Some servers list only who is active. Their no is one that others' facts don't wait for.
      if (!IsInactive(object)) {
        MarkIncomplete(object.kind, object.key, "the listing lacked " + what + ", which is there",
                       target);
      }
      if (listed != nullptr) return;
      const bool is_new = found.insert({object.kind, object.key}).second;
      if (is_new) target->objects.Add(object.view());
    } else {
      MarkIncomplete(object.kind, object.key, what + " could not be read: " + answer.reason,
                     target);
      untold.insert(scope);
    }
  };
  auto done = ReadEach(client, missing, wants, take, asked);
  if (!found.empty()) target->objects.Sort();
  return done;
}

// An entry that a listing shows otherwise than it is recorded: what it is when asked for by name.
// One that went away meanwhile stays as listed; apply looks again before it writes.
Result<void> ConfirmChanges(object::Target& client, const std::vector<KnownKey>& changed,
                            ObservedTarget* target) {
  const auto take = [&](const object::ReadAnswer& answer) {
    const object::Object& object = answer.object;
    if (answer.answer == object::Answer::kValue) {
      target->objects.Replace(object.view());
    } else if (answer.answer == object::Answer::kUnreadable) {
      MarkIncomplete(
          object.kind, object.key,
          object::Describe(object.kind, object.key) + " could not be read: " + answer.reason,
          target);
    }
  };
  return ReadEach(
      client, changed, [](const KnownKey&) { return true; }, take, [](size_t) {});
}

void ObserveOne(object::Target& client, const std::vector<KnownObject>& known,
                const Progress& progress, ObservedTarget* target) {
  const auto start = Clock::now();
  const auto finish = [&](const Error* error) {
    target->reached = error == nullptr;
    if (error != nullptr) target->error = *error;
    target->took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
    if (progress) progress(target->name, {.objects = target->objects.all().size(), .done = true});
  };
  auto probe = client.ProbeTarget();
  if (!probe) return finish(&probe.error());
  target->probe = *std::move(probe);
  SetSink sink(target, progress);
  target->objects.Reserve(known.size());  // about as many as last time
  auto scopes = client.Enumerate({}, sink);
  if (!scopes) return finish(&scopes.error());
  target->scopes = *std::move(scopes);
  target->objects.Sort();
  const Doubts doubts = FindDoubts(known, target);
  auto confirmed = ConfirmChanges(client, doubts.changed, target);
  const auto asked = [&](size_t count) {
    if (progress) progress(target->name, {sink.count(), doubts.missing.size(), count});
  };
  if (confirmed) confirmed = ConfirmAbsences(client, doubts.missing, asked, target);
  if (!confirmed) return finish(&confirmed.error());
  finish(nullptr);
}

}  // namespace

const object::ScopeStatus* ObservedTarget::Scope(Kind kind, std::string_view scope) const {
  for (const object::ScopeStatus& status : scopes) {
    if (status.kind == kind && status.scope == scope) return &status;
  }
  return nullptr;
}

const ObservedTarget* Observed::Find(std::string_view name) const {
  for (const ObservedTarget& target : targets) {
    if (target.name == name) return &target;
  }
  return nullptr;
}

std::string_view ScopeOf(Kind kind, std::string_view key,
                         const std::vector<object::ScopeStatus>& scopes) {
  const std::string_view first = key.substr(0, key.find(object::kKeySeparator));
  // One scope for all of the system that is managed, or for all jobs of a runner.
  if (object::IsIamKind(kind) || kind == Kind::kJob || kind == Kind::kJobRun) return {};
  if (kind != Kind::kOu && kind != Kind::kUser && kind != Kind::kDirectoryGroup &&
      kind != Kind::kMembership) {
    return first;
  }
  // The longest base that the entry's name ends in.
  std::string_view best;
  for (const object::ScopeStatus& scope : scopes) {
    if (scope.kind != kind || !first.ends_with(scope.scope)) continue;
    const bool whole = first.size() == scope.scope.size() || scope.scope.empty() ||
                       first[first.size() - scope.scope.size() - 1] == ',';
    if (whole && scope.scope.size() >= best.size()) best = scope.scope;
  }
  return best;
}

Observed Observe(std::vector<OpenTarget>& targets, const Known& known, const Progress& progress) {
  static const std::vector<KnownObject> kNothing;
  Observed observed;
  observed.targets.resize(targets.size());
  std::mutex mutex;
  const Progress locked = progress ? Progress([&](const std::string& name, const Seen& seen) {
    const std::lock_guard lock(mutex);
    progress(name, seen);
  })
                                   : Progress();
  std::vector<std::thread> threads;
  for (size_t i = 0; i < targets.size(); ++i) {
    ObservedTarget& target = observed.targets[i];
    target.name = targets[i].name;
    if (targets[i].target == nullptr) {
      target.error = targets[i].error;
      continue;
    }
    const auto keys = known.find(target.name);
    threads.emplace_back([&, i, keys] {
      ObserveOne(*targets[i].target, keys == known.end() ? kNothing : keys->second, locked,
                 &observed.targets[i]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::sort(observed.targets.begin(), observed.targets.end(),
            [](const ObservedTarget& a, const ObservedTarget& b) { return a.name < b.name; });
  return observed;
}

}  // namespace postern::observe
