#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/diag/codes.h"
#include "core/jobs/snapshot/snapshot.h"
#include "core/jobs/snapshot/snapshot_json.h"

namespace postern::jobs {
namespace {

using Json = nlohmann::ordered_json;

// What stands in the way of a snapshot, a diagnostic a target: a half-read world that is restored
// would be taken for the whole.
class Judge {
 public:
  explicit Judge(diag::Diagnostics* diagnostics) : diagnostics_(diagnostics) {}

  void Look(const observe::ObservedTarget& target) {
    std::vector<std::string> why;
    if (!target.reached) {
      why.push_back(target.error.message);
    } else {
      for (const object::ScopeStatus& scope : target.scopes) LookAt(scope, &why);
      LookAtFields(target, &why);
    }
    if (why.empty()) return;
    fine_ = false;
    why.emplace_back("take it again when all can be read: postern providers doctor");
    diagnostics_->Add({.code = diag::code::kSnapshotIncomplete,
                       .summary = target.name + " can't be read as a whole: no snapshot",
                       .subject = target.name,
                       .notes = std::move(why)});
  }
  bool fine() const { return fine_; }

 private:
  static void LookAt(const object::ScopeStatus& scope, std::vector<std::string>* why) {
    const std::string name = object::Spoken(object::NameOf(scope.kind)) + "s" +
                             (scope.scope.empty() ? "" : " of " + scope.scope);
    if (!scope.complete) why->push_back(name + ": " + scope.reason);
    if (!scope.unstable.empty()) why->push_back(name + ": " + scope.unstable);
  }

  static void LookAtFields(const observe::ObservedTarget& target, std::vector<std::string>* why) {
    constexpr size_t kMost = 3;
    size_t unread = 0;
    for (const object::ObjectView& object : target.objects.all()) {
      if (object.unreadable == 0 || ++unread > kMost) continue;
      why->push_back(object::Describe(object.kind, object.key) + " has a field that can't be read");
    }
    if (unread > kMost) why->push_back(fmt::format("and {} more", unread - kMost));
  }

  diag::Diagnostics* diagnostics_;
  bool fine_ = true;
};

// Counts and hashes what goes to the sink.
class Out {
 public:
  explicit Out(const Sink& sink) : sink_(sink) {}
  Result<void> Line(std::string line) {
    line += '\n';
    content_.Add(line);
    return Pass(line);
  }
  Result<SnapshotTotals> End(uint64_t objects) {
    const Json end{{"objects", objects}, {"sha256", base::Hex(content_.Finish())}};
    if (auto passed = Pass(end.dump() + "\n"); !passed) return tl::unexpected(passed.error());
    totals_.objects = objects;
    totals_.sha256 = whole_.Finish();
    return totals_;
  }

 private:
  Result<void> Pass(std::string_view bytes) {
    whole_.Add(bytes);
    totals_.bytes += bytes.size();
    return sink_(bytes);
  }

  const Sink& sink_;
  base::Hasher content_, whole_;
  SnapshotTotals totals_;
};

}  // namespace

Result<SnapshotTotals> WriteSnapshot(const SnapshotHead& head, const observe::Observed& observed,
                                     const Sink& sink, diag::Diagnostics* diagnostics) {
  Judge judge(diagnostics);
  for (const observe::ObservedTarget& target : observed.targets) judge.Look(target);
  if (!judge.fine()) return Fail(ErrorCode::kIncomplete, "not everything could be read");
  Out out(sink);
  Json targets = Json::array();
  for (const auto& target : observed.targets) targets.push_back(target.name);
  const Json first{{"postern", "snapshot"},
                   {"version", kSnapshotVersion},
                   {"taken", base::FormatInstant(head.taken)},
                   {"ledger", head.ledger_id},
                   {"generation", head.generation},
                   {"revision", head.revision},
                   {"targets", targets}};
  if (auto put = out.Line(first.dump()); !put) return tl::unexpected(put.error());
  uint64_t objects = 0;
  for (const observe::ObservedTarget& target : observed.targets) {
    const std::string name = Json(target.name).dump();
    for (const object::ObjectView& object : target.objects.all()) {
      auto put = out.Line(fmt::format(R"({{"target":{},"kind":"{}","fields":{}}})", name,
                                      object::NameOf(object.kind), FieldsJson(object)));
      if (!put) return tl::unexpected(put.error());
      ++objects;
    }
  }
  return out.End(objects);
}

}  // namespace postern::jobs
