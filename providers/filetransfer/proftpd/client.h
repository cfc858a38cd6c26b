// providers/filetransfer/proftpd/client.h: where a client connects from, as far as rules ask: the
// addresses of `Allow from` and of <Class>. Pure values.
//
// What the daemon allows may differ by address. Every rule names blocks of addresses, so one client
// for each way in which an address can lie in or out of them stands for all clients: `ClientsOf`.
//
// Source: 1.3.8, each tried on the daemon: of several classes that an address is in, the first in
// file is the session's; `From !A` takes all others; a line `Allow from` with a negated address
// answers nobody, whatever else is said of addresses in that Limit.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "providers/filetransfer/proftpd/config_tree.h"

namespace postern::proftpd {

// An IP address as sixteen bytes, IPv4 within ::ffff:0:0/96.
using ClientAddress = std::array<uint8_t, 16>;

// "10.0.0.0/8", "10.0.0.7", "10.0." (all that start so), IPv6 likewise; nothing for a name.
struct AddressBlock {
  ClientAddress first{}, last{};
  bool Has(const ClientAddress& address) const { return first <= address && address <= last; }
  static std::optional<AddressBlock> Parse(std::string_view text);
};

// A client: its address and its class, "" for none.
struct Client {
  ClientAddress address{};
  std::string in_class;
  bool class_known = true;
};

// The words of `Allow from A, B`, without `from`.
std::vector<std::string> AddressWords(const ConfigNode& line);

// Whether the words, of one line, are met by the client; nothing where they hold a name.
std::optional<bool> MeetsAddresses(const std::vector<std::string>& words, const Client& client);

// One client for each kind; none where no line asks for addresses or classes. `first`: the first
// line that does. Too many kinds: none as well, and such lines aren't computable.
std::vector<Client> ClientsOf(const ConfigNode& root, const ConfigNode** first);

}  // namespace postern::proftpd
