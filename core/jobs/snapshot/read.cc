#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/jobs/snapshot/snapshot.h"
#include "core/jobs/snapshot/snapshot_json.h"

namespace postern::jobs {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostLine = size_t{16} << 20;
constexpr size_t kPiece = size_t{64} << 10;

// Lines of a source, each with its line end, one at a time.
class Lines {
 public:
  explicit Lines(Source source) : source_(std::move(source)) {}
  // False at the end. A line without an end, or too long, is a file that was cut or is none.
  Result<bool> Next(std::string* line) {
    for (;;) {
      const size_t end = buffer_.find('\n', from_);
      if (end != std::string::npos) {
        line->assign(buffer_, from_, end + 1 - from_);
        from_ = end + 1;
        ++number_;
        return true;
      }
      buffer_.erase(0, from_);
      from_ = 0;
      if (buffer_.size() > kMostLine) return Fail(ErrorCode::kInvalid, "is no snapshot");
      const size_t had = buffer_.size();
      buffer_.resize(had + kPiece);
      const auto got = source_(buffer_.data() + had, kPiece);
      if (!got) return tl::unexpected(got.error());
      buffer_.resize(had + *got);
      if (*got > 0) continue;
      if (buffer_.empty()) return false;
      return Fail(ErrorCode::kIncomplete, fmt::format("line {} is cut off", number_ + 1));
    }
  }
  uint64_t number() const { return number_; }

 private:
  Source source_;
  std::string buffer_;
  size_t from_ = 0;
  uint64_t number_ = 0;
};

class Reader {
 public:
  explicit Reader(Source source) : lines_(std::move(source)) {}

  Result<Snapshot> Read() {
    if (auto head = Head(); !head) return tl::unexpected(head.error());
    std::string line;
    for (;;) {
      const auto more = lines_.Next(&line);
      if (!more) return tl::unexpected(more.error());
      if (!*more) return Fail(ErrorCode::kIncomplete, "its end is missing");
      Json json = Json::parse(line, nullptr, false);
      if (!json.is_object()) return Damaged("isn't as it was written");
      if (json.contains("sha256")) return End(json, line);
      if (auto taken = Take(json); !taken) return tl::unexpected(taken.error());
      content_.Add(line);
      whole_.Add(line);
    }
  }

 private:
  tl::unexpected<Error> Damaged(const std::string& what) const {
    return Fail(ErrorCode::kIncomplete, fmt::format("line {} {}", lines_.number(), what));
  }

  static std::string TextOf(const Json& json, const char* name) {
    const auto at = json.find(name);
    return at != json.end() && at->is_string() ? at->get<std::string>() : "";
  }

  Result<void> Head() {
    std::string line;
    const auto more = lines_.Next(&line);
    if (!more) return tl::unexpected(more.error());
    const Json json = *more ? Json::parse(line, nullptr, false) : Json();
    if (!json.is_object() || TextOf(json, "postern") != "snapshot") {
      return Fail(ErrorCode::kInvalid, "is no snapshot");
    }
    const auto version = json.find("version");
    if (version == json.end() || !version->is_number_integer()) return Damaged("has no version");
    if (version->get<int>() != kSnapshotVersion) {
      return Fail(ErrorCode::kUnsupported, "is of another version of Postern");
    }
    const auto taken = base::ParseInstant(TextOf(json, "taken"));
    const auto generation = json.find("generation");
    const auto targets = json.find("targets");
    if (!taken || generation == json.end() || !generation->is_number_unsigned() ||
        targets == json.end() || !targets->is_array()) {
      return Damaged("isn't as it was written");
    }
    snapshot_.head = {*taken, TextOf(json, "ledger"), TextOf(json, "revision"),
                      generation->get<uint64_t>()};
    for (const Json& name : *targets) {
      if (!name.is_string()) return Damaged("isn't as it was written");
      snapshot_.targets.push_back({name.get<std::string>(), {}});
    }
    content_.Add(line);
    whole_.Add(line);
    return {};
  }

  Result<void> Take(const Json& json) {
    const std::string target = TextOf(json, "target");
    while (at_ < snapshot_.targets.size() && snapshot_.targets[at_].name != target) ++at_;
    const auto* kind = object::FindKind(TextOf(json, "kind"));
    const auto fields = json.find("fields");
    if (at_ == snapshot_.targets.size() || fields == json.end()) {
      return Damaged("isn't as it was written");
    }
    if (kind == nullptr) return Damaged("has a kind of object that isn't known here");
    const auto object = ObjectOfJson(kind->kind, fields->dump());
    if (!object) return Damaged("isn't as it was written: " + object.error().message);
    snapshot_.targets[at_].objects.Add(object->view());
    ++objects_;
    return {};
  }

  Result<Snapshot> End(const Json& json, const std::string& line) {
    whole_.Add(line);
    const auto count = json.find("objects");
    std::string rest;
    const auto more = lines_.Next(&rest);
    if (!more) return tl::unexpected(more.error());
    if (*more) return Damaged("stands behind its end");
    if (TextOf(json, "sha256") != base::Hex(content_.Finish()) || count == json.end() ||
        *count != objects_) {
      return Fail(ErrorCode::kIncomplete, "isn't as it was written: its SHA-256 is another");
    }
    for (SnapshotTarget& target : snapshot_.targets) {
      target.objects.Sort();
      if (target.objects.duplicates().empty()) continue;
      return Fail(ErrorCode::kInvalid, "holds an object twice");
    }
    snapshot_.digest = whole_.Finish();
    return std::move(snapshot_);
  }

  Lines lines_;
  Snapshot snapshot_;
  base::Hasher content_, whole_;
  size_t at_ = 0;  // target at hand: they stand in order
  uint64_t objects_ = 0;
};

}  // namespace

Result<Snapshot> ReadSnapshot(const std::string& path) {
  auto source = OpenSource(path);
  if (!source) return tl::unexpected(source.error());
  return Reader(*std::move(source)).Read();
}

}  // namespace postern::jobs
