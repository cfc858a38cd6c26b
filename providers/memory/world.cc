#include "providers/memory/world.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "core/base/check.h"
#include "core/base/hash.h"

namespace postern::memory {
namespace {

using object::Kind;

std::string Errno(int error) {
  return strerrordesc_np(error);
}

// Relations and files of rules have no id of their own in real systems either.
bool HasId(Kind kind) {
  return kind == Kind::kOu || kind == Kind::kUser || kind == Kind::kDirectoryGroup ||
         kind == Kind::kAccount || kind == Kind::kFolder || kind == Kind::kIamUser ||
         kind == Kind::kIamGroup || kind == Kind::kIamRole || kind == Kind::kIamAccessRole ||
         kind == Kind::kOauthClient;
}

void AppendEscaped(std::string_view text, std::string* out) {
  for (const char c : text) {
    if (c == '\\') {
      *out += "\\\\";
    } else if (c == '\t') {
      *out += "\\t";
    } else if (c == '\n') {
      *out += "\\n";
    } else {
      out->push_back(c);
    }
  }
}

template <class Number>
bool ParseNumber(std::string_view text, Number* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Result<std::unique_ptr<World>> World::Open(const std::string& path) {
  std::unique_ptr<World> world(new World(path));
  if (auto read = world->Refresh(); !read) return tl::unexpected(read.error());
  return world;
}

World::~World() {
  if (file_ >= 0) close(file_);
}

void World::Forget() {
  if (file_ >= 0) close(file_);
  file_ = -1;
  taken_ = end_ = 0;
  last_id_ = 0;
  locked_ = false;
  pending_.clear();
  index_.clear();
  records_.clear();
  chunks_.clear();
  arena_ = object::Arena();
}

Result<void> World::Refresh() {
  struct stat now = {};
  const bool there = stat(path_.c_str(), &now) == 0;
  const bool replaced = file_ >= 0 && (!there || now.st_ino != inode_ || now.st_size < taken_);
  if (replaced) Forget();
  if (file_ < 0) {
    file_ = open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file_ < 0) {
      return Fail(ErrorCode::kUnavailable, fmt::format("open {}: {}", path_, Errno(errno)));
    }
    fstat(file_, &now);
    inode_ = now.st_ino;
  }
  end_ = now.st_size;
  const auto count = static_cast<size_t>(end_ - taken_);
  if (count == 0) return {};
  // Not std::string: it would fill the memory first.
  std::unique_ptr<char[]> chunk(new char[count]);
  size_t got = 0;
  while (got < count) {
    const ssize_t part =
        pread(file_, chunk.get() + got, count - got, taken_ + static_cast<off_t>(got));
    if (part < 0 && errno == EINTR) continue;
    if (part <= 0) return Fail(ErrorCode::kUnavailable, fmt::format("read {} failed", path_));
    got += static_cast<size_t>(part);
  }
  const std::string_view text(chunk.get(), count);
  chunks_.push_back(std::move(chunk));
  return TakeIn(text);
}

Result<void> World::TakeIn(std::string_view text) {
  if (records_.empty()) {
    const size_t guess = text.size() / 150 + 16;
    records_.reserve(guess);
    index_.reserve(guess);
  }
  size_t begin = 0;
  for (size_t end; (end = text.find('\n', begin)) != std::string_view::npos; begin = end + 1) {
    const std::string_view line = text.substr(begin, end - begin);
    if (!line.ends_with("\t.")) continue;  // cut off by a killed writer, or empty
    if (!TakeInLine(line.substr(0, line.size() - 2))) {
      return Fail(ErrorCode::kIncomplete,
                  fmt::format("{}: the line at byte {} is not a record", path_, taken_ + begin));
    }
  }
  taken_ += static_cast<off_t>(begin);
  return {};
}

bool World::TakeInLine(std::string_view line) {
  std::array<std::string_view, 8> field;
  size_t count = 0;
  for (size_t begin = 0; count < field.size();) {
    const size_t tab = line.find('\t', begin);
    field[count++] = line.substr(begin, tab - begin);
    if (tab == std::string_view::npos) break;
    begin = tab + 1;
  }
  if (count < 7) return false;
  const object::KindTable* table = object::FindKind(field[1]);
  Record record;
  if (table == nullptr || !ParseNumber(field[6], &record.when)) return false;
  record.kind = table->kind;
  record.alive = field[0] != "del";
  record.body64 = record.alive ? field[3] : std::string_view();
  record.id = field[4];
  record.who = Unescape(field[5]);
  if (uint64_t id = 0; record.id.starts_with("m-") && ParseNumber(record.id.substr(2), &id)) {
    last_id_ = std::max(last_id_, id);
  }
  const std::string_view key = Unescape(field[2]);
  if (field[0] == "ren") {
    if (count < 8) return false;
    Set(record.kind, key, Record{record.kind, false, key, {}, {}, record.who, record.when});
    Set(record.kind, Unescape(field[7]), record);
    return true;
  }
  if (field[0] != "put" && field[0] != "del") return false;
  Set(record.kind, key, record);
  return true;
}

std::string_view World::Unescape(std::string_view text) {
  if (text.find('\\') == std::string_view::npos) return text;
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      plain.push_back(text[i]);
      continue;
    }
    const char c = text[++i];
    plain.push_back(c == 't' ? '\t' : c == 'n' ? '\n' : c);
  }
  return arena_.Copy(plain);
}

