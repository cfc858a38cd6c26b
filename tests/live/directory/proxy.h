// tests/live/directory/proxy.h: stands between a client and slapd on loopback, and can lose what
// goes through it at a chosen message.
//
// Whole LDAP messages are passed on, each after the hook has seen it. Plain connections only. The
// hook runs on the proxy's thread: set it before the client connects, and reap no children in it
// while the main thread does.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace postern::directory {

class LdapProxy {
 public:
  enum class Fate : uint8_t {
    kPass,
    kCut,   // the connection ends on both sides, the message is lost
    kHalf,  // half of the message is passed on, and nothing ever after
  };
  // `operation`: the tag of the message's operation (LDAP_REQ_MODIFY, LDAP_RES_MODIFY, ...). What
  // the hook makes of the message is passed on.
  using Hook = std::function<Fate(unsigned operation, std::string& message)>;

  explicit LdapProxy(uint16_t server_port, Hook hook = {});
  ~LdapProxy();
  LdapProxy(const LdapProxy&) = delete;
  LdapProxy& operator=(const LdapProxy&) = delete;

  std::string url() const;
  // Messages of this operation that were passed on whole.
  int Count(unsigned operation) const { return counts_[operation & 0xff]; }

 private:
  struct Way;
  struct Pair;
  void Run();
  void Accept(std::vector<std::unique_ptr<Pair>>* pairs);
  bool Serve(Pair& pair, int side);

  const uint16_t server_port_;
  const Hook hook_;
  int listener_ = -1, stop_ = -1;
  uint16_t port_ = 0;
  std::array<std::atomic<int>, 256> counts_{};
  std::thread thread_;
};

}  // namespace postern::directory
