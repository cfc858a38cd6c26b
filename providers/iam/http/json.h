// providers/iam/http/json.h: answers as JSON, bounded. nlohmann's types stay in .cc files that
// include json_document.h.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "providers/iam/http/http_client.h"

namespace postern::iam {

// Objects and arrays within each other. SCIM's deepest are four.
inline constexpr int kMostDepth = 32;

// These members of the answer's object as text (numbers and truth values as JSON writes them);
// empty where it has none, or another type. Errors as ReadDocument's.
Result<std::vector<std::string>> ReadFields(const HttpAnswer& answer,
                                            std::initializer_list<std::string_view> names);

}  // namespace postern::iam
