// providers/iam/scim/apply_run.h: operations on their way.
//
// For apply.cc and members.cc alone. One thread.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "providers/iam/scim/changes.h"
#include "providers/iam/scim/locate.h"

namespace postern::iam {

struct Item {
  const object::Operation* op = nullptr;
  std::string key;  // where it is now
  Progress progress;
  int conflicts = 0, lost = 0;
  bool done = false;
  std::string taken;    // the server says that a name or value is taken: its words
  bool failed = false;  // `status` stands; only the read-back is missing
  object::Status status = object::Status::kUnknown;
  std::string message;

  bool touched() const { return progress.written || progress.unsure; }
  bool is_removal() const { return op->after.empty(); }
};

// Operations of which no two are on one object.
class ApplyRun {
 public:
  ApplyRun(ScimTarget& target, object::OutcomeSink& sink) : target_(target), sink_(sink) {}
  void Add(const object::Operation& op) { items_.push_back({.op = &op, .key = op.key}); }
  void Run();

 private:
  // One write and the operations that it carries out.
  struct Planned {
    ScimWrite write;
    std::vector<Item*> items;
  };

  void ReadAll();
  void PlanEntry(Item& item);
  bool PlanRename(Item& item);
  bool Waits(const Item& item) const;
  void PlanMembers(const std::string& group, std::vector<Item*>& items);
  bool JudgeMember(Item& item, const Snapshot& group);
  void AddFirstMembers(const Item& group, Planned* planned);
  void PlanChunk(const std::string& group, const Snapshot& at, const std::vector<Item*>& wanted);
  void RefuseUnbound();
  void Carry();
  void SettleCreation(const Planned& planned, const HttpResult& result);
  void Settle(const Planned& planned, const HttpResult& result);
  void SettleAnswer(const Planned& planned, Item& item, const HttpAnswer& answer);
  void SettleLost(Item& item, const std::string& why);
  void TakeId(const Item& item, const std::string& id);
  void Finish(Item& item, object::Status status, std::string message = {});
  void FinishUnreadable(Item& item, const Snapshot& at);
  bool IsPending(const object::ObjectKey& key) const;

  ScimTarget& target_;
  object::OutcomeSink& sink_;
  std::vector<Item> items_;
  Snapshots snapshots_;
  Snapshots people_;                                   // members that were read before in this run
  std::map<std::string, std::vector<Item*>> members_;  // by the group's key
  std::map<std::string, size_t> split_;                // members a request, where one was refused
  std::set<std::string> bare_;  // groups that the server doesn't make with members
  std::vector<Planned> planned_;
};

}  // namespace postern::iam
