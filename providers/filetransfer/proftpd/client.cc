#include "providers/filetransfer/proftpd/client.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "providers/filetransfer/proftpd/limit.h"
#include "providers/filetransfer/proftpd/statement.h"

namespace postern::proftpd {
namespace {

constexpr size_t kMostClients = 64;
constexpr size_t kV4Offset = 12;

ClientAddress MappedV4() {
  ClientAddress out{};
  out[10] = out[11] = 0xff;
  return out;
}

std::optional<ClientAddress> ParseAddress(const std::string& text) {
  ClientAddress out = MappedV4();
  if (inet_pton(AF_INET, text.c_str(), out.data() + kV4Offset) == 1) return out;
  if (inet_pton(AF_INET6, text.c_str(), out.data()) == 1) return out;
  return std::nullopt;
}

AddressBlock BlockOf(const ClientAddress& base, size_t bits) {
  AddressBlock out{base, base};
  for (size_t bit = bits; bit < 128; ++bit) {
    const auto mask = static_cast<uint8_t>(0x80U >> (bit % 8));
    out.first[bit / 8] &= static_cast<uint8_t>(~mask);
    out.last[bit / 8] |= mask;
  }
  return out;
}

// "10.1." covers 10.1.0.0/16.
std::optional<AddressBlock> ParsePrefix(std::string text) {
  const auto dots = static_cast<size_t>(std::count(text.begin(), text.end(), '.'));
  if (dots == 0 || dots > 3) return std::nullopt;
  text += "0";
  for (size_t i = dots; i < 3; ++i) text += ".0";
  const std::optional<ClientAddress> base = ParseAddress(text);
  if (!base.has_value()) return std::nullopt;
  return BlockOf(*base, (kV4Offset + dots) * 8);
}

std::optional<ClientAddress> After(ClientAddress address) {
  for (size_t i = address.size(); i-- > 0;) {
    if (++address[i] != 0) return address;
  }
  return std::nullopt;
}

struct ClientClass {
  std::string name;
  std::vector<std::string> from;
  bool all = false;  // Satisfy all
};

// Nothing: it depends on a name.
std::optional<bool> IsIn(const ClientClass& one, const Client& client) {
  bool any = false, all = !one.from.empty(), known = true;
  for (const std::string& word : one.from) {
    const bool negated = word.starts_with('!');
    const std::optional<bool> meets = MeetsAddresses({word.substr(negated ? 1 : 0)}, client);
    known = known && meets.has_value();
    const bool holds = meets.value_or(false) != negated;
    any = any || holds;
    all = all && holds;
  }
  if (!known) return std::nullopt;
  return one.all ? all : any;
}

class Reader {
 public:
  void Read(const ConfigNode& node) {
    for (const ConfigNode& line : node.children) {
      if (line.word == "class") ReadClass(line);
      const bool limit = node.word == "limit";
      const bool by_address = limit && (line.word == "allow" || line.word == "deny");
      if (by_address) Take(line, AddressWords(line));
      if (limit && (line.word == "allowclass" || line.word == "denyclass")) Ask(line);
      if (line.word == "ifclass") Ask(line);
      Read(line);
    }
  }

  std::vector<Client> Clients() const {
    std::vector<Client> out;
    if (first_ == nullptr) return out;
    std::vector<ClientAddress> starts = {MappedV4()};
    for (const AddressBlock& block : blocks_) {
      starts.push_back(block.first);
      if (const auto next = After(block.last)) starts.push_back(*next);
    }
    std::set<std::vector<bool>> kinds;
    for (const ClientAddress& address : starts) {
      std::vector<bool> kind;
      for (const AddressBlock& block : blocks_) kind.push_back(block.Has(address));
      if (kinds.insert(kind).second) out.push_back(Made(address));
    }
    if (out.size() > kMostClients) out.clear();
    return out;
  }
  const ConfigNode* first() const { return first_; }

 private:
  void Ask(const ConfigNode& line) { first_ = first_ == nullptr ? &line : first_; }
  void Take(const ConfigNode& line, const std::vector<std::string>& words) {
    for (const std::string& word : words) {
      if (SameWord(word, "all") || SameWord(word, "none")) continue;
      if (line.word != "from") Ask(line);
      const auto block = AddressBlock::Parse(word.substr(word.starts_with('!') ? 1 : 0));
      if (block.has_value()) blocks_.push_back(*block);
    }
  }
  void ReadClass(const ConfigNode& node) {
    ClientClass one{.name = node.args.empty() ? "" : node.args[0], .from = {}};
    for (const ConfigNode& line : node.children) {
      if (line.word == "satisfy" && !line.args.empty()) one.all = SameWord(line.args[0], "all");
      if (line.word != "from") continue;
      const std::vector<std::string> words = AddressWords(line);
      Take(line, words);
      one.from.insert(one.from.end(), words.begin(), words.end());
    }
    classes_.push_back(std::move(one));
  }
  Client Made(const ClientAddress& address) const {
    Client client{.address = address, .in_class = ""};
    for (const ClientClass& one : classes_) {
      const std::optional<bool> in = IsIn(one, client);
      if (!in.has_value()) client.class_known = false;
      if (!in.value_or(true)) continue;
      if (client.class_known) client.in_class = one.name;
      break;
    }
    return client;
  }

  std::vector<AddressBlock> blocks_;
  std::vector<ClientClass> classes_;
  const ConfigNode* first_ = nullptr;
};

}  // namespace

std::optional<AddressBlock> AddressBlock::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  const std::string host(text.substr(0, slash));
  if (slash == std::string_view::npos && host.ends_with('.')) return ParsePrefix(host);
  const std::optional<ClientAddress> base = ParseAddress(host);
  if (!base.has_value()) return std::nullopt;
  if (slash == std::string_view::npos) return AddressBlock{*base, *base};
  const std::string_view digits = text.substr(slash + 1);
  size_t bits = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  const size_t offset = host.find(':') == std::string::npos ? kV4Offset * 8 : 0;
  if (read.ec != std::errc() || read.ptr != digits.data() + digits.size()) return std::nullopt;
  if (bits + offset > 128) return std::nullopt;
  return BlockOf(*base, bits + offset);
}

std::vector<std::string> AddressWords(const ConfigNode& line) {
  std::vector<std::string> args = line.args;
  if (!args.empty() && SameWord(args[0], "from")) args.erase(args.begin());
  return SplitNames(args);
}

std::optional<bool> MeetsAddresses(const std::vector<std::string>& words, const Client& client) {
  bool meets = false;
  for (const std::string& word : words) {
    if (SameWord(word, "all")) {
      meets = true;
    } else if (!SameWord(word, "none")) {
      const std::optional<AddressBlock> block = AddressBlock::Parse(word);
      if (!block.has_value()) return std::nullopt;
      meets = meets || block->Has(client.address);
    }
  }
  return meets;
}

std::vector<Client> ClientsOf(const ConfigNode& root, const ConfigNode** first) {
  Reader reader;
  reader.Read(root);
  *first = reader.first();
  return reader.Clients();
}

}  // namespace postern::proftpd
