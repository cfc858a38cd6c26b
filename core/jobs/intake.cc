#include "core/jobs/intake.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "core/base/hash.h"
#include "core/base/kill_point.h"
#include "core/diag/text.h"
#include "core/jobs/files.h"

namespace postern::jobs {
namespace {

constexpr uint64_t kSideBytes = 64 << 10;

tl::unexpected<Error> DiskError(const std::string& path) {
  return Fail(ErrorCode::kUnavailable,
              fmt::format("{}: {}", path, std::generic_category().message(errno)));
}

// A name that a server gives is a name, not a way to another folder.
bool IsPlainName(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         !diag::HasHidden(name);
}

Result<std::string> GetSmall(Place& place, const std::string& path) {
  std::string text;
  const auto got = place.Get(
      path,
      [&](std::string_view bytes) -> Result<void> {
        text += bytes;
        if (text.size() <= kSideBytes) return {};
        return Fail(ErrorCode::kInvalid, fmt::format("{} is larger than 64 KiB", path));
      },
      kSideBytes + 1);
  if (!got) return tl::unexpected(got.error());
  return text;
}

// "HEX  NAME" of sha256sum, or the digits alone.
std::string ChecksumIn(std::string_view text) {
  const std::string_view digits = text.substr(0, text.find_first_of(" \t\r\n*"));
  if (digits.size() != 64 ||
      digits.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
    return "";
  }
  std::string lower(digits);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
  return lower;
}

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

struct Got {
  std::string sha256;
  uint64_t bytes = 0;
};

// The file's bytes into `part`, flushed to the disk.
Result<Got> Download(Place& place, const std::string& from, const std::string& part,
                     uint64_t limit) {
  const Descriptor file{
      open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (file.fd < 0) return DiskError(part);
  base::Hasher hasher;
  Got got;
  const auto done = place.Get(
      from,
      [&](std::string_view bytes) {
        hasher.Add(bytes);
        got.bytes += bytes.size();
        return WriteAll(file.fd, bytes, part);
      },
      limit + 1);
  if (!done) return tl::unexpected(done.error());
  if (fsync(file.fd) != 0) return DiskError(part);
  got.sha256 = base::Hex(hasher.Finish());
  return got;
}

std::string WhyUnproven(const decl::Fetch& fetch, const ReadyFile& file, const Fetched& fetched,
                        const std::string& part, const CheckSignature& check, Place& place) {
  if (!file.checksum.empty()) {
    const auto text = GetSmall(place, JoinPath(fetch.folder(), file.checksum));
    if (!text) return text.error().message;
    const std::string said = ChecksumIn(*text);
    if (said.empty()) return file.checksum + " holds no SHA-256";
    if (said != fetched.sha256) {
      return fmt::format("its SHA-256 isn't the one in {}", file.checksum);
    }
  } else if (fetch.ready() == "manifest") {
    const auto text = GetSmall(place, JoinPath(fetch.folder(), file.name + ".manifest.json"));
    if (!text) return text.error().message;
    const auto manifest = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
    const auto said = manifest.is_object() ? manifest.find("sha256") : manifest.end();
    if (!manifest.is_object() || said == manifest.end() || *said != fetched.sha256) {
      return "its SHA-256 isn't the one in its manifest";
    }
  } else if (fetch.sha256()) {
    return "there is no .sha256 beside it";
  }
  if (!fetch.has_signed_by()) return "";
  if (file.signature.empty()) return "there is no signature (.sig or .asc) beside it";
  if (!check) return "signatures can't be looked at here";
  auto signature = GetSmall(place, JoinPath(fetch.folder(), file.signature));
  if (!signature) return signature.error().message;
  return check(part, *signature);
}

}  // namespace

std::vector<ReadyFile> ReadyFiles(const decl::Fetch& fetch, const std::vector<PlaceFile>& listing,
                                  base::Instant now, Sightings* seen,
                                  std::vector<std::string>* waiting) {
  std::set<std::string> names;
  for (const PlaceFile& file : listing) {
    if (!file.folder && IsPlainName(file.name)) names.insert(file.name);
  }
  const auto beside = [&](const std::string& name) { return names.contains(name) ? name : ""; };
  const std::string trigger = fetch.has_trigger() ? fetch.trigger() : ".done";
  const base::Instant wait =
      60 * base::Instant{fetch.has_stable_minutes() ? fetch.stable_minutes() : 10};
  Sightings still;
  std::vector<ReadyFile> ready;
  for (const PlaceFile& file : listing) {
    if (!names.contains(file.name) ||
        fnmatch(fetch.pattern().c_str(), file.name.c_str(), FNM_PERIOD) != 0) {
      continue;
    }
    ReadyFile one{file.name, beside(file.name + trigger), beside(file.name + ".sha256"),
                  beside(file.name + ".sig")};
    if (one.signature.empty()) one.signature = beside(file.name + ".asc");
    std::string missing;
    if (fetch.ready() == "trigger" && one.trigger.empty()) missing = trigger;
    if (fetch.ready() == "checksum" && one.checksum.empty()) missing = ".sha256";
    if (fetch.ready() == "manifest" && beside(file.name + ".manifest.json").empty()) {
      missing = ".manifest.json";
    }
    if (!missing.empty()) {
      waiting->push_back(fmt::format("{} waits for {}{}", file.name, file.name, missing));
      continue;
    }
    if (fetch.ready() == "stable") {
      Sighting now_so{file.bytes, file.modified, now};
      if (const auto before = seen->find(file.name); before != seen->end() &&
                                                     before->second.bytes == file.bytes &&
                                                     before->second.modified == file.modified) {
        now_so.since = before->second.since;
      }
      still[file.name] = now_so;
      if (now - std::max(now_so.since, file.modified) < wait) {
        waiting->push_back(
            fmt::format("{} hasn't stayed the same for {} minutes yet", file.name, wait / 60));
        continue;
      }
    }
    ready.push_back(std::move(one));
  }
  *seen = std::move(still);
  std::sort(ready.begin(), ready.end(),
            [](const ReadyFile& a, const ReadyFile& b) { return a.name < b.name; });
  return ready;
}

Result<Fetched> FetchFile(const decl::Fetch& fetch, const ReadyFile& file, uint64_t limit,
                          const std::string& in, const CheckSignature& check, Place& place) {
  if (auto made = MakeFolder(in); !made) return tl::unexpected(made.error());
  const std::string part = in + "/.part";
  const auto got = Download(place, JoinPath(fetch.folder(), file.name), part, limit);
  if (!got) return tl::unexpected(got.error());
  base::KillPoint("import.downloaded");
  Fetched fetched;
  fetched.sha256 = got->sha256;
  fetched.folder = in + "/" + got->sha256;
  fetched.path = fetched.folder + "/file";
  fetched.unproven = got->bytes > limit ? fmt::format("it is larger than {} bytes", limit)
                                        : WhyUnproven(fetch, file, fetched, part, check, place);
  if (!fetched.unproven.empty()) {
    unlink(part.c_str());
    return fetched;
  }
  if (auto made = MakeFolder(fetched.folder); !made) return tl::unexpected(made.error());
  if (rename(part.c_str(), fetched.path.c_str()) != 0) return DiskError(fetched.path);
  base::KillPoint("import.quarantined");
  return fetched;
}

}  // namespace postern::jobs
