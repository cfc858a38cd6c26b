// providers/memory/faults.h: what shall go wrong in a fake world, from the file beside it.
//
// FILE.faults, one fault a line, "#" starts a comment, words with blanks in double quotes:
//   slow MS                       waits before every call and operation, and every 100 objects
//   unreachable                   every call fails
//   short-read KIND N             an enumeration ends after N objects of KIND and says so
//   silent-short KIND N           it ends after N and the status of KIND is missing
//   wrong-count KIND N            all arrive, but N more are counted
//   unstable KIND                 all arrive, but the count moved meanwhile
//   lose-sentinel KIND            complete, but the sentinel of the scope isn't seen
//   unreadable KIND FIELD [KEY-PART...]   the field (* for all) can't be read, of one object or all
//
//   transient N                   the next N operations aren't done: try again
//
//   lost-answer N                 the next N are done, but nobody hears of it
//
//   precondition-drift N          before the next N another hand changes the object
//
//   deny KIND                     operations on KIND are denied
//
//   die-before N, die-after N     SIGKILL to the provider before or after the Nth operation
//
// Counts begin when the file changes or the provider starts. Not thread-safe.
#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/object/object.h"

namespace postern::memory {

struct Unreadable {
  object::Kind kind{};
  uint64_t fields = 0;  // as bits
  std::string key;      // empty: every object of the kind
};

struct Faults {
  uint64_t slow_ms = 0;
  bool unreachable = false;
  std::map<object::Kind, uint64_t> short_read, silent_short, wrong_count;
  std::set<object::Kind> lose_sentinel, unstable, deny;
  std::vector<Unreadable> unreadable;
  uint64_t transient = 0, lost_answer = 0, drift = 0;  // operations left
  uint64_t die_before = 0, die_after = 0;              // counting down; 0: never

  void Slow() const;  // waits slow_ms
  // Fields of this object that can't be read, as bits.
  uint64_t UnreadableFields(object::Kind kind, std::string_view key) const;
};

// kInvalid names the line that can't be read.
Result<Faults> ParseFaults(std::string_view text);

// The file's faults; read again when its text changes.
class FaultFile {
 public:
  explicit FaultFile(std::string path) : path_(std::move(path)) {}
  // No file: no faults.
  Result<Faults*> Current();

 private:
  std::string path_, text_;
  Faults faults_;
};

}  // namespace postern::memory
