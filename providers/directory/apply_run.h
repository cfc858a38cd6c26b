// providers/directory/apply_run.h: operations on their way.
//
// For apply.cc and members.cc alone. One thread.
#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "providers/directory/changes.h"

namespace postern::directory {

// slapd reads at most 4 MiB a request, 389-ds 2 MiB.
inline constexpr size_t kRequestBytes = size_t{1} << 20;

struct Item {
  const object::Operation* op = nullptr;
  std::string key;  // where the entry is now
  Progress progress;
  int conflicts = 0, lost = 0;
  bool done = false;
  bool failed = false;  // `status` stands; only the read-back is missing
  object::Status status = object::Status::kUnknown;
  std::string message;
};

// One write and the operations that it carries out.
struct Planned {
  Write write;
  std::vector<Item*> items;
  std::string group;  // memberships: the group's key
  bool is_password = false;
};

// Operations of which no two are on one object.
class ApplyRun {
 public:
  ApplyRun(DirectoryTarget& target, const object::Secrets& secrets, object::OutcomeSink& sink)
      : target_(target), sink_(sink) {
    context_ = {&target.features(), &target.reading(), &secrets};
  }
  void Add(const object::Operation& op) { items_.push_back({.op = &op, .key = op.key}); }
  void Run();

 private:
  // Writes of one stage don't depend on each other; stages run in ascending order.
  using Stages = std::map<int, std::vector<Planned>>;
  std::set<std::string> KeysToRead() const;
  void PlanEntry(Item& item, Stages* stages);
  bool PlanRename(Item& item, Stages* stages);
  Step NextStep(const Item& item, const Snapshot& at, std::vector<Item*>* first);
  void PlanMembers(std::string_view group, std::vector<Item*>& items, Stages* stages);
  void SplitMembers(std::string_view group, const Snapshot& at, const std::vector<Item*>& wanted,
                    Stages* stages);
  void Carry(Stages& stages);
  void Settle(Planned& planned, const WriteAnswer& answer);
  void Finish(Item& item, object::Status status, std::string message = {});
  void FinishUnreadable(Item& item, const Snapshot& at);
  bool CreatesGroup(std::string_view group) const;

  DirectoryTarget& target_;
  object::OutcomeSink& sink_;
  ChangeContext context_;
  std::vector<Item> items_;
  Snapshots snapshots_;
  std::map<std::string, std::vector<Item*>, std::less<>> members_;
  std::map<std::string, size_t, std::less<>> split_;  // members a request, where one was refused
};

}  // namespace postern::directory
