// core/base/result.h: how an operation that can fail answers.
//
// Expected failures (I/O, network, a provider) are Result<T>; a user's mistake is a
// diag::Diagnostic; a broken invariant is CHECK, which aborts. No exception crosses a folder
// border.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace postern::base {

// Codes travel over the provider protocol as numbers: append only.
enum class ErrorCode : uint32_t {
  kInternal = 1,  // our own bug, or a peer that breaks the protocol
  kInvalid = 2,   // the request can't be right, whatever the world is
  kNotFound = 3,
  kConflict = 4,     // somebody else changed or holds it
  kDenied = 5,       // the target refuses us
  kUnavailable = 6,  // no answer, connection lost; trying again may help
  kTimeout = 7,
  kIncomplete = 8,  // an answer came, but not all of it
  kUnsupported = 9,
  kAuthentication = 10,  // wrong credentials
  kCancelled = 11,
  kUntrusted = 12,     // the peer isn't who it should be: host key, certificate; nothing was sent
  kNotInstalled = 13,  // a program of ours that isn't here
};

std::string_view ToString(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  // one sentence without a full stop; says what to do where that is known

  // Trying the same call again may succeed.
  bool retryable() const { return code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout; }
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> Fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

// Passes an error up with what we were doing: "read /etc/x: permission denied".
inline tl::unexpected<Error> Wrap(std::string_view doing, Error error) {
  error.message = std::string(doing) + ": " + error.message;
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace postern::base

namespace postern {
using base::Error;
using base::ErrorCode;
using base::Fail;
using base::Result;
}  // namespace postern
