#include "core/jobs/delta.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "core/jobs/files.h"

namespace postern::jobs {
namespace {

constexpr std::string_view kHead = "postern state 1\n";
constexpr size_t kPiece = size_t{64} << 10;
constexpr uint32_t kEnd = UINT32_MAX;  // instead of a key's length

tl::unexpected<Error> Broken(const std::string& doing) {
  return Fail(ErrorCode::kUnavailable, doing + ": " + std::generic_category().message(errno));
}

std::string TemporaryOf(const std::string& path) {
  return path + ".new";
}

}  // namespace

Result<std::unique_ptr<StateWriter>> StateWriter::Create(const std::string& path) {
  const int file =
      open(TemporaryOf(path).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return Broken("write " + path);
  std::unique_ptr<StateWriter> writer(new StateWriter(path, file));
  writer->piece_ = kHead;
  return writer;
}

StateWriter::~StateWriter() {
  if (file_ >= 0) close(file_);
}

Result<void> StateWriter::Flush() {
  hasher_.Add(piece_);
  if (auto written = WriteAll(file_, piece_, path_); !written) return written;
  piece_.clear();
  return {};
}

Result<void> StateWriter::Add(std::string_view key, const base::Digest& record) {
  const auto length = static_cast<uint32_t>(key.size());
  piece_.append(reinterpret_cast<const char*>(&length), sizeof length);
  piece_.append(key);
  piece_.append(reinterpret_cast<const char*>(record.data()), record.size());
  ++rows_;
  return piece_.size() < kPiece ? Result<void>() : Flush();
}

Result<void> StateWriter::Finish() {
  piece_.append(reinterpret_cast<const char*>(&kEnd), sizeof kEnd);
  if (auto flushed = Flush(); !flushed) return flushed;
  const base::Digest all = hasher_.Finish();
  const std::string_view bytes(reinterpret_cast<const char*>(all.data()), all.size());
  if (auto written = WriteAll(file_, bytes, path_); !written) return written;
  const bool kept = fsync(file_) == 0 && close(file_) == 0;
  file_ = -1;
  if (!kept || rename(TemporaryOf(path_).c_str(), path_.c_str()) != 0) {
    return Broken("write " + path_);
  }
  return {};
}

Result<std::unique_ptr<StateReader>> StateReader::Open(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0) {
    return Fail(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kUnavailable,
                "read " + path + ": " + std::generic_category().message(errno));
  }
  std::unique_ptr<StateReader> reader(new StateReader(file));
  auto head = reader->Bytes(kHead.size());
  if (!head) return tl::unexpected<Error>(head.error());
  if (*head != kHead) return Fail(ErrorCode::kIncomplete, path + " isn't a published state");
  reader->hasher_.Add(*head);
  return reader;
}

StateReader::~StateReader() {
  close(file_);
}

// The next bytes; valid until the next call.
Result<std::string_view> StateReader::Bytes(size_t size) {
  if (buffer_.size() - begin_ < size) {
    buffer_.erase(0, begin_);
    begin_ = 0;
  }
  while (buffer_.size() < size) {
    const size_t have = buffer_.size();
    buffer_.resize(have + std::max(kPiece, size - have));
    ssize_t got = 0;
    do {
      got = read(file_, buffer_.data() + have, buffer_.size() - have);
    } while (got < 0 && errno == EINTR);
    buffer_.resize(have + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0) return Broken("read a published state");
    if (got == 0) return Fail(ErrorCode::kIncomplete, "a published state ends before its end");
  }
  const std::string_view out(buffer_.data() + begin_, size);
  begin_ += size;
  return out;
}

Result<bool> StateReader::Next() {
  if (ended_) return false;
  auto head = Bytes(sizeof(uint32_t));
  if (!head) return tl::unexpected<Error>(head.error());
  hasher_.Add(*head);
  uint32_t length = 0;
  std::memcpy(&length, head->data(), sizeof length);
  if (length == kEnd) {
    auto hash = Bytes(record_.size());
    if (!hash) return tl::unexpected<Error>(hash.error());
    const base::Digest all = hasher_.Finish();
    ended_ = true;
    if (std::memcmp(all.data(), hash->data(), all.size()) != 0) {
      return Fail(ErrorCode::kIncomplete, "a published state has other bytes than were written");
    }
    return false;
  }
  if (length > UINT32_MAX / 2) return Fail(ErrorCode::kIncomplete, "a damaged published state");
  auto row = Bytes(length + record_.size());
  if (!row) return tl::unexpected<Error>(row.error());
  hasher_.Add(*row);
  key_ = row->substr(0, length);
  std::memcpy(record_.data(), row->data() + length, record_.size());
  return true;
}

Delta::Delta(std::unique_ptr<StateReader> before, Take take)
    : before_(std::move(before)), take_(std::move(take)) {}

Result<void> Delta::Advance() {
  if (before_ == nullptr) return {};
  auto more = before_->Next();
  if (!more) return tl::unexpected<Error>(more.error());
  more_ = *more;
  return {};
}

Result<void> Delta::Pass(const std::string_view* key) {
  if (!started_) {
    started_ = true;
    if (auto first = Advance(); !first) return first;
  }
  while (more_ && (key == nullptr || before_->key() < *key)) {
    if (auto taken = take_(Operation::kDelete, before_->key(), {}); !taken) return taken;
    if (auto moved = Advance(); !moved) return moved;
  }
  return {};
}

Result<void> Delta::Add(std::string_view key, const base::Digest& digest, std::string_view record) {
  if (auto passed = Pass(&key); !passed) return passed;
  if (!more_ || before_->key() != key) return take_(Operation::kAdd, key, record);
  const bool same = before_->record() == digest;
  if (auto moved = Advance(); !moved) return moved;
  return same ? Result<void>() : take_(Operation::kModify, key, record);
}

Result<void> Delta::Finish() {
  return Pass(nullptr);
}

}  // namespace postern::jobs
