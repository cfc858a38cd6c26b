// providers/filetransfer/posix/dump_reader.h: the text of `getfacl -n -p`, line by line, into a
// tree.
//
// Most folders of an estate have one of few ACLs, so a host may shorten the text: "=N PATH" stands
// for a block that has all of whole block N (from 0, among the first kSharedBlocks) but the name; a
// line "=" begins their numbers anew.
// Used by one thread; the tree outlives the reader. Cost: linear; memory as the tree's.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "providers/filetransfer/posix/tree.h"

namespace postern::posix {

class DumpReader {
 public:
  // Whole blocks that "=N PATH" may name.
  static constexpr size_t kSharedBlocks = 20'000;

  explicit DumpReader(Tree* tree) : tree_(tree), hint_(tree->End()) {}

  // The line has no newline any more. Errors: kInvalid naming a line that is none of getfacl's.
  Result<void> Take(std::string_view line);
  // After the last line. kIncomplete: getfacl ends every block with an empty line.
  Result<void> End() const;

  // Blocks read so far.
  size_t size() const { return told_.size(); }
  // A letter of find's %y for each block, in their order. False: another number, nothing is set.
  bool SetTypes(std::string_view letters);

 private:
  std::string Read(std::string_view line);
  std::string Comment(std::string_view text);
  std::string Entry(std::string_view line);
  std::string Short(std::string_view text);
  std::string Finish();
  void Put(std::string path, Node node);

  Tree* tree_;
  Tree::Nodes::iterator hint_;  // getfacl goes from neighbour to neighbour
  std::vector<Node*> told_;
  std::vector<Node> whole_;
  uint32_t number_ = 0;
  // The block that is open.
  std::string path_;
  Node node_;
  Acl default_;
  unsigned seen_ = 0, default_seen_ = 0;
};

}  // namespace postern::posix
