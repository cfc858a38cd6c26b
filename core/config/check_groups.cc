#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/config/check.h"
#include "core/diag/codes.h"

namespace postern::config {
namespace {

constexpr std::string_view kGroup = "group:";

// Depth-first over member groups without recursion: nesting is the user's, the stack is ours.
class CycleFinder {
 public:
  CycleFinder(const CheckInput& input, diag::Diagnostics* diagnostics)
      : groups_(input.declarations.groups),
        index_(input.index),
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
      if (!member.starts_with(kGroup)) continue;
      const Index::Entry* entry = index_.Find("group", member.substr(kGroup.size()));
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
    auto& d = diagnostics_.Add(
        {.code = diag::code::kGroupCycle,
         .summary = fmt::format("group \"{}\" contains itself", groups_[closes].message.name()),
         .span = groups_[last.group].At(decl::Group::kMembersFieldNumber, last.next - 1),
         .label = "closes the circle"});
    std::string way;
    for (auto at = first; at != path_.end(); ++at) {
      way += groups_[at->group].message.name() + " > ";
      if (at + 1 == path_.end()) break;
      d.also.push_back(
          {groups_[at->group].At(decl::Group::kMembersFieldNumber, at->next - 1), "and this one"});
    }
    d.notes.push_back(way + groups_[closes].message.name());
  }

  const std::vector<Declared<decl::Group>>& groups_;
  const Index& index_;
  diag::Diagnostics& diagnostics_;
  std::vector<State> state_;
  std::vector<Step> path_;
};

}  // namespace

void CheckGroups(const CheckInput& input, diag::Diagnostics* diagnostics) {
  CycleFinder(input, diagnostics).Run();
}

}  // namespace postern::config
