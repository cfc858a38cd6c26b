#include "providers/filetransfer/text/key_blob.h"

#include <algorithm>
#include <cstdint>

namespace postern::filetransfer {

std::string TypeOfKey(std::string_view blob) {
  if (blob.size() < 4) return "";
  uint32_t size = 0;
  for (int i = 0; i < 4; ++i) size = size << 8 | static_cast<uint8_t>(blob[i]);
  if (size == 0 || size > 64 || blob.size() - 4 <= size) return "";
  const std::string type(blob.substr(4, size));
  const auto plain = [](char c) { return c > ' ' && c < 0x7f; };
  return std::all_of(type.begin(), type.end(), plain) ? type : "";
}

}  // namespace postern::filetransfer
