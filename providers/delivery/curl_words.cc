#include "providers/delivery/curl_words.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace postern::delivery {
namespace {

// RFC 959 section 4.2: 4yz is "try again", 5yz final. 452 and 552 (no room) are final enough:
// somebody must make room.
ErrorCode CodeOf(const std::string& answer) {
  if (answer.starts_with("530")) return ErrorCode::kAuthentication;
  if (answer.starts_with("452") || answer.find("not permitted") != std::string::npos) {
    return ErrorCode::kDenied;
  }
  if (answer.starts_with('4')) return ErrorCode::kUnavailable;
  if (answer.starts_with("500") || answer.starts_with("502") || answer.starts_with("504")) {
    return ErrorCode::kUnsupported;
  }
  return SaysMissing(answer) ? ErrorCode::kNotFound : ErrorCode::kDenied;
}

// RFC 959 section 4.2: 1yz to 3yz.
bool IsPositive(const std::string& answer) {
  return !answer.empty() && answer[0] >= '1' && answer[0] <= '3';
}

}  // namespace

bool IsOutOfStep(int code, const std::string& answer) {
  switch (code) {
    case CURLE_FTP_WEIRD_PASV_REPLY:
    case CURLE_FTP_WEIRD_227_FORMAT:
      return true;  // see FtpError
    case CURLE_QUOTE_ERROR:
    case CURLE_UPLOAD_FAILED:
    case CURLE_REMOTE_ACCESS_DENIED:
    case CURLE_REMOTE_FILE_NOT_FOUND:
    case CURLE_FTP_COULDNT_RETR_FILE:
      return IsPositive(answer);
    default:
      return false;
  }
}

bool SaysMissing(const std::string& answer) {
  if (!answer.starts_with("550")) return false;
  std::string lower = answer;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const char* words : {"no such file", "not found", "doesn't exist", "does not exist"}) {
    if (lower.find(words) != std::string::npos) return true;
  }
  return false;
}

Error FtpError(int code, const std::string& answer, const std::string& ca) {
  const std::string said = answer.empty() ? "" : fmt::format(" ({})", answer);
  if (IsOutOfStep(code, answer) && IsPositive(answer)) {
    return {
        ErrorCode::kUnavailable,
        fmt::format("the server's answers are out of step{}; the connection was given up", said)};
  }
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return {ErrorCode::kUnavailable, "the host's name is not known"};
    case CURLE_COULDNT_CONNECT:
      return {ErrorCode::kUnavailable, "no connection"};
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_FTP_ACCEPT_TIMEOUT:
      return {ErrorCode::kTimeout, "no answer in time"};
    case CURLE_PEER_FAILED_VERIFICATION:
      return {ErrorCode::kUntrusted,
              ca.empty() ? "the server's certificate is not accepted (ca = names a file with the "
                           "authority of its own); nothing was sent"
                         : fmt::format("the server's certificate is not accepted with {}; nothing "
                                       "was sent",
                                       ca)};
    case CURLE_SSL_CACERT_BADFILE:
      return {ErrorCode::kInvalid, "the file of certificates can't be used: " + ca};
    case CURLE_USE_SSL_FAILED:
      return {ErrorCode::kUntrusted,
              "the server doesn't do TLS as declared; nothing was sent" + said};
    case CURLE_LOGIN_DENIED:
      return {ErrorCode::kAuthentication, "the login is refused" + said};
    // Over TLS libcurl 7.88 asks for another data connection when the server has refused the
    // transfer, and takes the refusal for that answer; the answer itself is still to come.
    case CURLE_FTP_WEIRD_PASV_REPLY:
    case CURLE_FTP_WEIRD_227_FORMAT:
    case CURLE_QUOTE_ERROR:
    case CURLE_UPLOAD_FAILED:
    case CURLE_REMOTE_ACCESS_DENIED:
    case CURLE_REMOTE_FILE_NOT_FOUND:
    case CURLE_FTP_COULDNT_RETR_FILE:
    case CURLE_REMOTE_DISK_FULL:
      return {CodeOf(answer), answer.empty() ? "the server refuses it" : answer};
    default:
      // Broken connections in all their shapes, and data connections that didn't come about.
      return {ErrorCode::kUnavailable,
              fmt::format("the connection was lost: {}{}",
                          ::curl_easy_strerror(static_cast<CURLcode>(code)), said)};
  }
}

}  // namespace postern::delivery
