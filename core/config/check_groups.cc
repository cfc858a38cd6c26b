#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/config/check.h"
#include "core/diag/codes.h"

namespace postern::config {
namespace {

// Depth-first over member groups without recursion: nesting is the user's, the stack is ours.
template <class Group>
class CycleFinder {
 public:
  // `table`: of the groups, as it stands before a member's name.
  CycleFinder(const std::vector<Declared<Group>>& groups, std::string table, const Index& index,
              diag::Diagnostics* diagnostics)
      : groups_(groups),
        table_(std::move(table)),
        prefix_(table_ + ":"),
        index_(index),
        diagnostics_(*diagnostics),
        state_(groups_.size(), State::kNew) {}

  void Run() {
    for (size_t i = 0; i < groups_.size(); ++i) {
      if (state_[i] == State::kNew) Walk(i);
    }
  }

 private:
  enum class State : uint8_t { kNew, kOpen, kDone };
  struct Step {
    size_t group;
    int next = 0;  // member to look at
  };

  void Walk(size_t start) {
    path_.push_back({start});
    state_[start] = State::kOpen;
    while (!path_.empty()) {
      Step& step = path_.back();
      const auto& members = groups_[step.group].message.members().values();
      if (step.next == members.size()) {
        state_[step.group] = State::kDone;
        path_.pop_back();
        continue;
      }
      const std::string_view member = members[step.next++];
      if (!member.starts_with(prefix_)) continue;
      const Index::Entry* entry = index_.Find(table_, member.substr(prefix_.size()));
      if (!entry) continue;
      if (state_[entry->position] == State::kOpen) {
        Report(entry->position);
      } else if (state_[entry->position] == State::kNew) {
        state_[entry->position] = State::kOpen;
        path_.push_back({entry->position});
      }
    }
  }

  void Report(size_t closes) {
    const auto first =
        std::find_if(path_.begin(), path_.end(), [&](const Step& s) { return s.group == closes; });
    const Step& last = path_.back();
    auto& d =
        diagnostics_.Add({.code = diag::code::kGroupCycle,
                          .summary = fmt::format("{} \"{}\" contains itself", table_,
                                                 groups_[closes].message.name()),
                          .span = groups_[last.group].At(Group::kMembersFieldNumber, last.next - 1),
                          .label = "closes the circle"});
    std::string way;
    for (auto at = first; at != path_.end(); ++at) {
      way += groups_[at->group].message.name() + " > ";
      if (at + 1 == path_.end()) break;
      d.also.push_back(
          {groups_[at->group].At(Group::kMembersFieldNumber, at->next - 1), "and this one"});
    }
    d.notes.push_back(way + groups_[closes].message.name());
  }

  const std::vector<Declared<Group>>& groups_;
  const std::string table_, prefix_;
  const Index& index_;
  diag::Diagnostics& diagnostics_;
  std::vector<State> state_;
  std::vector<Step> path_;
};

}  // namespace

void CheckGroups(const CheckInput& input, diag::Diagnostics* diagnostics) {
  const Declarations& all = input.declarations;
  CycleFinder(all.groups, "group", input.index, diagnostics).Run();
  CycleFinder(all.iam_groups, "iam_group", input.index, diagnostics).Run();
}

}  // namespace postern::config
