// core/jobs/delta.h: what a published state is, and how the next one differs from it.
//
// A state is the keys of a file's rows in their order, each with the SHA-256 of its record. It is
// kept in a file of its own (0600, replaced as a whole) for each run, so that the base of a delta
// is always that of the run that was delivered last. Applying a delta to its base gives the state
// after it: added, modified and deleted rows by key. One thread; memory: one row of each side.
// Errors: kIncomplete for a state that isn't whole, kUnavailable for the disk.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/hash.h"
#include "core/base/result.h"
#include "core/jobs/format/table.h"

namespace postern::jobs {

// Writes a state; nothing is at `path` before Finish.
class StateWriter {
 public:
  static Result<std::unique_ptr<StateWriter>> Create(const std::string& path);
  ~StateWriter();
  StateWriter(const StateWriter&) = delete;
  StateWriter& operator=(const StateWriter&) = delete;

  Result<void> Add(std::string_view key, const base::Digest& record);
  Result<void> Finish();  // with fsync
  uint64_t rows() const { return rows_; }

 private:
  StateWriter(std::string path, int file) : path_(std::move(path)), file_(file) {}
  Result<void> Flush();

  const std::string path_;
  int file_;
  std::string piece_;
  base::Hasher hasher_;
  uint64_t rows_ = 0;
};

// Reads a state from its first key to its last; the end is checked against a hash over all.
class StateReader {
 public:
  static Result<std::unique_ptr<StateReader>> Open(const std::string& path);
  ~StateReader();
  StateReader(const StateReader&) = delete;
  StateReader& operator=(const StateReader&) = delete;

  // False at the end. Then, and only then, the state is known to be whole.
  Result<bool> Next();
  const std::string& key() const { return key_; }
  const base::Digest& record() const { return record_; }

 private:
  explicit StateReader(int file) : file_(file) {}
  Result<std::string_view> Bytes(size_t size);

  const int file_;
  std::string buffer_;
  size_t begin_ = 0;
  base::Hasher hasher_;
  std::string key_;
  base::Digest record_ = {};
  bool ended_ = false;
};

// Joins rows that come in the order of their keys with the state before them.
class Delta {
 public:
  // The record is empty for a row that is gone.
  using Take = std::function<Result<void>(Operation operation, std::string_view key,
                                          std::string_view record)>;
  // `before` null: there was nothing.
  Delta(std::unique_ptr<StateReader> before, Take take);

  Result<void> Add(std::string_view key, const base::Digest& digest, std::string_view record);
  Result<void> Finish();

 private:
  Result<void> Advance();
  // Hands on as gone what stands before `key` (null: all that is left).
  Result<void> Pass(const std::string_view* key);

  std::unique_ptr<StateReader> before_;
  Take take_;
  bool started_ = false, more_ = false;
};

}  // namespace postern::jobs
