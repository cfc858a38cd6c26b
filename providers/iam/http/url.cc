#include "providers/iam/http/url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fmt/format.h>

#include <memory>

namespace postern::iam {
namespace {

struct CloseUrl {
  void operator()(CURLU* url) const { ::curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, CloseUrl>;

Url Parse(const std::string& text) {
  Url url(::curl_url());
  if (url == nullptr || ::curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) {
    return nullptr;
  }
  return url;
}

std::string Part(const Url& url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (::curl_url_get(url.get(), part, &text, flags) != CURLUE_OK) return "";
  std::string out = text;
  ::curl_free(text);
  return out;
}

bool IsLoopback(const std::string& host) {
  in_addr address{};
  if (::inet_pton(AF_INET, host.c_str(), &address) == 1) {
    return (ntohl(address.s_addr) >> 24) == 127;
  }
  return host == "localhost" || host == "[::1]";
}

std::string Origin(const Url& url) {
  std::string host = Part(url, CURLUPART_HOST);
  for (char& c : host) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return fmt::format("{}://{}:{}", Part(url, CURLUPART_SCHEME), host,
                     Part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT));
}

}  // namespace

Result<BaseUrl> ParseBaseUrl(std::string_view text) {
  BaseUrl out;
  out.text = text;
  while (out.text.ends_with('/')) out.text.pop_back();
  const Url url = Parse(out.text);
  const std::string scheme = url == nullptr ? "" : Part(url, CURLUPART_SCHEME);
  if (scheme != "https" && scheme != "http") {
    return Fail(ErrorCode::kInvalid,
                fmt::format("\"{}\" is no address such as https://iam.example.com/scim/v2", text));
  }
  for (const CURLUPart part :
       {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY, CURLUPART_FRAGMENT}) {
    if (Part(url, part).empty()) continue;
    return Fail(ErrorCode::kInvalid,
                "a login, a query or a fragment has no place in the address: "
                "write it without");
  }
  out.origin = Origin(url);
  if (scheme == "http" && !IsLoopback(Part(url, CURLUPART_HOST))) {
    return Fail(ErrorCode::kInvalid,
                fmt::format("\"{}\" would send secrets in clear text: use https", text));
  }
  return out;
}

std::string OriginOf(const std::string& url) {
  const Url parsed = Parse(url);
  return parsed == nullptr ? "" : Origin(parsed);
}

std::string Resolve(const std::string& base, const std::string& location) {
  const Url url = Parse(base);
  if (url == nullptr ||
      ::curl_url_set(url.get(), CURLUPART_URL, location.c_str(), 0) != CURLUE_OK) {
    return "";
  }
  return Part(url, CURLUPART_URL);
}

std::string Encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace postern::iam
