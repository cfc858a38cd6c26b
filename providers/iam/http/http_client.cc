#include "providers/iam/http/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>

#include "core/base/time.h"
#include "providers/iam/http/curl_error.h"
#include "providers/iam/http/url.h"

namespace postern::iam {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kMostRedirects = 3;

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// Before any handle, and never undone: libcurl's own advice for programs.
void InitOnce() {
  static const CURLcode done = ::curl_global_init(CURL_GLOBAL_DEFAULT);
  static_cast<void>(done);
}

}  // namespace

std::string_view NameOf(Method method) {
  constexpr std::string_view kNames[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
  return kNames[static_cast<size_t>(method)];
}

std::string_view HttpAnswer::Header(std::string_view name) const {
  const auto at = std::find_if(headers.rbegin(), headers.rend(),
                               [&](const auto& header) { return header.first == name; });
  return at == headers.rend() ? std::string_view() : std::string_view(at->second);
}

std::string HttpAnswer::ContentType() const {
  std::string_view value = Header("content-type");
  value = value.substr(0, value.find(';'));
  while (!value.empty() && value.back() == ' ') value.remove_suffix(1);
  std::string out(value);
  std::transform(out.begin(), out.end(), out.begin(), Lower);
  return out;
}

// One request on its way, and the handle that it uses; handles go round.
struct HttpClient::Transfer {
  Transfer() : easy(::curl_easy_init()) {}
  ~Transfer() {
    ::curl_slist_free_all(list);
    ::curl_easy_cleanup(easy);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  void Begin(const HttpRequest& of, size_t at) {
    request = &of;
    url = of.url;
    index = at;
    made = redirects = 0;
  }

  void BeginAttempt() {
    answer = {};
    given = header_bytes = 0;
    over.clear();
    problem[0] = 0;
  }

  static size_t TakeBody(char* data, size_t one, size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    if (transfer.answer.body.size() + one * size > transfer.most_body) {
      transfer.over = fmt::format("more than {} MiB", transfer.most_body >> 20);
      return 0;
    }
    transfer.answer.body.append(data, one * size);
    return one * size;
  }

  static size_t TakeHeader(char* data, size_t one, size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    std::string_view line(data, one * size);
    transfer.header_bytes += line.size();
    if (transfer.header_bytes > transfer.most_headers) {
      transfer.over = fmt::format("more than {} KiB of headers", transfer.most_headers >> 10);
      return 0;
    }
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
    // Headers of an interim answer (1xx) aren't those of the answer.
    if (line.starts_with("HTTP/")) transfer.answer.headers.clear();
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return one * size;
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(), Lower);
    line.remove_prefix(colon + 1);
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    transfer.answer.headers.emplace_back(std::move(name), std::string(line));
    return one * size;
  }

  static size_t GiveBody(char* to, size_t one, size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    const std::string& body = transfer.request->body;
    const size_t count = std::min(one * size, body.size() - transfer.given);
    std::copy_n(body.data() + transfer.given, count, to);
    transfer.given += count;
    return count;
  }

  // libcurl sends a request again by itself when a kept connection turns out to be closed. A write
  // whose body has left may have been done: what can't be rewound isn't sent again.
  static int Rewind(void* self, curl_off_t, int) {
    return static_cast<Transfer*>(self)->given == 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
  }

  CURL* easy;
  curl_slist* list = nullptr;
  const HttpRequest* request = nullptr;
  std::string url;
  size_t index = 0;
  int made = 0, redirects = 0;
  HttpAnswer answer;
  size_t given = 0, header_bytes = 0;
  size_t most_body = 0, most_headers = 0;
  std::string over;  // which bound it passed
  char problem[CURL_ERROR_SIZE] = {};
};

HttpClient::HttpClient(std::string ca, const HttpLimits& limits)
    : ca_(std::move(ca)), limits_(limits), random_(std::random_device{}()) {
  InitOnce();
  multi_ = ::curl_multi_init();
  ::curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
}

HttpClient::~HttpClient() {
  idle_.clear();
  ::curl_multi_cleanup(multi_);
}

std::unique_ptr<HttpClient::Transfer> HttpClient::NewTransfer() {
  if (!idle_.empty()) {
    auto transfer = std::move(idle_.back());
    idle_.pop_back();
    return transfer;
  }
  auto transfer = std::make_unique<Transfer>();
  transfer->most_body = limits_.body;
  transfer->most_headers = limits_.headers;
  return transfer;
}

void HttpClient::Prepare(Transfer& transfer) const {
  CURL* easy = transfer.easy;
  ::curl_easy_reset(easy);
  ::curl_slist_free_all(transfer.list);
  transfer.list = nullptr;
  transfer.BeginAttempt();
  const auto set = [easy](CURLoption option, auto value) {
    ::curl_easy_setopt(easy, option, value);
  };
  set(CURLOPT_URL, transfer.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_PROXY, "");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_USERAGENT, "postern");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!ca_.empty()) {
    set(CURLOPT_CAINFO, ca_.c_str());
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits_.connect.count()));
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(limits_.total.count()));
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, std::max<long>(1, static_cast<long>(limits_.stall.count() / 1000)));
  set(CURLOPT_ERRORBUFFER, transfer.problem);
  set(CURLOPT_PRIVATE, &transfer);
  set(CURLOPT_WRITEFUNCTION, &Transfer::TakeBody);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_HEADERFUNCTION, &Transfer::TakeHeader);
  set(CURLOPT_HEADERDATA, &transfer);
  const HttpRequest& request = *transfer.request;
  if (request.is_write()) {
    set(CURLOPT_CUSTOMREQUEST, NameOf(request.method).data());
    if (request.method != Method::kDelete || !request.body.empty()) {
      set(CURLOPT_UPLOAD, 1L);
      set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      set(CURLOPT_READFUNCTION, &Transfer::GiveBody);
      set(CURLOPT_READDATA, &transfer);
      set(CURLOPT_SEEKFUNCTION, &Transfer::Rewind);
      set(CURLOPT_SEEKDATA, &transfer);
    }
  }
  // Waiting for "100 Continue" costs a second at servers that don't know it.
  transfer.list = ::curl_slist_append(transfer.list, "Expect:");
  for (const auto& [name, value] : request.headers) {
    transfer.list = ::curl_slist_append(transfer.list, fmt::format("{}: {}", name, value).c_str());
  }
  set(CURLOPT_HTTPHEADER, transfer.list);
}

