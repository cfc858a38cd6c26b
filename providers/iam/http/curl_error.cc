#include "providers/iam/http/curl_error.h"

#include <curl/curl.h>

namespace postern::iam {
namespace {

ErrorCode CodeOf(int code) {
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return ErrorCode::kTimeout;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
      return ErrorCode::kUntrusted;
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
      return ErrorCode::kInvalid;
    default:
      return ErrorCode::kUnavailable;
  }
}

std::string WordsFor(int code, const std::string& ca) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return "the host's name is not known";
    case CURLE_COULDNT_CONNECT:
      return "no connection";
    case CURLE_OPERATION_TIMEDOUT:
      return "no answer in time";
    case CURLE_PEER_FAILED_VERIFICATION:
      return ca.empty() ? "the server's certificate is not accepted (ca = names a file with the "
                          "authority of your own)"
                        : "the server's certificate is not accepted with " + ca;
    case CURLE_SSL_CACERT_BADFILE:
      return "the file of certificates can't be used: " + ca;
    case CURLE_PARTIAL_FILE:
      return "the answer ended before its end";
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return "the connection was lost";
    default:
      return ::curl_easy_strerror(static_cast<CURLcode>(code));
  }
}

}  // namespace

Error ErrorOf(int code, const std::string& detail, const std::string& ca) {
  Error error{CodeOf(code), WordsFor(code, ca)};
  if (!detail.empty()) error.message += " (" + detail + ")";
  return error;
}

}  // namespace postern::iam
