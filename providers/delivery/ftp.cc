#include "providers/delivery/ftp.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "providers/delivery/curl_words.h"
#include "providers/delivery/ftp_list.h"
#include "schemas/job_declarations.pb.h"

namespace postern::delivery {
namespace {

constexpr long kConnectMs = 15'000;
constexpr long kStallSeconds = 120;       // without a byte moving
constexpr long kAnswerSeconds = 120;      // for one answer of the server
constexpr long kBuffer = 512 * 1024;      // of a transfer
constexpr size_t kListLimit = 64U << 20;  // a longer listing can only be a mistake

void InitOnce() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

struct CurlDeleter {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// One transfer or command: what flows, and what went wrong on our side of it.
struct Flow {
  const object::ByteSource* source = nullptr;
  const object::ByteSink* sink = nullptr;
  const object::PutOptions* options = nullptr;
  uint64_t handed = 0, limit = UINT64_MAX;
  bool enough = false;          // the limit is reached
  std::optional<Error> failed;  // of source or sink
  std::string answer;           // the last line that the server said
};

size_t Give(char* buffer, size_t size, size_t count, void* to) {
  auto& flow = *static_cast<Flow*>(to);
  auto got = (*flow.source)(buffer, size * count);
  if (!got) {
    flow.failed = got.error();
    return CURL_READFUNC_ABORT;
  }
  flow.handed += *got;
  if (flow.options != nullptr && flow.options->progress && *got > 0) {
    flow.options->progress(flow.handed);
  }
  return *got;
}

size_t Take(char* bytes, size_t size, size_t count, void* to) {
  auto& flow = *static_cast<Flow*>(to);
  std::string_view part(bytes, size * count);
  part = part.substr(0, std::min<uint64_t>(part.size(), flow.limit - flow.handed));
  flow.handed += part.size();
  if (flow.sink != nullptr) {
    if (auto taken = (*flow.sink)(part); !taken) {
      flow.failed = taken.error();
      return 0;
    }
  }
  flow.enough = part.size() < size * count;
  return flow.enough ? 0 : size * count;
}

// The control connection's lines. Ours to show: control characters go.
size_t Hear(char* bytes, size_t size, size_t count, void* to) {
  std::string line;
  for (const char c : std::string_view(bytes, size * count)) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && line.size() < 300) line += c;
  }
  // The last line of an answer: three digits and a blank.
  if (line.size() > 3 && line[3] == ' ') static_cast<Flow*>(to)->answer = line;
  return size * count;
}

class Ftp final : public object::Place {
 public:
  Ftp(const decl::Endpoint& endpoint, const Address& address,
      const object::PlaceCredential& credential)
      : protocol_(endpoint.protocol()),
        ca_(endpoint.ca()),
        login_(credential.login),
        password_(credential.password),
        curl_(curl_easy_init()) {
    const bool six = address.host.find(':') != std::string::npos;
    base_ = fmt::format("{}://{}:{}/", protocol_ == "ftps-implicit" ? "ftps" : "ftp",
                        six ? "[" + address.host + "]" : address.host, address.port);
  }

  Result<void> SignIn() {
    Flow flow;
    Begin(flow, "/");
    Set(CURLOPT_NOBODY, 1L);
    return Perform(flow, "sign in");
  }

  Result<void> Put(const std::string& path, const object::ByteSource& bytes,
                   const object::PutOptions& options) override {
    if (auto fit = CheckPath(path); !fit) return fit;
    Flow flow;
    flow.source = &bytes;
    flow.options = &options;
    Begin(flow, path);
    Set(CURLOPT_UPLOAD, 1L);
    if (options.offset > 0) Set(CURLOPT_APPEND, 1L);
    return Perform(flow, "write " + path);
  }

  Result<void> Get(const std::string& path, const object::ByteSink& bytes,
                   uint64_t limit) override {
    if (auto fit = CheckPath(path); !fit) return fit;
    Flow flow;
    flow.sink = &bytes;
    flow.limit = limit;
    Begin(flow, path);
    auto done = Perform(flow, "read " + path);
    return flow.enough ? Result<void>() : done;
  }

