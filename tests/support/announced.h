// tests/support/announced.h: servers that say where they are, and requests to them; what scim.h,
// otds.h and http_proxy.h have in common.
//
// Use from the main thread, as process.h says. Requests are made by the stock curl, so that a test
// meets no code of ours on its way.
#pragma once
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace postern::support {

// A program in the foreground whose first line of JSON ({"url": ...}) says that it is ready.
class AnnouncedServer {
 public:
  // `argv` runs in the scratch folder. A start that fails, or takes over 90 s, fails the test; the
  // announcement is then empty.
  AnnouncedServer(const Scratch& scratch, const std::string& name,
                  const std::vector<std::string>& argv);

  // What the program said; empty strings and false where it said nothing.
  std::string Said(const std::string& key) const;
  std::string url() const { return Said("url"); }
  std::string control_url() const { return Said("control"); }
  bool ready() const { return !said_.is_null(); }
  ServerProcess& process() { return *process_; }

 private:
  void Read();

  std::unique_ptr<ServerProcess> process_;
  nlohmann::json said_;
};

struct HttpAnswer {
  int status = 0;  // 0: there was no answer
  std::string body;
  std::string headers;  // as they came
  std::string error;    // curl's words when there was no answer

  // The body; null, with a test failure, when it isn't JSON.
  nlohmann::json Json() const;
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::string> headers;  // "Name: value"
  std::string body;
  std::string ca;  // a CA's file
};

HttpAnswer Ask(const HttpRequest& request);

// A call of a side door, with a body of JSON or without. Anything but 2xx fails the test.
nlohmann::json AskControl(const std::string& method, const std::string& url,
                          const nlohmann::json& body = nullptr);

// The path of a file in tests/support, as it was when the tests were built.
std::string SupportFile(const std::string& name);

}  // namespace postern::support
