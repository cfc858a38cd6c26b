// providers/filetransfer/proftpd/block_pattern.h: does the name of a <Directory> cover an object?
// Pure.
//
// Source: 1.3.8, observed: N covers p when p is N, or fnmatch(N/*, p) (nothing is added to a name
// that ends in /*), or N has * ? [ and fnmatch(N, p). `*` and `?` match a slash too.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "providers/filetransfer/proftpd/raise_rules.h"

namespace postern::proftpd {

// An object on the host, or every object of a kind that no rule names.
struct ObjectPath {
  std::string path;
  enum class Rest : uint8_t {
    kNone,
    kEntry,
    kDeeper
  } rest = Rest::kNone;  // PATH, PATH/x, PATH/x/y
};

enum class Cover : uint8_t { kNo, kYes, kSome };  // kSome: it depends on the unnamed part

class BlockPattern {
 public:
  BlockPattern(std::string name, const RaiseRules& rules);

  const std::string& name() const { return name_; }
  // A plain path: the only kind of which a map can be made.
  bool literal() const { return literal_; }
  Cover Covers(const ObjectPath& object) const;

 private:
  Cover CoversEntry(const ObjectPath& object) const;
  std::string name_;
  std::string content_;  // N/*; empty when N ends in /* already
  bool literal_ = false;
  bool odd_ = false;  // a backslash: 1.3.8 treats the folder and its content differently
  bool crosses_slash_ = true, spares_folder_ = true;
};

}  // namespace postern::proftpd
