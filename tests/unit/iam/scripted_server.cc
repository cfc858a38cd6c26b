#include "tests/unit/iam/scripted_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <string_view>

namespace postern::iam {
namespace {

// The length of the whole request at the start of `text`; 0 while it isn't all there.
size_t LengthOf(const std::string& text) {
  const size_t head = text.find("\r\n\r\n");
  if (head == std::string::npos) return 0;
  constexpr std::string_view kLength = "Content-Length: ";
  const size_t at = text.find(kLength);
  const size_t body =
      at == std::string::npos || at > head ? 0 : std::stoul(text.substr(at + kLength.size()));
  return text.size() < head + 4 + body ? 0 : head + 4 + body;
}

bool SendAll(int connection, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

}  // namespace

Scripted Answer(int status, const std::string& body, const std::string& headers,
                const std::string& type) {
  return {fmt::format("HTTP/1.1 {} X\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}\r\n{}", status,
                      type, body.size(), headers, body)};
}

ScriptedServer::ScriptedServer(std::vector<Scripted> script) : script_(std::move(script)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::listen(listener_, 16), 0);
  EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
  port_ = ntohs(address.sin_port);
  EXPECT_EQ(::pipe2(stop_, O_CLOEXEC), 0);
  thread_ = std::thread([this] { Serve(); });
}

ScriptedServer::~ScriptedServer() {
  ::close(stop_[1]);
  thread_.join();
  ::close(stop_[0]);
  ::close(listener_);
}

std::string ScriptedServer::url() const {
  return fmt::format("http://127.0.0.1:{}", port_);
}

std::vector<std::string> ScriptedServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

size_t ScriptedServer::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_;
}

Scripted ScriptedServer::Next(std::string request) {
  const std::lock_guard lock(mutex_);
  requests_.push_back(std::move(request));
  if (requests_.size() > script_.size()) return Answer(500, "beyond the script");
  return script_[requests_.size() - 1];
}

void ScriptedServer::Serve() {
  std::vector<std::thread> talks;
  std::vector<int> connections;
  for (;;) {
    pollfd wait[] = {{listener_, POLLIN, 0}, {stop_[0], POLLIN, 0}};
    if (::poll(wait, 2, -1) < 0 || wait[1].revents != 0) break;
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    {
      const std::lock_guard lock(mutex_);
      ++connections_;
    }
    connections.push_back(connection);
    talks.emplace_back([this, connection] { Talk(connection); });
  }
  for (const int connection : connections) ::shutdown(connection, SHUT_RDWR);
  for (std::thread& talk : talks) talk.join();
  for (const int connection : connections) ::close(connection);
}

void ScriptedServer::Talk(int connection) {
  std::string text;
  char buffer[65536];
  for (;;) {
    if (const size_t length = LengthOf(text); length != 0) {
      const Scripted next = Next(text.substr(0, length));
      text.erase(0, length);
      if (!SendAll(connection, next.bytes) || next.close) {
        ::shutdown(connection, SHUT_RDWR);
        return;
      }
      continue;
    }
    const ssize_t got = ::recv(connection, buffer, sizeof buffer, 0);
    if (got <= 0) return;
    text.append(buffer, static_cast<size_t>(got));
  }
}

}  // namespace postern::iam
