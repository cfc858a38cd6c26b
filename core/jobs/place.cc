#include "core/jobs/place.h"

#include <algorithm>
#include <vector>

#include "core/base/hash.h"

namespace postern::jobs {
namespace {

constexpr size_t kPiece = size_t{1} << 18;

}  // namespace

std::string JoinPath(const std::string& folder, const std::string& name) {
  return folder.ends_with('/') ? folder + name : folder + "/" + name;
}

Result<std::string> HashFile(const std::string& path, uint64_t limit) {
  auto source = OpenSource(path);
  if (!source) return tl::unexpected(source.error());
  base::Hasher hasher;
  std::vector<char> buffer(kPiece);
  while (limit > 0) {
    const auto got = (*source)(buffer.data(), std::min<uint64_t>(buffer.size(), limit));
    if (!got) return tl::unexpected(got.error());
    if (*got == 0) break;
    hasher.Add({buffer.data(), *got});
    limit -= *got;
  }
  return base::Hex(hasher.Finish());
}

Result<std::string> HashAt(Place& place, const std::string& path, uint64_t* bytes) {
  base::Hasher hasher;
  uint64_t count = 0;
  const auto got = place.Get(path, [&](std::string_view part) -> Result<void> {
    hasher.Add(part);
    count += part.size();
    return {};
  });
  if (!got) return tl::unexpected(got.error());
  if (bytes != nullptr) *bytes = count;
  return base::Hex(hasher.Finish());
}

}  // namespace postern::jobs
