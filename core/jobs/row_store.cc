#include "core/jobs/row_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <queue>
#include <system_error>

namespace postern::jobs {
namespace {

constexpr size_t kBlock = size_t{1} << 20;
constexpr size_t kPiece = size_t{64} << 10;
constexpr size_t kHead = 2 * sizeof(uint32_t);

tl::unexpected<Error> Broken(const std::string& folder, const char* doing) {
  return Fail(ErrorCode::kUnavailable,
              fmt::format("{} in {}: {}", doing, folder, std::generic_category().message(errno)));
}

}  // namespace

// Rows that were sorted and written: two lengths, key, record.
struct RowStore::Run {
  int file = -1;
  off_t size = 0;
  explicit Run(int opened) : file(opened) {}
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() {
    if (file >= 0) close(file);
  }
};

// Reads a run, or what is in memory, from its first row to its last.
class RowStore::Cursor {
 public:
  explicit Cursor(const std::vector<Held>* held) : held_(held) {}
  Cursor(const Run* run, const std::string* folder) : run_(run), folder_(folder) {}

  std::string_view key, record;

  // False: there is no further row.
  Result<bool> Next() {
    if (held_ != nullptr) {
      if (index_ == held_->size()) return false;
      key = (*held_)[index_].Key();
      record = (*held_)[index_].Record();
      ++index_;
      return true;
    }
    if (begin_ == buffer_.size() && offset_ == run_->size) return false;
    if (auto filled = Fill(kHead); !filled) return tl::unexpected<Error>(filled.error());
    uint32_t lengths[2];
    std::memcpy(lengths, buffer_.data() + begin_, kHead);
    const size_t whole = kHead + lengths[0] + lengths[1];
    if (auto filled = Fill(whole); !filled) return tl::unexpected<Error>(filled.error());
    key = {buffer_.data() + begin_ + kHead, lengths[0]};
    record = {buffer_.data() + begin_ + kHead + lengths[0], lengths[1]};
    begin_ += whole;
    return true;
  }

 private:
  // Has at least `size` bytes from `begin_` on in the buffer.
  Result<void> Fill(size_t size) {
    if (buffer_.size() - begin_ >= size) return {};
    buffer_.erase(0, begin_);
    begin_ = 0;
    while (buffer_.size() < size) {
      const size_t have = buffer_.size(), want = std::max(kPiece, size - have);
      buffer_.resize(have + want);
      const ssize_t got = pread(run_->file, buffer_.data() + have, want, offset_);
      if (got < 0 && errno == EINTR) {
        buffer_.resize(have);
        continue;
      }
      buffer_.resize(have + static_cast<size_t>(std::max<ssize_t>(got, 0)));
      if (got < 0) return Broken(*folder_, "read sorted rows");
      if (got == 0) return Fail(ErrorCode::kInternal, "sorted rows end before their end");
      offset_ += got;
    }
    return {};
  }

  const std::vector<Held>* held_ = nullptr;
  size_t index_ = 0;
  const Run* run_ = nullptr;
  const std::string* folder_ = nullptr;
  std::string buffer_;
  size_t begin_ = 0;
  off_t offset_ = 0;
};

RowStore::RowStore(std::string folder, size_t memory)
    : folder_(std::move(folder)), memory_(memory) {}

RowStore::~RowStore() = default;

char* RowStore::Room(size_t size) {
  if (used_ + size > capacity_) {
    capacity_ = std::max(kBlock, size);
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(capacity_));
    used_ = 0;
  }
  char* to = blocks_.back().get() + used_;
  used_ += size;
  held_bytes_ += size;
  return to;
}

Result<void> RowStore::Add(std::string_view key, std::string_view record) {
  const size_t size = key.size() + record.size();
  if (size > UINT32_MAX / 2) return Fail(ErrorCode::kInvalid, "a row of more than 2 GiB");
  if (held_bytes_ + size > memory_ && !held_.empty()) {
    if (auto spilled = Spill(); !spilled) return spilled;
  }
  char* to = Room(size);
  std::memcpy(to, key.data(), key.size());
  if (!record.empty()) std::memcpy(to + key.size(), record.data(), record.size());
  held_.push_back({to, static_cast<uint32_t>(key.size()), static_cast<uint32_t>(record.size())});
  ++count_;
  sorted_ = false;
  return {};
}

bool RowStore::Before(const Held& a, const Held& b) {
  const int order = a.Key().compare(b.Key());
  return order != 0 ? order < 0 : a.Record() < b.Record();
}

void RowStore::Sort() {
  if (!sorted_) std::sort(held_.begin(), held_.end(), &Before);
  sorted_ = true;
}

Result<void> RowStore::Spill() {
  Sort();
  const int file = open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0) return Broken(folder_, "keep sorted rows");
  auto run = std::make_unique<Run>(file);
  std::string piece;
  const auto flush = [&]() -> Result<void> {
    for (size_t done = 0; done < piece.size();) {
      const ssize_t wrote = write(file, piece.data() + done, piece.size() - done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return Broken(folder_, "keep sorted rows");
      done += static_cast<size_t>(wrote);
      run->size += wrote;
    }
    piece.clear();
    return {};
  };
  for (const Held& row : held_) {
    const uint32_t lengths[2] = {row.key, row.record};
    piece.append(reinterpret_cast<const char*>(lengths), kHead);
    piece.append(row.at, size_t{row.key} + row.record);
    if (piece.size() < kPiece) continue;
    if (auto flushed = flush(); !flushed) return flushed;
  }
  if (auto flushed = flush(); !flushed) return flushed;
  runs_.push_back(std::move(run));
  held_.clear();
  blocks_.clear();
  used_ = capacity_ = held_bytes_ = 0;
  return {};
}

Result<void> RowStore::Merge(const Take& take) {
  std::vector<std::unique_ptr<Cursor>> cursors;
  for (const auto& run : runs_) cursors.push_back(std::make_unique<Cursor>(run.get(), &folder_));
  cursors.push_back(std::make_unique<Cursor>(&held_));
  const auto later = [](const Cursor* a, const Cursor* b) {
    const int order = a->key.compare(b->key);
    return order != 0 ? order > 0 : a->record > b->record;
  };
  std::priority_queue<Cursor*, std::vector<Cursor*>, decltype(later)> next(later);
  const auto advance = [&](Cursor* cursor) -> Result<void> {
    auto more = cursor->Next();
    if (!more) return tl::unexpected<Error>(more.error());
    if (*more) next.push(cursor);
    return {};
  };
  for (const auto& cursor : cursors) {
    if (auto moved = advance(cursor.get()); !moved) return moved;
  }
  while (!next.empty()) {
    Cursor* first = next.top();
    next.pop();
    if (auto taken = take(first->key, first->record); !taken) return taken;
    if (auto moved = advance(first); !moved) return moved;
  }
  return {};
}

Result<void> RowStore::Each(const Take& take) {
  Sort();
  if (!runs_.empty()) return Merge(take);
  for (const Held& row : held_) {
    if (auto taken = take(row.Key(), row.Record()); !taken) return taken;
  }
  return {};
}

}  // namespace postern::jobs
