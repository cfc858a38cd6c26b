// core/config/index.h: declarations by table and name.
//
// Holds pointers into the Declarations it was made from: valid as long as those live and their
// vectors aren't changed (moving the whole Declarations is fine). Immutable; any thread. Of two
// declarations of one name the first is found; the loader has reported the other. Cost: O(1) a
// look-up.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/declarations.h"

namespace postern::config {

// "partner:acme" taken apart. Views into the text.
struct Address {
  std::string_view table, name;
};
// Nothing when there is no colon, no table or no name.
std::optional<Address> SplitAddress(std::string_view text);

class Index {
 public:
  // What is found by name: the declaration's place, its position in its vector, a pointer to it.
  struct Entry {
    std::string_view name;
    diag::Span span;
    size_t position = 0;
    const void* declared = nullptr;
  };

  explicit Index(const Declarations& declarations);

  // `table`: its name or the word that its declarations are named by ("service").
  const Entry* Find(std::string_view table, std::string_view name) const;
  // Null: not declared. Index::Get<decl::Server>("edge-ftp").
  template <class M>
  const Declared<M>* Get(std::string_view name) const {
    const Entry* entry = Find(NamesOf(*M::descriptor()).first, name);
    return entry ? static_cast<const Declared<M>*>(entry->declared) : nullptr;
  }
  std::vector<std::string_view> Names(std::string_view table) const;

 private:
  // Open addressing over positions: no allocation a name, half the cache misses of a node map.
  struct NameTable {
    std::string_view table, address;
    std::vector<Entry> entries;
    struct Slot {
      uint32_t place = 0;  // position in entries + 1; 0: free
      uint32_t tag = 0;    // of the name's hash: other names are passed by without a look at them
    };
    std::vector<Slot> slots;  // a power of two of them
    void Add(Entry entry);
    const Entry* Find(std::string_view name) const;
  };
  // Of the table: its name and its word in addresses.
  static std::pair<std::string_view, std::string_view> NamesOf(
      const google::protobuf::Descriptor& descriptor);
  const NameTable* TableNamed(std::string_view table) const;

  std::vector<NameTable> tables_;
};

}  // namespace postern::config
