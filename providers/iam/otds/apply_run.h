// providers/iam/otds/apply_run.h: operations on their way.
//
// For apply.cc, members.cc and access_members.cc alone. One thread.
#pragma once
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "providers/iam/otds/writes.h"

namespace postern::iam::otds {

struct Item {
  const object::Operation* op = nullptr;
  std::string key;  // where the object is now
  Progress progress;
  int writes = 0, lost = 0;
  bool alone = false;  // a write of several was refused: which of them is at fault shows one by one
  Next last;           // the write that was sent last
  // A write was refused with this: it stands unless the next read shows it done.
  std::optional<std::pair<object::Status, std::string>> refusal;
};

// Operations of which no two are on one object.
class ApplyRun {
 public:
  ApplyRun(OtdsTarget& target, const object::Secrets& secrets, object::OutcomeSink& sink);
  void Add(const object::Operation& op) { items_.push_back({.op = &op, .key = op.key}); }
  void Run();

 private:
  // ---- objects: apply.cc ----
  void RunObjects(std::deque<Item*> pending);
  std::vector<Item*> Step(const std::vector<Item*>& chunk);
  void ReadChunk(const std::vector<Item*>& chunk, std::vector<Live>* at, std::vector<Live>* other);
  // True: `next` is to be sent; false: the item is answered.
  bool Decide(Item& item, Live& at, const Live& other, Next* next);
  void CheckSecret(Item& item);
  bool MayGoNow(const Next& next, std::set<Guess>* tried) const;
  void Settle(Item& item, const Written& written);
  void Judge(const Item& item, bool kept);
  void Finish(const Item& item, object::Status status, std::string message, const Live& live);

  // ---- memberships: members.cc, member_requests.cc ----
  struct Batch;
  void RunSet(std::vector<Item*> items);
  std::vector<Item*> DecideMembers(const LiveSet& live, const SetRef& set,
                                   const std::vector<Item*>& items);
  Next DecideMember(const Item& item, const LiveSet& live, const SetRef& set) const;
  void FinishMember(const Item& item, object::Status status, std::string message,
                    const LiveSet& live, const SetRef& set);
  std::vector<Batch> BatchesOf(const LiveSet& live, const SetRef& set,
                               const std::vector<Item*>& items);
  void WriteBatch(const LiveSet& live, const SetRef& set, Batch& batch);
  Result<HttpRequest> RequestOf(const LiveSet& live, const SetRef& set, Batch& batch);
  Result<HttpRequest> RoleRequest(const LiveSet& live, const Batch& batch);
  Result<HttpRequest> AccessRequest(const LiveSet& live, Batch& batch);
  Result<std::string> LocationOf(const MemberRef& member);
  MemberRef MemberOf(const Item& item) const;

  OtdsTarget& target_;
  const object::Secrets& secrets_;
  object::OutcomeSink& sink_;
  WriteContext context_;
  std::vector<Item> items_;
  std::map<std::string, std::string> locations_;  // of members that were asked for, by key
};

inline constexpr int kLostAnswers = 3;
inline constexpr int kWrites = 3;  // of one operation, before the server is taken to ignore them

// Members of one set that one request adds or removes.
struct ApplyRun::Batch {
  bool add = false;
  MemberType type{};  // of groups each type has its own list, of roles what is a role has
  std::vector<Item*> items;
  std::vector<Guess> guesses;
};
object::Status StatusOf(ErrorCode code);

}  // namespace postern::iam::otds
