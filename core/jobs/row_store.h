// core/jobs/row_store.h: rows of any number in the order of their keys, in bounded memory.
//
// Rows are gathered in memory; what is more than `memory` is sorted and put into a file without a
// name in `folder` (mode 0600; it goes with the process, so nothing is left by a kill) and merged
// when rows are read. Order: key, then record, both as bytes. One thread. Memory: `memory`, 24
// bytes a row in it, and 64 KiB for each run while rows are read. Fails with kUnavailable when the
// folder is full.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace postern::jobs {

class RowStore {
 public:
  using Take = std::function<Result<void>(std::string_view key, std::string_view record)>;
  static constexpr size_t kMemory = size_t{64} << 20;

  explicit RowStore(std::string folder, size_t memory = kMemory);
  ~RowStore();
  RowStore(const RowStore&) = delete;
  RowStore& operator=(const RowStore&) = delete;

  Result<void> Add(std::string_view key, std::string_view record);
  uint64_t count() const { return count_; }
  size_t runs() const { return runs_.size(); }
  // All rows in order; may be asked again. The views last for the call of `take`.
  Result<void> Each(const Take& take);

 private:
  // One row in memory: key and record stand one after the other.
  struct Held {
    const char* at;
    uint32_t key, record;
    std::string_view Key() const { return {at, key}; }
    std::string_view Record() const { return {at + key, record}; }
  };
  struct Run;
  class Cursor;
  static bool Before(const Held& a, const Held& b);
  void Sort();
  Result<void> Spill();
  Result<void> Merge(const Take& take);
  char* Room(size_t size);

  const std::string folder_;
  const size_t memory_;
  std::vector<std::unique_ptr<char[]>> blocks_;
  size_t used_ = 0, capacity_ = 0, held_bytes_ = 0;
  std::vector<Held> held_;
  std::vector<std::unique_ptr<Run>> runs_;
  uint64_t count_ = 0;
  bool sorted_ = true;
};

}  // namespace postern::jobs
