// providers/filetransfer/openssh_io/grant_writer.h: operations on grants -> our include and the
// tree, in force.
//
// The way of one write: rows as they are in force, each operation checked against its live row, all
// rendered, `sshd -t` over a scratch copy of the whole configuration. Then the tree loses what
// goes, the include is swapped and loaded (server/include_installer.h), the tree gains what comes
// (stages.h). A row that is live and in no include (an ACL entry by hand) stays, written down,
// until an operation removes it.
#pragma once
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/object/target.h"
#include "providers/filetransfer/openssh_io/snapshot.h"
#include "providers/filetransfer/openssh_io/stages.h"

namespace postern::filetransfer {

// Whether the operation is on an account and leaves it shut.
bool LocksAccount(const object::Operation& operation);

class SshdGrantWriter {
 public:
  // `peers`: what other servers' accounts need of the folders.
  SshdGrantWriter(Transport& transport, const ServerSettings& settings,
                  std::function<Result<TreeNeeds>()> peers)
      : transport_(transport), settings_(settings), peers_(std::move(peers)) {}

  // One outcome for each, without read-back, in order.
  std::vector<object::Outcome> Apply(std::span<const object::Operation> operations);
  // The include gets a block for each account that these operations make or open: an account
  // without one could do whatever its shell and the server's Subsystem let it. The block of a
  // directory's account is its lock as well: DenyUsers, which holds for every way in. kDenied:
  // nothing was changed.
  Result<void> EnsureBlocks(std::span<const object::Operation> operations);
  // Makes the tree what the rows in force, of all servers, want.
  Result<void> FitTree();

 private:
  using Rows = std::map<std::string, access::GrantRow>;  // by object key

  Result<void> Try(std::span<const object::Operation> operations,
                   std::vector<object::Outcome>& outcomes);
  Result<void> TryBlocks(std::span<const object::Operation> operations);
  // The rows in force and the roots with a deny-all, with what the operations do to them. False: it
  // is all so already.
  bool Merge(std::span<const object::Operation> operations, const SshdSnapshot& snapshot,
             Rows* rows, std::vector<std::string>* roots, std::vector<object::Outcome>& outcomes);
  Result<openssh::IncludeContent> ContentOf(const SshdSnapshot& snapshot, const Rows& rows,
                                            std::vector<std::string> roots) const;
  Result<void> Check(const SshdSnapshot& snapshot, const std::string& text);
  Result<void> Install(const SshdSnapshot& snapshot, const std::string& text);
  // What the tree must become for the rows.
  Result<Stages> StagesFor(const SshdSnapshot& snapshot,
                           const openssh::IncludeContent& content) const;
  Result<void> WriteStage(std::span<const posix::Change> changes);

  Transport& transport_;
  const ServerSettings& settings_;
  std::function<Result<TreeNeeds>()> peers_;
};

}  // namespace postern::filetransfer
