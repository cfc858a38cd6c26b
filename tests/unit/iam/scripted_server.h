// tests/unit/iam/scripted_server.h: an HTTP/1.1 server on loopback that says exactly what it is
// told.
//
// Each request takes the next line of the script; a request beyond it is answered with 500 and
// counted. Its thread ends with it. Requests are told as they came.
#pragma once
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace postern::iam {

struct Scripted {
  std::string bytes;   // the whole answer, head and body
  bool close = false;  // ends the connection after it
};

// A complete answer with Content-Length.
Scripted Answer(int status, const std::string& body, const std::string& headers = "",
                const std::string& type = "application/scim+json");

class ScriptedServer {
 public:
  explicit ScriptedServer(std::vector<Scripted> script);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::string url() const;                    // "http://127.0.0.1:PORT"
  std::vector<std::string> requests() const;  // head and body of each
  size_t connections() const;

 private:
  void Serve();
  void Talk(int connection);
  Scripted Next(std::string request);

  int listener_ = -1, stop_[2] = {-1, -1};
  uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::vector<Scripted> script_;
  std::vector<std::string> requests_;
  size_t connections_ = 0;
  std::thread thread_;
};

}  // namespace postern::iam
