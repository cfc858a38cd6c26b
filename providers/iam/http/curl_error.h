// providers/iam/http/curl_error.h: what libcurl says, in our words.
#pragma once
#include <string>

#include "core/base/result.h"

namespace postern::iam {

// `code`: a CURLcode but CURLE_OK; `detail`: what libcurl wrote beside it; `ca`: as declared.
Error ErrorOf(int code, const std::string& detail, const std::string& ca);

}  // namespace postern::iam