  Result<std::optional<object::PlaceFile>> Stat(const std::string& path) override {
    if (auto fit = CheckPath(path); !fit) return tl::unexpected(fit.error());
    Flow flow;
    Begin(flow, path);
    Set(CURLOPT_NOBODY, 1L);
    Set(CURLOPT_FILETIME, 1L);
    auto done = Perform(flow, "look at " + path);
    curl_off_t size = -1, time = -1;
    curl_easy_getinfo(curl_.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
    curl_easy_getinfo(curl_.get(), CURLINFO_FILETIME_T, &time);
    const std::string name = path.substr(path.rfind('/') + 1);
    if (done && size >= 0) {
      return object::PlaceFile{name, static_cast<uint64_t>(size), std::max<curl_off_t>(time, 0),
                               false};
    }
    if (!done && done.error().retryable()) return tl::unexpected(done.error());
    if (!done && done.error().code == ErrorCode::kNotFound) return std::nullopt;
    return FindInFolder(path, name);
  }

  Result<std::vector<object::PlaceFile>> List(const std::string& folder) override {
    if (auto fit = CheckPath(folder); !fit) return tl::unexpected(fit.error());
    auto files = ListBy("MLSD", folder);
    if (files) return files;
    // An old server doesn't know MLSD, a configuration may forbid it: both tell by LIST.
    const bool other =
        files.error().code == ErrorCode::kUnsupported || files.error().code == ErrorCode::kDenied;
    return other ? ListBy("LIST", folder) : files;
  }

  Result<void> Rename(const std::string& from, const std::string& to, bool replace) override {
    if (auto fit = CheckPath(from); !fit) return fit;
    auto there = Stat(to);
    if (!there) return tl::unexpected(there.error());
    if (*there && !replace) return Fail(ErrorCode::kConflict, to + " is there already");
    auto done = Commands({"RNFR " + from, "RNTO " + to}, "rename " + from);
    if (done || !*there || done.error().code != ErrorCode::kDenied) return done;
    // This server doesn't let a rename replace.
    if (auto removed = Remove(to); !removed && removed.error().code != ErrorCode::kNotFound) {
      return removed;
    }
    return Commands({"RNFR " + from, "RNTO " + to}, "rename " + from);
  }

  Result<void> Remove(const std::string& path) override {
    if (auto fit = CheckPath(path); !fit) return fit;
    return Commands({"DELE " + path}, "remove " + path);
  }

  object::PlaceFeatures features() const override { return {protocol_, false, true}; }

 private:
  template <class Value>
  void Set(CURLoption option, Value value) {
    curl_easy_setopt(curl_.get(), option, value);
  }

  // Every name's own characters are escaped, so that none is taken for a part of the URL.
  std::string UrlOf(const std::string& path) const {
    std::string url = base_ + "%2F";
    for (const char c : path.substr(1)) {
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') || c == '/' || c == '-' || c == '_' || c == '.';
      url += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return url;
  }

  // Options stay from call to call but for what a call set itself; so each begins anew. The
  // connections and TLS sessions of the handle survive it.
  void Begin(Flow& flow, const std::string& path) {
    curl_easy_reset(curl_.get());
    url_ = UrlOf(path);
    Set(CURLOPT_URL, url_.c_str());
    Set(CURLOPT_PROTOCOLS_STR, protocol_ == "ftps-implicit" ? "ftps" : "ftp");
    Set(CURLOPT_PROXY, "");
    Set(CURLOPT_NOSIGNAL, 1L);
    Set(CURLOPT_USERNAME, login_.c_str());
    Set(CURLOPT_PASSWORD, password_.c_str());
    if (protocol_ != "ftp") {
      Set(CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
      Set(CURLOPT_FTPSSLAUTH, static_cast<long>(CURLFTPAUTH_TLS));
      Set(CURLOPT_SSL_VERIFYPEER, 1L);
      Set(CURLOPT_SSL_VERIFYHOST, 2L);
      // With TLS 1.3 libcurl 7.88 keeps no session for the data connection, and servers that ask
      // for it refuse the transfer.
      Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2) |
                                  static_cast<long>(CURL_SSLVERSION_MAX_TLSv1_2));
      if (!ca_.empty()) {
        Set(CURLOPT_CAINFO, ca_.c_str());
        Set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
      }
    }
    Set(CURLOPT_FTP_FILEMETHOD, static_cast<long>(CURLFTPMETHOD_NOCWD));
    Set(CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
    Set(CURLOPT_SERVER_RESPONSE_TIMEOUT, kAnswerSeconds);
    Set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    Set(CURLOPT_LOW_SPEED_TIME, kStallSeconds);
    Set(CURLOPT_BUFFERSIZE, kBuffer);
    Set(CURLOPT_UPLOAD_BUFFERSIZE, kBuffer);
    Set(CURLOPT_READFUNCTION, &Give);
    Set(CURLOPT_READDATA, &flow);
    Set(CURLOPT_WRITEFUNCTION, &Take);
    Set(CURLOPT_WRITEDATA, &flow);
    Set(CURLOPT_HEADERFUNCTION, &Hear);
    Set(CURLOPT_HEADERDATA, &flow);
  }

  Result<void> Perform(Flow& flow, const std::string& doing) {
    const CURLcode code = curl_easy_perform(curl_.get());
    if (flow.failed) return tl::unexpected(*flow.failed);
    if (code == CURLE_OK) return {};
    // The handle's connections go with it: on this one each answer would be taken for another's.
    if (IsOutOfStep(code, flow.answer)) curl_.reset(curl_easy_init());
    return base::Wrap(doing, FtpError(code, flow.answer, ca_));
  }

  Result<void> Commands(const std::vector<std::string>& lines, const std::string& doing) {
    Flow flow;
    Begin(flow, "/");
    Set(CURLOPT_NOBODY, 1L);
    curl_slist* list = nullptr;
    for (const std::string& line : lines) list = curl_slist_append(list, line.c_str());
    const std::unique_ptr<curl_slist, CurlDeleter> owner(list);
    Set(CURLOPT_QUOTE, list);
    return Perform(flow, doing);
  }

  Result<std::vector<object::PlaceFile>> ListBy(const std::string& command,
                                                const std::string& folder) {
    std::string text;
    const object::ByteSink sink = [&](std::string_view part) -> Result<void> {
      text += part;
      if (text.size() <= kListLimit) return {};
      return Fail(ErrorCode::kIncomplete, folder + " has a listing of more than 64 MiB");
    };
    Flow flow;
    flow.sink = &sink;
    Begin(flow, folder.ends_with('/') ? folder : folder + "/");
    Set(CURLOPT_CUSTOMREQUEST, command.c_str());
    if (auto done = Perform(flow, "list " + folder); !done) return tl::unexpected(done.error());
    bool all = true;
    auto files = ReadListing(text, command == "MLSD", &all);
    if (all) return files;
    return Fail(ErrorCode::kUnsupported,
                fmt::format("the listing of {} isn't in a form that is known", folder));
  }

  // Where SIZE says nothing certain: absent is what the folder's listing lacks.
  Result<std::optional<object::PlaceFile>> FindInFolder(const std::string& path,
                                                        const std::string& name) {
    auto files = List(path.substr(0, std::max<size_t>(1, path.rfind('/'))));
    if (!files) return tl::unexpected(files.error());
    for (object::PlaceFile& file : *files) {
      if (file.name == name) return std::move(file);
    }
    return std::nullopt;
  }

  const std::string protocol_, ca_, login_, password_;
  std::string base_, url_;
  std::unique_ptr<CURL, CurlDeleter> curl_;
};

}  // namespace

Result<std::unique_ptr<object::Place>> OpenFtp(const decl::Endpoint& endpoint,
                                               const Address& address,
                                               const object::PlaceCredential& credential) {
  InitOnce();
  auto place = std::make_unique<Ftp>(endpoint, address, credential);
  if (auto signed_in = place->SignIn(); !signed_in) return tl::unexpected(signed_in.error());
  return place;
}

}  // namespace postern::delivery
