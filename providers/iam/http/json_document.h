// providers/iam/http/json_document.h: internal to providers/iam; heavy to include.
#pragma once
#include <nlohmann/json.hpp>

#include "providers/iam/http/json.h"

namespace postern::iam {

using Json = nlohmann::json;

// The answer's document. Errors: kInvalid for what isn't JSON (a page for browsers is named as
// such, with its title), kIncomplete for JSON that ends early or is deeper than kMostDepth.
Result<Json> ReadDocument(const HttpAnswer& answer);

// The member `name` of an object as a string; empty when there is none.
std::string TextAt(const Json& object, std::string_view name);

}  // namespace postern::iam