// What an ended attempt says, retries and redirects apart.
HttpResult HttpClient::Conclude(Transfer& transfer, int code) {
  const HttpRequest& request = *transfer.request;
  long size = 0;
  ::curl_easy_getinfo(transfer.easy, CURLINFO_REQUEST_SIZE, &size);
  if (size > 0) ++sent_;
  if (code == CURLE_OK) {
    long status = 0;
    ::curl_easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &status);
    transfer.answer.status = static_cast<int>(status);
    return std::move(transfer.answer);
  }
  const std::string doing = fmt::format("{} {}", NameOf(request.method), transfer.url);
  HttpFailure failure;
  failure.may_be_done = request.is_write() && size > 0;
  failure.error = transfer.over.empty()
                      ? ErrorOf(code, transfer.problem, ca_)
                      : Error{ErrorCode::kIncomplete, "the answer has " + transfer.over};
  failure.error.message = doing + ": " + failure.error.message;
  return tl::unexpected<HttpFailure>(std::move(failure));
}

// The requests of one call until each has its answer.
class HttpClient::Run {
 public:
  Run(HttpClient& client, std::span<const HttpRequest> requests,
      const std::function<void(size_t, HttpResult)>& take)
      : client_(client), requests_(requests), take_(take) {}

  void ToTheEnd() {
    for (;;) {
      Fill();
      if (running_.empty() && waiting_.empty()) return;
      int count = 0;
      ::curl_multi_perform(client_.multi_, &count);
      int left = 0;
      while (const CURLMsg* message = ::curl_multi_info_read(client_.multi_, &left)) {
        if (message->msg == CURLMSG_DONE) Ended(message->easy_handle, message->data.result);
      }
      // An answer may make room for the next request at once.
      if (HasRoom() || (running_.empty() && waiting_.empty())) continue;
      ::curl_multi_poll(client_.multi_, nullptr, 0, Patience(), nullptr);
    }
  }

 private:
  using TransferPtr = std::unique_ptr<Transfer>;

