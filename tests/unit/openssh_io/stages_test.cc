// Between two states of a node nobody may do what neither of them lets him do.
#include <gtest/gtest.h>

#include <random>

#include "providers/filetransfer/openssh_io/stages.h"

namespace postern::filetransfer {
namespace {

using posix::Acl;
using posix::Credentials;
using posix::Node;
using posix::Perm;

constexpr uint32_t kIds[] = {1, 2, 3};

class Dice {
 public:
  explicit Dice(uint32_t seed) : engine_(seed) {}
  uint32_t Below(uint32_t limit) { return static_cast<uint32_t>(engine_() % limit); }
  Perm Bits() { return static_cast<Perm>(Below(8)); }

 private:
  std::mt19937 engine_;
};

Acl AnyAcl(Dice* dice) {
  Acl acl;
  acl.owner = dice->Bits();
  acl.group = dice->Bits();
  acl.other = dice->Bits();
  for (const uint32_t id : kIds) {
    if (dice->Below(2) == 0) acl.users[id] = dice->Bits();
    if (dice->Below(3) == 0) acl.groups[id + 10] = dice->Bits();
  }
  if (!acl.users.empty() || !acl.groups.empty()) acl.mask = dice->Bits();
  return acl;
}

// A state as posix::Fit leaves it: classes that could let an account of ours in by the side have
// nothing, and the mask cuts nothing.
Acl FittedAcl(Dice* dice) {
  Acl acl;
  acl.owner = dice->Bits();
  for (const uint32_t id : kIds) {
    if (dice->Below(2) == 0) acl.users[id] = static_cast<Perm>(1 + dice->Below(7));
  }
  posix::SetMask(&acl);
  return acl;
}

TEST(StagesTest, TheMeetIsWithinBothStates) {
  Dice dice(1);
  size_t less = 0;
  for (int round = 0; round < 20000; ++round) {
    Node before{.type = Node::Type::kFolder, .uid = 9, .gid = 11};
    before.access = AnyAcl(&dice);
    Node after = before;
    after.access = FittedAcl(&dice);
    const Node both = Meet(before, after);
    for (const uint32_t id : {1u, 2u, 3u, 4u, 9u}) {
      const Credentials who{.uid = id, .gid = dice.Below(2) == 0 ? 11 : id + 10, .groups = {}};
      for (const Perm bit : {posix::kRead, posix::kWrite, posix::kExecute}) {
        if (!posix::Permits(both, who, bit)) continue;
        EXPECT_TRUE(posix::Permits(before, who, bit) && posix::Permits(after, who, bit))
            << "round " << round << " uid " << id << " bit " << int{bit};
      }
    }
    less += both == before ? 0 : 1;
  }
  EXPECT_GT(less, 1000u) << "the rounds must have something to take away";
}

TEST(StagesTest, StagesLeadFromOneStateToTheOther) {
  Dice dice(2);
  for (int round = 0; round < 1000; ++round) {
    posix::Change change{.path = "/x"};
    change.before = {.type = Node::Type::kFolder, .access = AnyAcl(&dice)};
    change.after = {.type = Node::Type::kFolder, .access = FittedAcl(&dice)};
    const Stages stages = StagesOf({&change, 1});
    Node now = change.before;
    for (const posix::Change& step : stages.less) {
      EXPECT_EQ(step.before, now);
      now = step.after;
    }
    for (const posix::Change& step : stages.more) {
      EXPECT_EQ(step.before, now);
      now = step.after;
    }
    EXPECT_EQ(now, change.after);
  }
}

}  // namespace
}  // namespace postern::filetransfer
