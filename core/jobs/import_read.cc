#include "core/jobs/import_read.h"

#include <vector>

#include "core/jobs/encrypt.h"
#include "core/jobs/unpack.h"

namespace postern::jobs {
namespace {

// The file with its rows: as it came, or what is in it, in `made` too.
Result<std::string> OpenFetched(const ReadInput& input, const Fetched& fetched,
                                const Quarantine& quarantine, std::vector<std::string>* made) {
  const std::string& name = input.file.name;
  std::string path = fetched.path;
  if (SealOf(name) != Seal::kNone) {
    const std::string identity =
        input.from.has_age_identity() ? input.from.age_identity() : input.folder + "/age.key";
    path = made->emplace_back(quarantine.OpenedPath(fetched.key));
    const auto opened =
        OpenSealed(input.from, input.file, fetched, identity, input.most_bytes, path);
    if (!opened) return tl::unexpected(opened.error());
  }
  if (const Pack pack = PackOf(name); pack != Pack::kNone) {
    const std::string packed = path;
    path = made->emplace_back(quarantine.UnpackedPath(fetched.key));
    const auto unpacked = Unpack(pack, packed, input.most_bytes, path);
    if (!unpacked) return tl::unexpected(unpacked.error());
  }
  return path;
}

}  // namespace

Result<RosterFile> ReadFetched(const ReadInput& input, const Fetched& fetched,
                               const Quarantine& quarantine) {
  std::vector<std::string> made;
  auto read = [&]() -> Result<RosterFile> {
    const auto path = OpenFetched(input, fetched, quarantine, &made);
    if (!path) return tl::unexpected(path.error());
    const auto source = OpenSource(*path);
    if (!source) return tl::unexpected(source.error());
    return ReadRoster(input.import, *source, input.file.name, input.last);
  }();
  for (const std::string& path : made) {
    if (auto gone = RemovePlain(path); !gone) return tl::unexpected(gone.error());
  }
  return read;
}

}  // namespace postern::jobs
