#include "core/access/product.h"

namespace postern::access {

std::string_view NameOf(Support support) {
  switch (support) {
    case Support::kNative:
      return "native";
    case Support::kWidens:
      return "widens to";
    case Support::kCoarser:
      return "coarser";
    case Support::kUnsupported:
      return "unsupported";
  }
  return "?";
}

}  // namespace postern::access
