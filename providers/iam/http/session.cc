#include "providers/iam/http/session.h"

#include <fmt/format.h>

#include <algorithm>

namespace postern::iam {
namespace {

// What a server says of its refusal; RFC 6750 section 3. Bounded: it goes into one line.
std::string Reason(const HttpAnswer& answer) {
  constexpr size_t kLongest = 200;
  const std::string_view said = answer.Header("www-authenticate");
  if (said.empty()) return fmt::format("status {}", answer.status);
  return fmt::format("status {}, {}", answer.status, said.substr(0, kLongest));
}

}  // namespace

Result<void> Session::Prove(std::span<HttpRequest*> requests, bool anew) {
  auto proof = authority_->Proof(client_, anew);
  if (!proof) return tl::unexpected(proof.error());
  for (HttpRequest* request : requests) {
    auto& headers = request->headers;
    const auto at = std::find_if(headers.begin(), headers.end(),
                                 [&](const auto& header) { return header.first == proof->first; });
    if (at == headers.end()) {
      headers.push_back(*proof);
    } else {
      at->second = proof->second;
    }
  }
  return {};
}

HttpResult Session::Refused(const HttpRequest& request, const HttpAnswer& answer) const {
  return tl::unexpected<HttpFailure>(
      {Error{ErrorCode::kAuthentication,
             fmt::format("{} {}: the server does not accept {} ({})", NameOf(request.method),
                         request.url, authority_->Name(), Reason(answer))},
       false});
}

HttpResult Session::Send(HttpRequest request) {
  HttpResult out = tl::unexpected<HttpFailure>({Error{ErrorCode::kInternal, "no answer"}, false});
  std::vector<HttpRequest> one;
  one.push_back(std::move(request));
  SendAll(std::move(one), [&](size_t, HttpResult result) { out = std::move(result); });
  return out;
}

void Session::SendAll(std::vector<HttpRequest> requests,
                      const std::function<void(size_t, HttpResult)>& take) {
  std::vector<size_t> pending;
  for (size_t i = 0; i < requests.size(); ++i) {
    std::string& url = requests[i].url;
    if (url.starts_with('/') || url.empty()) url = base_.text + url;
    if (OriginOf(url) == base_.origin) {
      pending.push_back(i);
      continue;
    }
    take(i,
         tl::unexpected<HttpFailure>(
             {Error{ErrorCode::kInvalid, url + " is on another host than " + base_.text}, false}));
  }
  for (const bool anew : {false, true}) {
    if (pending.empty()) return;
    std::vector<HttpRequest*> now;
    for (const size_t i : pending) now.push_back(&requests[i]);
    if (auto proven = Prove(now, anew); !proven) {
      for (const size_t i : pending) take(i, tl::unexpected<HttpFailure>({proven.error(), false}));
      return;
    }
    std::vector<HttpRequest> batch;
    for (HttpRequest* request : now) batch.push_back(*request);
    std::vector<size_t> refused;
    client_.SendAll(batch, [&](size_t at, HttpResult result) {
      if (!result || !authority_->Refuses(*result)) {
        take(pending[at], std::move(result));
      } else if (anew) {
        take(pending[at], Refused(batch[at], *result));
      } else {
        refused.push_back(pending[at]);
      }
    });
    std::sort(refused.begin(), refused.end());
    pending = std::move(refused);
  }
}

}  // namespace postern::iam
