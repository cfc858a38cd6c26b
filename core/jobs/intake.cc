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
#include "core/diag/codes.h"
#include "core/diag/text.h"
#include "core/jobs/encrypt.h"
#include "core/jobs/files.h"
#include "core/jobs/import_order.h"
#include "core/jobs/unpack.h"

namespace postern::jobs {
namespace {

using Json = nlohmann::json;

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

// What a manifest says is taken into `fetched`; what of it doesn't fit the bytes, or why it can't
// be read.
std::string WhyNotByManifest(const decl::Fetch& fetch, const ReadyFile& file, Place& place,
                             Fetched* fetched) {
  const auto text = GetSmall(place, JoinPath(fetch.folder(), file.manifest));
  if (!text) return text.error().message;
  const Json manifest = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!manifest.is_object()) return file.manifest + " isn't a manifest";
  const auto number = [&](const char* name) -> std::optional<uint64_t> {
    const auto at = manifest.find(name);
    if (at == manifest.end() || !at->is_number_unsigned()) return std::nullopt;
    return at->get<uint64_t>();
  };
  fetched->rows = number("rows");
  fetched->sequence = number("sequence").value_or(0);
  fetched->base_sequence = number("base_sequence").value_or(0);
  const auto said = manifest.find("sha256");
  if (said != manifest.end() && *said == fetched->sha256) return "";
  // A count of rows tells a cut as well; where the manifest itself says that a file is there, its
  // bytes must be those.
  const bool count_is_enough = fetched->rows && fetch.ready() != "manifest";
  return said == manifest.end() && count_is_enough ? ""
                                                   : "its SHA-256 isn't the one in its manifest";
}

// The sender knows his file by its name, not by where it is here.
std::string SenderText(std::string text, const std::string& path, const std::string& name) {
  for (size_t at = text.find(path); at != std::string::npos; at = text.find(path, at)) {
    text.replace(at, path.size(), name);
    at += name.size();
  }
  return text;
}

std::string WhyNotSigned(const std::string& folder, const decl::Endpoint& from,
                         const ReadyFile& file, const std::string& part, Place& place) {
  if (file.signature.empty()) {
    // Who signed a message of OpenPGP is seen when it is opened.
    if (SealOf(file.name) == Seal::kOpenPgp) return "";
    return "there is no signature (.sig or .asc) beside it";
  }
  const auto signature = GetSmall(place, JoinPath(folder, file.signature));
  if (!signature) return signature.error().message;
  const std::string kept = part + ".sig";
  if (auto done = ReplaceFile(kept, *signature); !done) return done.error().message;
  const auto right = VerifyDetached(from.gpg_home(), from.signed_by(), kept, part);
  unlink(kept.c_str());
  if (right) return "";
  return SenderText(right.error().message, part, file.name);
}

void Prove(const decl::Fetch& fetch, const decl::Endpoint& from, const ReadyFile& file,
           const std::string& part, Place& place, Fetched* fetched) {
  fetched->code = diag::code::kFileUnproven;
  if (!file.checksum.empty()) {
    const auto text = GetSmall(place, JoinPath(fetch.folder(), file.checksum));
    const std::string said = text ? ChecksumIn(*text) : "";
    if (!text) {
      fetched->unproven = text.error().message;
    } else if (said.empty()) {
      fetched->unproven = file.checksum + " holds no SHA-256";
    } else if (said != fetched->sha256) {
      fetched->unproven = fmt::format("its SHA-256 isn't the one in {}", file.checksum);
    }
  } else if (fetch.sha256()) {
    fetched->unproven = "there is no .sha256 beside it";
  }
  if (fetched->unproven.empty() && !file.manifest.empty()) {
    fetched->unproven = WhyNotByManifest(fetch, file, place, fetched);
  }
  if (!fetched->unproven.empty() || !from.has_signed_by()) return;
  fetched->code = diag::code::kBadSignature;
  fetched->unproven = WhyNotSigned(fetch.folder(), from, file, part, place);
}

// Whether a file of this format shows by itself that it was cut off: XML and JSON end with what
// they began with (so do gzip and zip).
bool ShowsItsEnd(const decl::FileFormat& format) {
  return format.type() == "xml" || format.type() == "json";
}

// What must stand beside the file before it counts as complete; empty: nothing that isn't there.
std::string MissingBeside(const decl::Import& import, const ReadyFile& file) {
  const decl::Fetch& fetch = import.fetch();
  const std::string& ready = fetch.ready();
  if (ready == "trigger" && file.trigger.empty()) {
    return file.name + (fetch.has_trigger() ? fetch.trigger() : ".done");
  }
  if (ready == "checksum" && file.checksum.empty()) return file.name + ".sha256";
  if (ready == "manifest" && file.manifest.empty()) return file.name + ".manifest.json";
  if (ready == "stable" && file.checksum.empty() && file.manifest.empty() &&
      !ShowsItsEnd(import.format()) && PackOf(file.name) == Pack::kNone) {
    return fmt::format("{0}.sha256 or {0}.manifest.json: {1} doesn't show where it ends", file.name,
                       import.format().type());
  }
  return "";
}

bool IsUnchanged(const std::optional<PlaceFile>& before, const std::optional<PlaceFile>& after) {
  return before && after && before->bytes == after->bytes && before->modified == after->modified;
}

bool IsIn(const decl::Fetch& fetch, const std::string& name) {
  return fnmatch(fetch.pattern().c_str(), name.c_str(), FNM_PERIOD) == 0;
}

}  // namespace

