// tests/live/openssh_product/mutants.h: raisers that overlook one thing each. A campaign that can't
// tell one of them from the true raiser doesn't show that thing.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "tests/live/openssh_product/estate.h"

namespace postern::live {

struct Mutant {
  std::string overlooks;
  std::function<void(Estate::Facts&)> apply;
};
std::vector<Mutant> Mutants();

}  // namespace postern::live
