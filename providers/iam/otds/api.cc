#include "providers/iam/otds/api.h"
#include "providers/iam/http/clock.h"

#include <fmt/format.h>

#include <unordered_set>

namespace postern::iam::otds {
namespace {

constexpr int kNotImplemented = 501;
const Headers kJson = {{"Accept", "application/json"}};

bool IsHtml(const HttpAnswer& answer) {
  return answer.ContentType().find("html") != std::string::npos || answer.body.starts_with('<');
}

Result<Json> DocumentOf(const HttpResult& result, const std::string& path) {
  if (!result) return tl::unexpected(result.error().error);
  if (result->status != 200) {
    // A page says nothing about an object: something before OTDS has answered.
    const ErrorCode code = IsHtml(*result) ? ErrorCode::kUnavailable : CodeOf(result->status);
    return Fail(code, fmt::format("GET {}: {}", path, Refusal(*result)));
  }
  auto document = ReadDocument(*result);
  if (!document) return base::Wrap("GET " + path, document.error());
  return document;
}

Written Conclude(const HttpRequest& request, const HttpResult& result) {
  Written out;
  if (!result) {
    out.error = result.error().error;
    out.may_be_done = result.error().may_be_done;
    return out;
  }
  out.status = result->status;
  out.ok = result->status >= 200 && result->status < 300;
  // The server may have done what it answers with 5xx, as a lost answer; not what it has no call
  // for.
  out.may_be_done = result->status >= 500 && result->status != kNotImplemented;
  if (!out.ok) {
    out.error = {CodeOf(result->status),
                 fmt::format("{} {}: {}", NameOf(request.method), request.url, Refusal(*result))};
  }
  return out;
}

}  // namespace

std::string Refusal(const HttpAnswer& answer) {
  constexpr size_t kLongest = 300;
  std::string text = fmt::format("status {}", answer.status);
  if (IsHtml(answer)) return text + ", a page for browsers";
  const auto fields = ReadFields(answer, {"error", "errorDetails", "status"});
  if (!fields) return text;
  for (const std::string& field : *fields) {
    if (field.empty() || field == std::to_string(answer.status)) continue;
    text += ", " + field.substr(0, kLongest);
  }
  return text;
}

ErrorCode CodeOf(int status) {
  switch (status) {
    case 401:
      return ErrorCode::kAuthentication;
    case 403:
      return ErrorCode::kDenied;
    case 404:
      return ErrorCode::kNotFound;
    case 409:
      return ErrorCode::kConflict;
    case kNotImplemented:
      return ErrorCode::kUnsupported;
    default:
      return status >= 500 || status == 429 ? ErrorCode::kUnavailable : ErrorCode::kInvalid;
  }
}

Result<void> Api::AwaitStart() {
  const HttpResult answer =
      client_.Send({Method::kGet, session_.base().text + "/currentuser", kJson, ""});
  if (!answer) return tl::unexpected(answer.error().error);
  if (answer->status < 500) return {};
  return Fail(ErrorCode::kUnavailable,
              fmt::format("{} isn't up: {}", session_.base().text, Refusal(*answer)));
}

Result<Json> Api::Get(const std::string& path) {
  return DocumentOf(session_.Send({Method::kGet, path, kJson, ""}), path);
}

std::vector<Result<Json>> Api::GetAll(std::span<const std::string> paths) {
  std::vector<HttpRequest> requests;
  for (const std::string& path : paths) requests.push_back({Method::kGet, path, kJson, ""});
  std::vector<Result<Json>> out(paths.size(), Fail(ErrorCode::kInternal, "no answer"));
  session_.SendAll(std::move(requests), [&](size_t index, const HttpResult& result) {
    out[index] = DocumentOf(result, paths[index]);
  });
  return out;
}

Result<Api::Look> Api::LookAt(const std::string& path) {
  const int64_t sent = NowMs();
  const HttpResult result = session_.Send({Method::kGet, path, kJson, ""});
  if (!result) return tl::unexpected(result.error().error);
  return Look{result->status, !IsHtml(*result) && ReadDocument(*result).has_value(),
              SkewMs(result->Header("date"), sent, NowMs())};
}

Result<void> Api::Walk(const std::string& path, std::span<const std::string_view> keys,
                       const std::function<bool(size_t, const Json&)>& take) {
  return WalkOn(path, Get(path), keys, take);
}

Result<void> Api::WalkOn(const std::string& path, Result<Json> page,
                         std::span<const std::string_view> keys,
                         const std::function<bool(size_t, const Json&)>& take) {
  std::unordered_set<std::string> cookies, ids;
  for (;;) {
    if (!page) return tl::unexpected(page.error());
    size_t count = 0, fresh = 0;
    bool listed = false;
    for (size_t key = 0; key < keys.size(); ++key) {
      const auto list = page->is_object() ? page->find(keys[key]) : page->end();
      if (list == page->end() || !list->is_array()) continue;
      listed = true;
      for (const Json& element : *list) {
        ++count;
        // A cursor that stands still shows the same things for ever.
        const std::string uuid = TextAt(element, "uuid");
        if (!uuid.empty() && !ids.insert(uuid).second) continue;
        ++fresh;
        if (!take(key, element)) return Fail(ErrorCode::kCancelled, "the reader went away");
      }
    }
    if (!listed) {
      return Fail(ErrorCode::kInvalid,
                  fmt::format("GET {}: the answer has no list \"{}\"", path, keys.front()));
    }
    const std::string cookie = TextAt(*page, "nextPageCookie");
    if (cookie.empty() || count == 0) return {};
    if (!cookies.insert(cookie).second || fresh == 0) {
      return Fail(ErrorCode::kIncomplete,
                  fmt::format("GET {}: the server gives the same {} again", path,
                              fresh == 0 ? "page" : "nextPageCookie"));
    }
    const char joint = path.find('?') == std::string::npos ? '?' : '&';
    page = Get(fmt::format("{}{}next_page_cookie={}", path, joint, Encode(cookie)));
  }
}

HttpRequest Api::Request(Method method, std::string path, const Json& body) {
  HttpRequest request{method, std::move(path), kJson, ""};
  if (body.is_null()) return request;
  request.headers.emplace_back("Content-Type", "application/json");
  request.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  return request;
}

Written Api::Write(HttpRequest request) {
  std::vector<HttpRequest> one;
  one.push_back(std::move(request));
  return WriteAll(std::move(one)).front();
}

std::vector<Written> Api::WriteAll(std::vector<HttpRequest> requests) {
  const std::vector<HttpRequest> asked = requests;
  std::vector<Written> out(asked.size());
  session_.SendAll(std::move(requests), [&](size_t index, const HttpResult& result) {
    out[index] = Conclude(asked[index], result);
  });
  return out;
}

}  // namespace postern::iam::otds
