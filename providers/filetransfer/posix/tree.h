// providers/filetransfer/posix/tree.h: a part of the host's file tree, as `getfacl` and `find` say
// it, and the text that `setfacl --restore` takes. Pure; linear in the text.
//
// Source: getfacl(1) and setfacl(1) 2.3.1, observed. Names have newline, carriage return and
// backslash as octal or doubled escapes and nothing else; `#effective:` comments are decoration.
// The dump doesn't say which node is a folder: `find` does.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "providers/filetransfer/posix/acl.h"

namespace postern::posix {

// What a letter of find's %y is.
Node::Type TypeOf(char letter);

// "\012" and "\\" as getfacl writes them -> the bytes, and back.
std::string UnescapeName(std::string_view text);
std::string EscapeName(std::string_view name);

// By components, so that a folder's content follows it: "/a" < "/a/b" < "/a b".
struct PathOrder {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};

class Tree {
 public:
  using Nodes = std::map<std::string, Node, PathOrder>;

  // `dump`: `getfacl -R -n -p ROOT...`, and of the roots' ancestors without -R; blocks may come in
  // any order, the last of a path counts. Errors: kIncomplete for a text that ends within a block,
  // kInvalid naming the line that is none of getfacl's.
  static Result<Tree> Parse(std::string_view dump);
  // `types`: `find ROOT... -printf '%y %p\0'`. Nodes that getfacl skipped (links) come in; others
  // that the dump doesn't have go to `without_acl`, where one is given: nobody knows what they let
  // whom do. Errors: kIncomplete when the last name isn't ended.
  Result<void> AddTypes(std::string_view types, std::vector<std::string>* without_acl = nullptr);

  const Nodes& nodes() const { return nodes_; }
  const Node* Find(std::string_view path) const;
  void Put(std::string path, Node node) { nodes_[std::move(path)] = std::move(node); }
  // As Put, in constant time when it stands beside `near` (from here or End) in the order.
  Nodes::iterator PutNear(Nodes::iterator near, std::string path, Node node) {
    return nodes_.insert_or_assign(near, std::move(path), std::move(node));
  }
  Nodes::iterator End() { return nodes_.end(); }
  void Drop(const std::string& path) { nodes_.erase(path); }
  // The nodes from `top` to `path`, which lies within. Errors: kIncomplete naming the first that
  // was not read.
  Result<std::vector<const Node*>> Chain(std::string_view path, std::string_view top = "/") const;
  // Paths whose parent is `path`.
  std::vector<std::string> ChildrenOf(std::string_view path) const;

 private:
  Nodes nodes_;
};

// Lines of one ACL, "user::rwx" and on; `prefix` is "" or "default:".
std::string FormatAcl(const Acl& acl, std::string_view prefix = "");
// One block for `setfacl --restore=-`: sets both ACLs whole, so that it can run again. Owner and
// group stand in it only with `own`: setting them clears set-uid bits and needs root.
std::string FormatRestore(std::string_view path, const Node& node, bool own);

}  // namespace postern::posix