  bool HasRoom() const {
    return running_.size() < client_.limits_.parallel &&
           (next_ < requests_.size() ||
            (!waiting_.empty() && waiting_.begin()->first <= steady_clock::now()));
  }

  void Fill() {
    while (HasRoom()) {
      TransferPtr transfer;
      if (!waiting_.empty() && waiting_.begin()->first <= steady_clock::now()) {
        transfer = std::move(waiting_.begin()->second);
        waiting_.erase(waiting_.begin());
      } else {
        transfer = client_.NewTransfer();
        transfer->Begin(requests_[next_], next_);
        ++next_;
      }
      Start(std::move(transfer));
    }
  }

  void Start(TransferPtr transfer) {
    client_.Prepare(*transfer);
    ::curl_multi_add_handle(client_.multi_, transfer->easy);
    CURL* easy = transfer->easy;
    running_.emplace(easy, std::move(transfer));
  }

  void Ended(CURL* easy, CURLcode code) {
    const auto at = running_.find(easy);
    TransferPtr transfer = std::move(at->second);
    running_.erase(at);
    ::curl_multi_remove_handle(client_.multi_, easy);
    HttpResult result = client_.Conclude(*transfer, code);
    ++transfer->made;
    if (result && IsRedirect(result->status)) {
      const HttpAnswer redirect = std::move(*result);
      result = Redirected(*transfer, redirect);
      if (result && result->status == 0) return Start(std::move(transfer));
    }
    if (const auto delay = Delay(*transfer, result)) {
      waiting_.emplace(steady_clock::now() + *delay, std::move(transfer));
      return;
    }
    const size_t index = transfer->index;
    client_.idle_.push_back(std::move(transfer));
    take_(index, std::move(result));
  }

  std::optional<milliseconds> Delay(const Transfer& transfer, const HttpResult& result) {
    Attempt attempt;
    attempt.write = transfer.request->is_write();
    if (result) {
      attempt.status = result->status;
      attempt.retry_after = ParseRetryAfter(result->Header("retry-after"), base::Now());
    } else if (!result.error().error.retryable()) {
      return std::nullopt;
    } else {
      attempt.sent = result.error().may_be_done;
    }
    return NextDelay(attempt, transfer.made, client_.limits_.retry, client_.random_());
  }

  // Status 0: go on with the new address.
  static HttpResult Redirected(Transfer& transfer, const HttpAnswer& answer) {
    const std::string to = Resolve(transfer.url, std::string(answer.Header("location")));
    const bool same = !to.empty() && OriginOf(to) == OriginOf(transfer.request->url);
    if (same && !transfer.request->is_write() && ++transfer.redirects <= kMostRedirects) {
      transfer.url = to;
      return HttpAnswer{};
    }
    const std::string why = to.empty() ? "to no address"
                            : !same    ? "to another host, which is not followed: " + to
                            : transfer.request->is_write()
                                ? "to " + to + ", and a write is not sent there"
                                : "again and again, at last to " + to;
    return tl::unexpected<HttpFailure>(
        {Error{ErrorCode::kInvalid,
               fmt::format("{} {}: the answer leads {}", NameOf(transfer.request->method),
                           transfer.url, why)},
         false});
  }

  int Patience() const {
    constexpr int kLongest = 1000;
    if (waiting_.empty()) return kLongest;
    const auto left =
        std::chrono::duration_cast<milliseconds>(waiting_.begin()->first - steady_clock::now());
    return static_cast<int>(std::clamp<int64_t>(left.count() + 1, 0, kLongest));
  }

  HttpClient& client_;
  std::span<const HttpRequest> requests_;
  const std::function<void(size_t, HttpResult)>& take_;
  size_t next_ = 0;
  std::map<CURL*, TransferPtr> running_;
  std::multimap<steady_clock::time_point, TransferPtr> waiting_;
};

void HttpClient::SendAll(std::span<const HttpRequest> requests,
                         const std::function<void(size_t, HttpResult)>& take) {
  Run(*this, requests, take).ToTheEnd();
}

HttpResult HttpClient::Send(const HttpRequest& request) {
  HttpResult out = tl::unexpected<HttpFailure>({Error{ErrorCode::kInternal, "no answer"}, false});
  SendAll({&request, 1}, [&](size_t, HttpResult result) { out = std::move(result); });
  return out;
}

}  // namespace postern::iam
