// tests/fault/ledger/story.h: the calls that the killed child makes, one transaction each, and what
// the ledger must hold after the first N of them.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace postern::ledger {

struct Chapter {
  const char* what;
  uint64_t events;  // in the log afterwards, with the one that created the ledger
  std::vector<std::pair<uint64_t, uint64_t>> open;  // (apply, step) without an outcome
  uint64_t generation;
  std::vector<std::string> recorded;  // keys
  bool commits;                       // it is a Commit, and so passes "ledger.in-commit"
};

inline const std::vector<Chapter>& Story() {
  static const std::vector<Chapter> story = {
      {"created", 1, {}, 0, {}, false},
      {"begin", 2, {}, 0, {}, false},
      {"announce 1-3", 5, {{1, 1}, {1, 2}, {1, 3}}, 0, {}, true},
      {"end 1-2, announce 4-5", 9, {{1, 3}, {1, 4}, {1, 5}}, 0, {"k1", "k2"}, true},
      {"allocate a uid", 10, {{1, 3}, {1, 4}, {1, 5}}, 0, {"k1", "k2"}, false},
      {"count", 11, {{1, 3}, {1, 4}, {1, 5}}, 0, {"k1", "k2"}, false},
      {"end 3-5", 14, {}, 0, {"k1", "k2", "k3", "k4", "k5"}, true},
      {"finish", 15, {}, 1, {"k1", "k2", "k3", "k4", "k5"}, false},
      {"begin again", 16, {}, 1, {"k1", "k2", "k3", "k4", "k5"}, false},
      {"announce an end", 17, {{2, 1}}, 1, {"k1", "k2", "k3", "k4", "k5"}, true},
      {"end it", 18, {}, 1, {"k2", "k3", "k4", "k5"}, true},
      {"finish again", 19, {}, 2, {"k2", "k3", "k4", "k5"}, false},
  };
  return story;
}

}  // namespace postern::ledger
