// providers/memory/world.h: a fake world in an append-only text file.
//
// One record a line, fields parted by tabs, a lone dot last:
//   put  KIND  KEY     BODY  ID  WHO  WHEN  .      the object is now so
//   del  KIND  KEY     -     ID  WHO  WHEN  .      it is gone
//   ren  KIND  OLDKEY  BODY  ID  WHO  WHEN  NEWKEY .
// KEY is the canonical key (its parts joined by 0x1f), tab, newline and backslash escaped; BODY is
// the canonical body in base64, WHEN seconds UTC. The last record of a key counts. A line that
// lacks its dot was cut off by a killed writer and means nothing. Lines reach the kernel before a
// change is answered (write(2)); they aren't synced, since the world needs to survive a process,
// not a power cut. Writers take flock(2), so a change is compared and set while nobody else writes.
//
// Not thread-safe. Views live until the next Refresh or Put. Cost: opening 1,000,000 objects takes
// under a second; a look-up is one hash.
#pragma once
#include <absl/container/flat_hash_map.h>

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/object/object.h"

namespace postern::memory {

struct Record {
  object::Kind kind{};
  bool alive = false;
  std::string_view key;
  std::string_view body64;
  std::string_view id;
  std::string_view who;
  base::Instant when = 0;
};

class World {
 public:
  // A file that doesn't exist is an empty world; its folder must exist (kUnavailable).
  static Result<std::unique_ptr<World>> Open(const std::string& path);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Takes in what others appended. kIncomplete when a whole line isn't a record.
  Result<void> Refresh();

  // Every object that was ever there, in the order of first appearance; look at `alive`.
  const std::vector<Record>& records() const { return records_; }
  // Null: not there.
  const Record* Find(object::Kind kind, std::string_view key) const;
  // The body as stored: a password field holds the server's own hash.
  static std::string BodyOf(const Record& record);

  // Changes are made between Lock and Commit; Lock takes in what others appended first.
  Result<void> Lock();
  // Puts an object; one that is new gets an id of its own where the kind has ids.
  void Put(object::Kind kind, std::string_view key, std::string_view body, std::string_view who);
  void Delete(object::Kind kind, std::string_view key, std::string_view who);
  // The object stands under `new_key` with `body` and keeps its id.
  void Rename(object::Kind kind, std::string_view key, std::string_view new_key,
              std::string_view body, std::string_view who);
  // Writes the changes with one write(2) and unlocks. After an error the index is read again.
  Result<void> Commit();

 private:
  // Carries its hash: a long key is hashed once, not each time that the index grows or is walked.
  struct KeyRef {
    KeyRef(object::Kind kind, std::string_view key)
        : hash(absl::HashOf(key, kind)), kind(kind), key(key) {}
    bool operator==(const KeyRef&) const = default;
    size_t hash;  // first: compared first
    object::Kind kind;
    std::string_view key;
  };
  struct KeyHash {
    size_t operator()(const KeyRef& ref) const { return ref.hash; }
  };
  explicit World(std::string path) : path_(std::move(path)) {}
  void Forget();
  Result<void> TakeIn(std::string_view text);
  bool TakeInLine(std::string_view line);
  std::string_view Unescape(std::string_view text);
  void Set(object::Kind kind, std::string_view key, const Record& record);
  void Stage(std::string_view op, object::Kind kind, std::string_view key, std::string_view body,
             std::string_view id, std::string_view who, std::string_view new_key);

  const std::string path_;
  int file_ = -1;
  ino_t inode_ = 0;
  off_t taken_ = 0;  // bytes of whole lines that the index knows
  off_t end_ = 0;    // size of the file when it was last looked at
  uint64_t last_id_ = 0;
  bool locked_ = false;
  std::string pending_;
  std::vector<std::unique_ptr<char[]>> chunks_;  // what the views point into
  object::Arena arena_;
  std::vector<Record> records_;
  absl::flat_hash_map<KeyRef, uint32_t, KeyHash> index_;
};

}  // namespace postern::memory
