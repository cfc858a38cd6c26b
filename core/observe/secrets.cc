// Values of secrets, by the operator's [secret.NAME] tables only.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "core/config/secret_places.h"
#include "core/observe/observe.h"

extern char** environ;

namespace postern::observe {
namespace {

constexpr size_t kLimit = 64 * 1024;

void TrimNewline(std::string* value) {
  if (value->ends_with('\n')) value->pop_back();
  if (value->ends_with('\r')) value->pop_back();
}

Result<std::string> FromFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Fail(ErrorCode::kNotFound, "can't read " + path);
  std::string value(kLimit + 1, '\0');
  file.read(value.data(), static_cast<std::streamsize>(value.size()));
  value.resize(static_cast<size_t>(file.gcount()));
  if (value.size() > kLimit) return Fail(ErrorCode::kInvalid, path + " is larger than 64 KiB");
  TrimNewline(&value);
  return value;
}

Result<std::string> FromDescriptor(int descriptor) {
  std::string value;
  char buffer[4096];
  for (;;) {
    const ssize_t count = read(descriptor, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Fail(ErrorCode::kNotFound, "can't read the descriptor");
    if (count == 0) break;
    value.append(buffer, static_cast<size_t>(count));
    if (value.size() > kLimit) return Fail(ErrorCode::kInvalid, "more than 64 KiB came");
  }
  TrimNewline(&value);
  return value;
}

// Runs the program without a shell and without arguments but the name that matched.
Result<std::string> FromProgram(const std::string& path, const std::string& star) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Fail(ErrorCode::kUnavailable, "no pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  std::string program = path, argument = star;
  char* argv[] = {program.data(), star.empty() ? nullptr : argument.data(), nullptr};
  pid_t child = 0;
  const int failed = posix_spawn(&child, path.c_str(), &actions, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (failed != 0) {
    close(ends[0]);
    return Fail(ErrorCode::kNotFound, "can't run " + path);
  }
  auto value = FromDescriptor(ends[0]);
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) return Fail(ErrorCode::kUnavailable, path + " failed");
  return value;
}

Result<std::string> ReadFrom(const std::string& from, const std::string& star) {
  if (from.starts_with("env:")) {
    const char* value = std::getenv(from.c_str() + 4);  // NOLINT(concurrency-mt-unsafe)
    if (value == nullptr) return Fail(ErrorCode::kNotFound, from.substr(4) + " is not set");
    return std::string(value);
  }
  if (from.starts_with("file:")) return FromFile(from.substr(5));
  if (from.starts_with("fd:")) {
    return FromDescriptor(static_cast<int>(std::strtol(from.c_str() + 3, nullptr, 10)));
  }
  if (from.starts_with("exec:")) return FromProgram(from.substr(5), star);
  return Fail(ErrorCode::kInvalid, "`from` must be env:, file:, fd: or exec:");
}

}  // namespace

Result<std::string> SecretStore::Find(std::string_view name, std::string_view target) const {
  const auto place = config::FindSecret(*declarations_, name, target);
  // Whatever the reason: there is no value to send.
  if (!place) return Fail(ErrorCode::kNotFound, place.error().message);
  const std::string reference = "secret:" + std::string(name);
  auto value = ReadFrom(place->from, place->star);
  if (!value) return base::Wrap(reference, value.error());
  if (value->empty()) return Fail(ErrorCode::kInvalid, reference + ": the value is empty");
  return value;
}

}  // namespace postern::observe
