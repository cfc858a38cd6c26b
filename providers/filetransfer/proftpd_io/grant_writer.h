// providers/filetransfer/proftpd_io/grant_writer.h: operations on grants -> the include, and in
// force.
//
// The way of one write: rows as the daemon enforces them, each operation checked against its row,
// all rendered, the daemon's own checker over a scratch copy of its whole configuration, then
// server/include_installer.h.
#pragma once
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/object/target.h"
#include "providers/filetransfer/proftpd_io/snapshot.h"

namespace postern::filetransfer {

// Above this many blocks a reload takes longer than a restart (measured: 182 s at 10,000).
inline constexpr size_t kRestartAbove = 1000;

class GrantWriter {
 public:
  // `take`: the server's snapshot, with `given` as it is told.
  GrantWriter(Transport& transport, const ServerSettings& settings,
              std::function<Result<Snapshot>()> take)
      : transport_(transport), settings_(settings), take_(std::move(take)) {}

  // One outcome for each, without read-back, in order.
  std::vector<object::Outcome> Apply(std::span<const object::Operation> operations);

 private:
  using Rows = std::map<std::string, access::GrantRow>;  // by object key

  // kConflict: somebody else wrote meanwhile, nothing was done.
  Result<void> Try(std::span<const object::Operation> operations,
                   std::vector<object::Outcome>& outcomes);
  // `only_takes`: no operation gives anything. Then overwriting goes where the rows can't be said.
  Result<std::string> Render(const Snapshot& snapshot, const Rows& rows, bool only_takes) const;
  Result<void> Check(const Snapshot& snapshot, const std::string& text);
  // Swaps, reloads, and undoes both when the daemon doesn't come back.
  Result<void> Install(const Snapshot& snapshot, const std::string& text);

  Transport& transport_;
  const ServerSettings& settings_;
  std::function<Result<Snapshot>()> take_;
};

}  // namespace postern::filetransfer
