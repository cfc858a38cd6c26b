#include "providers/iam/http/json.h"

#include <fmt/format.h>

#include "providers/iam/http/json_document.h"

namespace postern::iam {
namespace {

bool IsPage(const HttpAnswer& answer) {
  const std::string type = answer.ContentType();
  if (type == "text/html" || type == "application/xhtml+xml") return true;
  const size_t start = answer.body.find_first_not_of(" \t\r\n");
  return start != std::string::npos && answer.body[start] == '<';
}

std::string TitleOf(const std::string& page) {
  constexpr size_t kLongest = 80;
  const size_t open = page.find("<title>");
  const size_t close = page.find("</title>");
  if (open == std::string::npos || close == std::string::npos || close < open + 7) return "";
  std::string title = page.substr(open + 7, std::min(close - open - 7, kLongest));
  for (char& c : title) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return fmt::format(", \"{}\"", title);
}

}  // namespace

Result<Json> ReadDocument(const HttpAnswer& answer) {
  if (IsPage(answer)) {
    return Fail(ErrorCode::kInvalid,
                fmt::format("the answer (status {}) is a page for browsers{}, not JSON: is the "
                            "address the one of the API?",
                            answer.status, TitleOf(answer.body)));
  }
  bool deep = false;
  const auto bounded = [&](int depth, Json::parse_event_t, Json&) {
    deep = deep || depth > kMostDepth;
    return !deep;
  };
  Json document = Json::parse(answer.body, bounded, false);
  if (deep) {
    return Fail(ErrorCode::kIncomplete,
                fmt::format("the answer nests deeper than {} levels", kMostDepth));
  }
  if (document.is_discarded()) {
    return Fail(ErrorCode::kIncomplete,
                fmt::format("the answer (status {}, {} bytes) is no whole JSON document",
                            answer.status, answer.body.size()));
  }
  return document;
}

std::string TextAt(const Json& object, std::string_view name) {
  if (!object.is_object()) return "";
  const auto at = object.find(name);
  if (at == object.end()) return "";
  if (at->is_string()) return at->get<std::string>();
  return at->is_number() || at->is_boolean() ? at->dump() : "";
}

Result<std::vector<std::string>> ReadFields(const HttpAnswer& answer,
                                            std::initializer_list<std::string_view> names) {
  const auto document = ReadDocument(answer);
  if (!document) return tl::unexpected(document.error());
  std::vector<std::string> out;
  for (const std::string_view name : names) out.push_back(TextAt(*document, name));
  return out;
}

}  // namespace postern::iam