void World::Set(Kind kind, std::string_view key, const Record& record) {
  const auto [found, is_new] =
      index_.try_emplace(KeyRef(kind, key), static_cast<uint32_t>(records_.size()));
  if (is_new) records_.emplace_back();
  Record& slot = records_[found->second];
  const std::string_view stable_key = found->first.key;
  slot = record;
  slot.key = stable_key;
}

const Record* World::Find(Kind kind, std::string_view key) const {
  const auto found = index_.find(KeyRef(kind, key));
  if (found == index_.end() || !records_[found->second].alive) return nullptr;
  return &records_[found->second];
}

std::string World::BodyOf(const Record& record) {
  std::string body;
  base::DecodeBase64(record.body64, &body);
  return body;
}

Result<void> World::Lock() {
  POSTERN_CHECK(!locked_, "a world is locked once");
  if (auto opened = Refresh(); !opened) return opened;
  while (flock(file_, LOCK_EX) != 0) {
    if (errno != EINTR) {
      return Fail(ErrorCode::kUnavailable, fmt::format("lock {}: {}", path_, Errno(errno)));
    }
  }
  if (auto read = Refresh(); !read) {
    flock(file_, LOCK_UN);
    return read;
  }
  locked_ = true;
  return {};
}

void World::Stage(std::string_view op, Kind kind, std::string_view key, std::string_view body,
                  std::string_view id, std::string_view who, std::string_view new_key) {
  POSTERN_CHECK(locked_, "a world is changed under its lock");
  std::string line = fmt::format("{}\t{}\t", op, object::NameOf(kind));
  AppendEscaped(key, &line);
  fmt::format_to(std::back_inserter(line), "\t{}\t{}\t", body.empty() ? "-" : base::Base64(body),
                 id);
  AppendEscaped(who, &line);
  fmt::format_to(std::back_inserter(line), "\t{}\t", base::Now());
  if (!new_key.empty()) {
    AppendEscaped(new_key, &line);
    line += "\t";
  }
  line += ".";
  pending_ += line;
  pending_ += "\n";
  // The index learns it from the line, as it will when the file is read again.
  const std::string_view kept = arena_.Copy(line);
  POSTERN_CHECK(TakeInLine(kept.substr(0, kept.size() - 2)), "a record reads back");
}

void World::Put(Kind kind, std::string_view key, std::string_view body, std::string_view who) {
  std::string id;
  if (const Record* live = Find(kind, key)) {
    id = live->id;
  } else if (HasId(kind)) {
    id = fmt::format("m-{}", last_id_ + 1);
  }
  Stage("put", kind, key, body, id, who, "");
}

void World::Delete(Kind kind, std::string_view key, std::string_view who) {
  const Record* live = Find(kind, key);
  if (live == nullptr) return;
  Stage("del", kind, key, "", std::string(live->id), who, "");
}

void World::Rename(Kind kind, std::string_view key, std::string_view new_key, std::string_view body,
                   std::string_view who) {
  const Record* live = Find(kind, key);
  POSTERN_CHECK(live != nullptr, "only what is there is renamed");
  Stage("ren", kind, key, body, std::string(live->id), who, new_key);
}

Result<void> World::Commit() {
  POSTERN_CHECK(locked_, "a world is changed under its lock");
  locked_ = false;
  std::string text;
  text.swap(pending_);
  if (!text.empty() && end_ > taken_) text.insert(0, "\n");  // end a cut-off line
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t part = write(file_, text.data() + done, text.size() - done);
    if (part < 0 && errno == EINTR) continue;
    if (part <= 0) {
      const int error = errno;
      Forget();
      return Fail(ErrorCode::kUnavailable, fmt::format("write {}: {}", path_, Errno(error)));
    }
    done += static_cast<size_t>(part);
  }
  if (!text.empty()) taken_ = end_ = end_ + static_cast<off_t>(text.size());
  flock(file_, LOCK_UN);
  return {};
}

}  // namespace postern::memory
