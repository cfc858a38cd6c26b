// core/access/invariants.h: the independent judge of a plan's order.
//
// Sees only the world before, the world after and the ordered steps; simulates every prefix and
// shares no function with the code that ordered them (core/plan). Invariants of the design §1.3: A:
// after each prefix, access ⊆ before ∪ after. B: within a component nothing is added before all
// that removes has been carried out. C: a service account that keys open before and after is opened
// by one of them after each step; so that this can be, its going key counts as no removal for B
// while a key of the world after is there.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/access/effective.h"

namespace postern::access {

struct OrderedStep {
  uint64_t id = 0;
  std::string target;
  object::Kind kind{};
  std::string key;
  std::string after;       // body after the step; empty: absent
  uint32_t component = 0;  // 0: none
};

struct Violation {
  uint64_t step = 0;
  char invariant = 'A';  // 'A', 'B', 'C'
  std::string what;      // for the bug report: a violation is our own bug
};

// `after`: the world that the plan promises. Cost: linear in steps x accounts that a step touches.
// `identity_of`: whose an account is; without it nothing is judged over several accounts.
std::vector<Violation> CheckOrder(const World& before, const World& after,
                                  std::span<const OrderedStep> steps,
                                  const IdentityOf& identity_of = {});

}  // namespace postern::access
