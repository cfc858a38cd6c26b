#include "providers/iam/scim/types.h"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>

#include "core/diag/text.h"
#include "providers/iam/scim/resource.h"

namespace postern::iam {

namespace {

constexpr size_t kLongestEndpoint = 200;

// "/Users" of an endpoint below the base; empty: it is none. The RFC says relative; some say whole
// addresses.
std::string EndpointOf(std::string text, const BaseUrl& base) {
  if (text.starts_with(base.text + "/")) text.erase(0, base.text.size());
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();
  if (!text.starts_with('/')) text = fmt::format("/{}", text);
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
           c == '-' || c == '_' || c == '.';
  });
  const bool fits = plain && text.size() > 1 && text.size() <= kLongestEndpoint &&
                    text.find("//") == std::string::npos && text.find("..") == std::string::npos;
  return fits ? text : "";
}

}  // namespace

std::string ResourceTypes::Take(const Json& document, const BaseUrl& base) {
  // A list answer by RFC 7644 section 4; some give the bare array.
  const Json* list = document.is_array() ? &document : MemberOf(document, "Resources");
  if (list == nullptr || !list->is_array()) return "the answer is no list";
  std::string trouble;
  for (const Json& type : *list) {
    if (!type.is_object()) continue;
    const std::string schema = TextAt(type, "schema");
    const bool is_user = strcasecmp(schema.c_str(), std::string(kUserUrn).c_str()) == 0;
    if (!is_user && strcasecmp(schema.c_str(), std::string(kGroupUrn).c_str()) != 0) continue;
    (is_user ? users_told_ : groups_told_) = true;
    const std::string said = TextAt(type, "endpoint");
    const std::string endpoint = EndpointOf(said, base);
    if (endpoint.empty()) {
      trouble = fmt::format("\"{}\" is no endpoint below the url", diag::Printable(said));
    } else {
      (is_user ? users_ : groups_) = endpoint;
    }
    const Json* extensions = MemberOf(type, "schemaExtensions");
    if (!is_user || extensions == nullptr || !extensions->is_array()) continue;
    extensions_.emplace();
    for (const Json& extension : *extensions) extensions_->push_back(TextAt(extension, "schema"));
  }
  return trouble;
}

std::optional<bool> ResourceTypes::UsersHave(std::string_view urn) const {
  if (!extensions_) return std::nullopt;
  return std::any_of(extensions_->begin(), extensions_->end(), [&](const std::string& one) {
    return strcasecmp(one.c_str(), std::string(urn).c_str()) == 0;
  });
}

}  // namespace postern::iam
