#include "tests/live/directory/proxy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <lber.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace postern::directory {
namespace {

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// The first whole message of `bytes`: its length (0: not whole yet) and operation.
size_t FirstMessage(std::string& bytes, unsigned* operation) {
  if (bytes.size() < 2) return 0;
  berval view{bytes.size(), bytes.data()};
  BerElement* ber = ber_init(&view);  // a copy
  ber_len_t length = 0;
  size_t whole = 0;
  ber_int_t id = 0;
  if (ber_skip_tag(ber, &length) == LBER_SEQUENCE) {
    whole = bytes.size() - static_cast<size_t>(ber_remaining(ber)) + length;
    if (ber_get_int(ber, &id) == LBER_INTEGER) {
      *operation = static_cast<unsigned>(ber_peek_tag(ber, &length));
    }
  }
  ber_free(ber, 1);
  return whole;
}

bool WriteAll(int to, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

}  // namespace

struct LdapProxy::Way {
  int from = -1, to = -1;
  std::string bytes;
};

// One client's connection with its own to the server.
struct LdapProxy::Pair {
  explicit Pair(int client, int server) : ways{{client, server, {}}, {server, client, {}}} {}
  ~Pair() {
    close(ways[0].from);
    close(ways[0].to);
  }
  Way ways[2];
  bool stuck = false;
};

LdapProxy::LdapProxy(uint16_t server_port, Hook hook)
    : server_port_(server_port), hook_(std::move(hook)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  stop_ = eventfd(0, EFD_CLOEXEC);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(listen(listener_, 8), 0);
  EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

LdapProxy::~LdapProxy() {
  const uint64_t one = 1;
  EXPECT_EQ(write(stop_, &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
  thread_.join();
  close(listener_);
  close(stop_);
}

std::string LdapProxy::url() const {
  return "ldap://127.0.0.1:" + std::to_string(port_);
}

void LdapProxy::Run() {
  std::vector<std::unique_ptr<Pair>> pairs;
  for (;;) {
    std::vector<pollfd> waits = {{stop_, POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const auto& pair : pairs) {
      for (const Way& way : pair->ways) {
        waits.push_back({pair->stuck ? -1 : way.from, POLLIN, 0});
      }
    }
    if (poll(waits.data(), waits.size(), -1) < 0) continue;
    if (waits[0].revents != 0) return;
    for (size_t i = 0; i < pairs.size(); ++i) {
      for (int side = 0; side < 2 && pairs[i] != nullptr; ++side) {
        const bool ready = waits[2 + 2 * i + static_cast<size_t>(side)].revents != 0;
        if (ready && !Serve(*pairs[i], side)) pairs[i].reset();
      }
    }
    std::erase(pairs, nullptr);
    if (waits[1].revents != 0) Accept(&pairs);
  }
}

void LdapProxy::Accept(std::vector<std::unique_ptr<Pair>>* pairs) {
  const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(server_port_);
  auto pair = std::make_unique<Pair>(client, server);
  if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return;
  pairs->push_back(std::move(pair));
}

// False: the pair ends.
bool LdapProxy::Serve(Pair& pair, int side) {
  Way& way = pair.ways[side];
  char buffer[65536];
  const ssize_t got = read(way.from, buffer, sizeof(buffer));
  if (got <= 0) return false;
  way.bytes.append(buffer, static_cast<size_t>(got));
  unsigned operation = 0;
  for (size_t whole = 0; (whole = FirstMessage(way.bytes, &operation)) != 0;) {
    std::string message = way.bytes.substr(0, whole);
    way.bytes.erase(0, whole);
    const Fate fate = hook_ ? hook_(operation, message) : Fate::kPass;
    if (fate == Fate::kCut) return false;
    if (fate == Fate::kHalf) {
      pair.stuck = true;
      return WriteAll(way.to, std::string_view(message).substr(0, message.size() / 2));
    }
    ++counts_[operation & 0xff];
    if (!WriteAll(way.to, message)) return false;
  }
  return true;
}

}  // namespace postern::directory
