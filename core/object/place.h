// core/object/place.h: a folder tree at an endpoint that files are delivered to or fetched from.
//
// The second contract between core and provider, beside target.h: the delivery provider implements
// it for a protocol, core/provider/delivery.h over RPC, tests in memory. One thread; nothing throws
// across it. Paths are absolute at the place, with "/" between names, no "." or "..".
//
// Errors, of all calls: transient (Error::retryable: kUnavailable, kTimeout; the same call may
// succeed on a new connection, and may have been done) or final: kNotFound, kDenied (no right, or
// no room), kConflict (the name is taken), kAuthentication (it doesn't accept us),
// kUntrusted (it isn't who it should be), kUnsupported, kInvalid.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"

namespace postern::object {

// Takes bytes in order; an error ends the transfer with it.
using ByteSink = std::function<Result<void>(std::string_view)>;
// Fills `buffer` with up to `size` bytes, answers how many; 0 at the end.
using ByteSource = std::function<Result<size_t>(char* buffer, size_t size)>;

struct PlaceFile {
  std::string name;  // the last part of its path
  uint64_t bytes = 0;
  base::Instant modified = 0;  // 0: the place doesn't say
  bool folder = false;
};

struct PlaceFeatures {
  std::string protocol;    // "sftp", "ftp", "ftps", "ftps-implicit"
  bool replaces = false;   // Rename with `replace` leaves no moment without the file
  bool continues = false;  // Put may go on behind what is there
};

struct PutOptions {
  uint64_t offset = 0;                     // > 0: goes on behind that many bytes of the file
  std::function<void(uint64_t)> progress;  // bytes handed over so far
};

class Place {
 public:
  virtual ~Place() = default;
  // Writes the source's bytes; without an offset the file is created or emptied first. Answered
  // when the place has confirmed that it closed the file. A transfer that breaks leaves a part.
  virtual Result<void> Put(const std::string& path, const ByteSource& bytes,
                           const PutOptions& options) = 0;
  Result<void> Put(const std::string& path, const ByteSource& bytes) {
    return Put(path, bytes, PutOptions());
  }
  // What reached the sink counts only when the call succeeds. At most `limit` bytes.
  virtual Result<void> Get(const std::string& path, const ByteSink& bytes, uint64_t limit) = 0;
  Result<void> Get(const std::string& path, const ByteSink& bytes) {
    return Get(path, bytes, UINT64_MAX);
  }
  // Nothing: it was looked for and isn't there.
  virtual Result<std::optional<PlaceFile>> Stat(const std::string& path) = 0;
  // Files and folders in it, by name, without "." and "..".
  virtual Result<std::vector<PlaceFile>> List(const std::string& folder) = 0;
  // kConflict when `to` is there and not to be replaced. With `replace` a place that can't do it in
  // one step removes `to` first.
  virtual Result<void> Rename(const std::string& from, const std::string& to, bool replace) = 0;
  // A file; one that isn't there is kNotFound.
  virtual Result<void> Remove(const std::string& path) = 0;
  virtual PlaceFeatures features() const = 0;
};

// What may open a place, with values. One of key and password is enough.
struct PlaceCredential {
  std::string name;  // "next", "current", or what the endpoint's login has: for people
  std::string login;
  std::string private_key;  // PEM or OpenSSH text
  std::string password;
};

struct OpenedPlace {
  std::unique_ptr<Place> place;
  std::string credential;   // name of the one that opened it
  std::string fingerprint;  // "SHA256:..." of its public key; "password" for a password
  int pid = -1;             // of the provider's process, where there is one
};

}  // namespace postern::object
