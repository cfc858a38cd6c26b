// providers/iam/http/url.h: the little that we do with addresses ourselves; libcurl reads them.
#pragma once
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace postern::iam {

// What a declared base address is made of. No user, password, query or fragment.
struct BaseUrl {
  std::string text;    // as declared, without a slash at its end
  std::string origin;  // "https://host:443"
};

// kInvalid: no absolute http or https address; or http beyond loopback, which would send secrets in
// clear text.
Result<BaseUrl> ParseBaseUrl(std::string_view text);

// "https://host:443" of an absolute address, or of `location` against `base`; empty when it is
// none.
std::string OriginOf(const std::string& url);
std::string Resolve(const std::string& base, const std::string& location);

// One segment of a path, or one value of a query: everything but RFC 3986's unreserved characters
// is encoded, once. A name may hold slashes, blanks and ampersands.
std::string Encode(std::string_view text);

}  // namespace postern::iam