Sightings ReadSightings(const std::string& path) {
  Sightings seen;
  const auto text = ReadSmallFile(path);
  const Json json = Json::parse(text ? *text : "{}", nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return seen;
  for (const auto& [name, one] : json.items()) {
    if (!one.is_object()) continue;
    seen[name] = {one.value("bytes", uint64_t{0}), one.value("modified", int64_t{0}),
                  one.value("since", int64_t{0})};
  }
  return seen;
}

Result<void> KeepSightings(const std::string& path, const Sightings& seen) {
  Json json = Json::object();
  for (const auto& [name, one] : seen) {
    json[name] = {{"bytes", one.bytes}, {"modified", one.modified}, {"since", one.since}};
  }
  return ReplaceFile(path, json.dump() + "\n");
}

std::vector<ReadyFile> ReadyFiles(const decl::Import& import, const std::vector<PlaceFile>& listing,
                                  base::Instant now, Sightings* seen,
                                  std::vector<std::string>* waiting) {
  const decl::Fetch& fetch = import.fetch();
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
    if (!names.contains(file.name) || !IsIn(fetch, file.name)) continue;
    ReadyFile one{file.name, beside(file.name + trigger), beside(file.name + ".sha256"),
                  beside(file.name + ".manifest.json"), beside(file.name + ".sig")};
    if (one.signature.empty()) one.signature = beside(file.name + ".asc");
    if (const std::string missing = MissingBeside(import, one); !missing.empty()) {
      waiting->push_back(fmt::format("{} waits for {}", file.name, missing));
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

void StopAtWaiting(const decl::Fetch& fetch, const std::vector<PlaceFile>& listing,
                   const std::string& last, std::vector<ReadyFile>* ready,
                   std::vector<std::string>* waiting) {
  std::set<std::string> not_these;  // ready, or beside a file
  for (const ReadyFile& file : *ready) not_these.insert(file.name);
  const std::string trigger = fetch.has_trigger() ? fetch.trigger() : ".done";
  for (const PlaceFile& file : listing) {
    for (const std::string& ending : {trigger, std::string(".sha256"), std::string(".sig"),
                                      std::string(".asc"), std::string(".manifest.json")}) {
      not_these.insert(file.name + ending);
    }
  }
  std::string first;
  for (const PlaceFile& file : listing) {
    const bool waits = !file.folder && IsPlainName(file.name) && IsIn(fetch, file.name) &&
                       file.name > last && !not_these.contains(file.name);
    if (waits && (first.empty() || file.name < first)) first = file.name;
  }
  if (first.empty()) return;
  std::erase_if(*ready, [&](const ReadyFile& file) {
    if (file.name < first) return false;
    waiting->push_back(fmt::format("{} comes after {}, which waits", file.name, first));
    return true;
  });
}

Result<Fetched> FetchFile(const decl::Fetch& fetch, const decl::Endpoint& from,
                          const ReadyFile& file, uint64_t limit, const std::string& in,
                          Place& place) {
  if (auto made = MakeFolder(in); !made) return tl::unexpected(made.error());
  const std::string part = in + "/.part", path = JoinPath(fetch.folder(), file.name);
  const auto seen = place.Stat(path);
  if (!seen) return tl::unexpected(seen.error());
  const auto got = Download(place, path, part, limit);
  if (!got) return tl::unexpected(got.error());
  base::KillPoint("import.downloaded");
  const auto after = place.Stat(path);
  if (!after) return tl::unexpected(after.error());
  Fetched fetched;
  fetched.changed = !IsUnchanged(*seen, *after);
  if (fetched.changed) {
    unlink(part.c_str());
    return fetched;
  }
  fetched.bytes = (*seen)->bytes;
  fetched.modified = (*seen)->modified;
  fetched.sha256 = got->sha256;
  if (got->bytes > limit) {
    fetched.unproven = fmt::format("it is larger than {} bytes", limit);
    fetched.code = diag::code::kFileUnproven;
  } else {
    Prove(fetch, from, file, part, place, &fetched);
  }
  fetched.key = KeyOf({file.name, fetched.sequence, fetched.sha256});
  fetched.folder = in + "/" + fetched.key;
  fetched.path = fetched.folder + "/file";
  if (!fetched.unproven.empty()) {
    unlink(part.c_str());
    return fetched;
  }
  if (auto made = MakeFolder(fetched.folder); !made) return tl::unexpected(made.error());
  if (rename(part.c_str(), fetched.path.c_str()) != 0) return DiskError(fetched.path);
  base::KillPoint("import.quarantined");
  return fetched;
}

Seal SealOf(const std::string& name) {
  if (name.ends_with(".gpg") || name.ends_with(".pgp")) return Seal::kOpenPgp;
  return name.ends_with(".age") ? Seal::kAge : Seal::kNone;
}

Result<void> OpenSealed(const decl::Endpoint& from, const ReadyFile& file, const Fetched& fetched,
                        const std::string& age_identity, uint64_t limit, const std::string& to) {
  const bool age = SealOf(file.name) == Seal::kAge;
  if (!age && !from.has_gpg_home()) {
    return Fail(ErrorCode::kUnsupported,
                file.name + " is encrypted, and gpg_home doesn't say where the key is");
  }
  const std::string inside = file.signature.empty() ? from.signed_by() : "";
  auto opened = age ? OpenAge(age_identity, fetched.path, to, limit)
                    : OpenFile(from.gpg_home(), inside, fetched.path, to, limit);
  if (opened) return opened;
  Error error = opened.error();
  error.message = SenderText(std::move(error.message), fetched.path, file.name);
  return tl::unexpected(std::move(error));
}

Result<size_t> CleanArchive(const decl::Import& import, const std::string& last, Place& place) {
  const decl::Fetch& fetch = import.fetch();
  const uint32_t most = import.keep().remote_files();
  if (most == 0 || !fetch.has_done()) return size_t{0};
  const auto listing = place.List(fetch.done());
  if (!listing) return tl::unexpected(listing.error());
  std::set<std::string> names, files;
  for (const PlaceFile& file : *listing) {
    if (file.folder || !IsPlainName(file.name)) continue;
    names.insert(file.name);
    if (IsIn(fetch, file.name)) files.insert(file.name);
  }
  size_t removed = 0;
  const std::string trigger = fetch.has_trigger() ? fetch.trigger() : ".done";
  for (const std::string& file : files) {
    if (files.size() - removed <= most) break;
    if (file == last) continue;
    for (const std::string& ending :
         {trigger, std::string(".sha256"), std::string(".sig"), std::string(".asc"),
          std::string(".manifest.json"), std::string()}) {
      if (!names.contains(file + ending)) continue;
      auto gone = place.Remove(JoinPath(fetch.done(), file + ending));
      if (!gone && gone.error().code != ErrorCode::kNotFound) return tl::unexpected(gone.error());
    }
    ++removed;
  }
  return removed;
}

}  // namespace postern::jobs
