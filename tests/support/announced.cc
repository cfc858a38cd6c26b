#include "tests/support/announced.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

namespace postern::support {
namespace {

// The environment that npm's cache folder is found by; a server gets nothing else of ours.
Env CacheEnv() {
  Env env;
  for (const char* name : {"HOME", "XDG_CACHE_HOME"}) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): tests set it nowhere
    if (value != nullptr) env[name] = value;
  }
  return env;
}

// A server on two busy cores that seeds 300 users one by one needs a while.
constexpr seconds kReady{90};

}  // namespace

std::string SupportFile(const std::string& name) {
  return std::string(POSTERN_TEST_SUPPORT) + "/" + name;
}

AnnouncedServer::AnnouncedServer(const Scratch& scratch, const std::string& name,
                                 const std::vector<std::string>& argv)
    : process_(std::make_unique<ServerProcess>(
          scratch, argv, ServerProcess::Options{.name = name, .env = CacheEnv()})) {
  bool alive = true;
  Eventually(kReady, [&] {
    alive = process_->Alive();
    Read();
    return ready() || !alive;
  });
  EXPECT_TRUE(ready()) << name << (alive ? " wasn't ready in time" : " ended")
                       << "; the end of its log:\n"
                       << process_->LogTail();
}

void AnnouncedServer::Read() {
  std::istringstream lines(ReadFile(process_->log_path()));
  for (std::string line; std::getline(lines, line) && !lines.eof();) {
    if (line.starts_with("{\"url\"")) said_ = nlohmann::json::parse(line, nullptr, false);
  }
}

std::string AnnouncedServer::Said(const std::string& key) const {
  return ready() ? said_.value(key, std::string()) : std::string();
}

nlohmann::json HttpAnswer::Json() const {
  nlohmann::json value = nlohmann::json::parse(body, nullptr, false);
  if (!value.is_discarded()) return value;
  ADD_FAILURE() << "not JSON (status " << status << " " << error << "): " << body;
  return nullptr;
}

HttpAnswer Ask(const HttpRequest& request) {
  Scratch scratch;
  std::vector<std::string> argv = {
      "curl",     "--silent",           "--show-error", "--globoff",     "--noproxy",
      "*",        "--request",          request.method, "--dump-header", scratch.File("head"),
      "--output", scratch.File("body"), "--write-out",  "%{http_code}"};
  for (const std::string& header : request.headers) argv.insert(argv.end(), {"--header", header});
  if (!request.ca.empty()) argv.insert(argv.end(), {"--cacert", request.ca});
  if (!request.body.empty()) argv.insert(argv.end(), {"--data-binary", "@-"});
  argv.push_back(request.url);
  scratch.Write("head", "");
  scratch.Write("body", "");
  const RunResult run = RunCommand(argv, request.body);
  HttpAnswer answer;
  answer.headers = ReadFile(scratch.File("head"));
  answer.body = ReadFile(scratch.File("body"));
  if (run.exit != 0) answer.error = run.err;
  // With an error after the head, such as a body that is cut, the status stays known.
  answer.status = std::atoi(run.out.c_str());
  return answer;
}

nlohmann::json AskControl(const std::string& method, const std::string& url,
                          const nlohmann::json& body) {
  const HttpAnswer answer = Ask({.method = method,
                                 .url = url,
                                 .headers = {"Content-Type: application/json"},
                                 .body = body.is_null() ? "" : body.dump()});
  EXPECT_EQ(answer.status / 100, 2)
      << method << " " << url << ": " << answer.status << " " << answer.body << answer.error;
  return answer.body.empty() ? nlohmann::json() : answer.Json();
}

}  // namespace postern::support
