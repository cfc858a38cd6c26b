#include "providers/directory/ldap_error.h"

#include <fmt/format.h>
#include <ldap.h>

namespace postern::directory {

using object::Status;

ErrorCode ErrorCodeOf(int code) {
  switch (code) {
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_INAPPROPRIATE_AUTH:
    case LDAP_STRONG_AUTH_REQUIRED:
    case LDAP_CONFIDENTIALITY_REQUIRED:
      return ErrorCode::kAuthentication;
    case LDAP_INSUFFICIENT_ACCESS:
    case LDAP_UNWILLING_TO_PERFORM:
      return ErrorCode::kDenied;
    case LDAP_NO_SUCH_OBJECT:
      return ErrorCode::kNotFound;
    case LDAP_SERVER_DOWN:
    case LDAP_CONNECT_ERROR:
    case LDAP_BUSY:
    case LDAP_UNAVAILABLE:
      return ErrorCode::kUnavailable;
    case LDAP_TIMEOUT:
      return ErrorCode::kTimeout;
    case LDAP_SIZELIMIT_EXCEEDED:
    case LDAP_TIMELIMIT_EXCEEDED:
    case LDAP_ADMINLIMIT_EXCEEDED:
      return ErrorCode::kIncomplete;
    case LDAP_UNAVAILABLE_CRITICAL_EXTENSION:
      return ErrorCode::kUnsupported;
    default:
      return ErrorCode::kInternal;
  }
}

Status StatusOf(int code) {
  switch (code) {
    case LDAP_SUCCESS:
      return Status::kApplied;
    case LDAP_SERVER_DOWN:
    case LDAP_TIMEOUT:
    case LDAP_DECODING_ERROR:
      return Status::kUnknown;
    case LDAP_BUSY:
    case LDAP_UNAVAILABLE:
    case LDAP_ADMINLIMIT_EXCEEDED:
    case LDAP_TIMELIMIT_EXCEEDED:
      return Status::kTransient;
    case LDAP_NOT_ALLOWED_ON_NONLEAF:
    case LDAP_ALREADY_EXISTS:
    case LDAP_NO_SUCH_OBJECT:
    case LDAP_NO_SUCH_ATTRIBUTE:
    case LDAP_TYPE_OR_VALUE_EXISTS:
    case LDAP_ASSERTION_FAILED:
      return Status::kPreconditionFailed;
    default:
      return Status::kDenied;
  }
}

bool IsConflict(int code) {
  return code == LDAP_ASSERTION_FAILED || code == LDAP_NO_SUCH_ATTRIBUTE ||
         code == LDAP_TYPE_OR_VALUE_EXISTS || code == LDAP_ALREADY_EXISTS ||
         code == LDAP_NO_SUCH_OBJECT;
}

namespace {
const char* WayOut(int code) {
  switch (code) {
    case LDAP_INVALID_CREDENTIALS:
      return "the name or the password is wrong, or the account is locked";
    case LDAP_CONFIDENTIALITY_REQUIRED:
      return "the server wants TLS: remove tls.start = false";
    case LDAP_INSUFFICIENT_ACCESS:
      return "the server's access rules refuse us";
    case LDAP_NOT_ALLOWED_ON_NONLEAF:
      return "there are entries below it: remove these first";
    case LDAP_OBJECT_CLASS_VIOLATION:
      return "the entry would break its object classes";
    case LDAP_CONSTRAINT_VIOLATION:
      return "a rule of the server refuses the value (a password policy, unique, constraint)";
    case LDAP_NAMING_VIOLATION:
    case LDAP_NOT_ALLOWED_ON_RDN:
      return "the value names the entry: rename it instead";
    case LDAP_UNWILLING_TO_PERFORM:
      return "the server is read-only here, or its policy forbids it";
    case LDAP_SIZELIMIT_EXCEEDED:
      return "the server's size limit for our identity cut the answer short";
    case LDAP_TIMELIMIT_EXCEEDED:
      return "the server's time limit cut the answer short";
    case LDAP_ADMINLIMIT_EXCEEDED:
      return "an administrative limit cut the answer short";
    case LDAP_SERVER_DOWN:
      return "the connection was lost";
    case LDAP_TIMEOUT:
      return "the server didn't answer in time";
    default:
      return nullptr;
  }
}
}  // namespace

std::string Explain(int code, std::string_view diagnostic) {
  std::string text;
  if (const char* way_out = WayOut(code)) {
    text = way_out;
  } else {
    text = ldap_err2string(code);
  }
  if (code >= 0) text += fmt::format(" (code {})", code);
  if (!diagnostic.empty()) text += fmt::format(": {}", diagnostic);
  return text;
}

}  // namespace postern::directory
