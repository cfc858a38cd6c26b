// providers/delivery/curl_words.h: what libcurl and an FTP server say, in our words. Pure.
#pragma once
#include <string>

#include "core/base/result.h"

namespace postern::delivery {

// `code`: a CURLcode but CURLE_OK; `answer`: the server's last line, "550 No such file"; `ca`: as
// declared.
Error FtpError(int code, const std::string& answer, const std::string& ca);
// After this failure an answer that is still to come would be taken for that of the next command:
// the connection must be given up.
bool IsOutOfStep(int code, const std::string& answer);
// The server says that it isn't there, rather than that we may not see it.
bool SaysMissing(const std::string& answer);

}  // namespace postern::delivery
