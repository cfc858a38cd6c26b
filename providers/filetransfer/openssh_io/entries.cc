// Entries of ACLs by other hands, taken away.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "providers/filetransfer/host/tree_io.h"
#include "providers/filetransfer/openssh_io/server.h"
#include "providers/filetransfer/server/entry_rules.h"
#include "schemas/kinds.pb.h"

namespace postern::filetransfer {
namespace {

using object::Operation;
using object::Outcome;
using object::Status;

// Several operations on one tree: each node from what was read to what all of them leave.
class Removal {
 public:
  Removal(posix::Tree tree, std::vector<posix::ForeignEntry> entries)
      : tree_(std::move(tree)), entries_(std::move(entries)) {}

  void Take(const std::string& path) {
    std::vector<posix::ForeignEntry> here;
    std::copy_if(entries_.begin(), entries_.end(), std::back_inserter(here),
                 [&](const posix::ForeignEntry& entry) { return entry.path == path; });
    for (posix::Change& change : posix::WithoutEntries(tree_, path, here)) {
      tree_.Put(change.path, change.after);
      const auto [at, fresh] = changes_.try_emplace(change.path, change);
      if (!fresh) at->second.after = std::move(change.after);
    }
  }

  std::vector<posix::Change> Changes() const {
    std::vector<posix::Change> out;
    for (const auto& [path, change] : changes_) out.push_back(change);
    return out;
  }

 private:
  posix::Tree tree_;
  std::vector<posix::ForeignEntry> entries_;
  std::map<std::string, posix::Change, posix::PathOrder> changes_;
};

}  // namespace

// A rule that isn't any more as it was when this was planned is left alone.
std::vector<Outcome> OpenSshServer::ApplyEntries(std::span<const Operation> operations) {
  std::vector<Outcome> out;
  for (const Operation& operation : operations) {
    out.push_back({.id = operation.id, .status = Status::kTransient, .live = {}, .message = {}});
  }
  const auto all = [&](Status from, Status to, const std::string& why) {
    for (Outcome& outcome : out) {
      if (outcome.status != from) continue;
      outcome.status = to;
      outcome.message = why;
    }
    return out;
  };
  auto snapshot = Take({.keys = false, .grants = true});
  if (!snapshot) return all(Status::kTransient, Status::kTransient, snapshot.error().message);
  if (!snapshot->grant_problem.empty()) {
    return all(Status::kTransient, Status::kDenied, snapshot->grant_problem);
  }
  auto entries = EntriesOf(*snapshot, settings_);
  const auto live = EntryRules(settings_.name, entries, {});
  Removal removal(snapshot->tree.tree, std::move(entries));
  for (size_t i = 0; i < operations.size(); ++i) {
    const auto at = std::find_if(live.begin(), live.end(), [&](const object::Object& rule) {
      return rule.key == operations[i].key;
    });
    if (at == live.end()) {
      out[i].status = Status::kAlreadySo;
    } else if (at->body != operations[i].before) {
      out[i].status = Status::kPreconditionFailed;
    } else {
      removal.Take(object::DecodeAs<kinds::NativeRule>(at->body).path());
      out[i].status = Status::kApplied;
    }
  }
  const auto written = WriteTree(transport_, removal.Changes(), settings_.roots);
  if (!written) {
    return all(Status::kApplied, written.error().retryable() ? Status::kUnknown : Status::kDenied,
               written.error().message);
  }
  if (written->refused.empty()) return out;
  const auto& first = written->refused.front();
  return all(Status::kApplied, Status::kTransient,
             fmt::format("{} is as it was: {}", posix::EscapeName(first.path), first.why));
}

}  // namespace postern::filetransfer
