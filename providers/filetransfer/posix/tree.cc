#include "providers/filetransfer/posix/tree.h"

#include <fmt/format.h>

#include <algorithm>

#include "providers/filetransfer/posix/dump_reader.h"

namespace postern::posix {
namespace {

bool IsOctal(char c) {
  return c >= '0' && c <= '7';
}

}  // namespace

Node::Type TypeOf(char letter) {
  switch (letter) {
    case 'd':
      return Node::Type::kFolder;
    case 'f':
      return Node::Type::kFile;
    case 'l':
      return Node::Type::kLink;
    default:
      return Node::Type::kOther;
  }
}

std::string UnescapeName(std::string_view text) {
  if (text.find('\\') == std::string_view::npos) return std::string(text);
  std::string name;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && IsOctal(text[i + 1]) && IsOctal(text[i + 2]) &&
        IsOctal(text[i + 3])) {
      name += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                (text[i + 3] - '0'));
      i += 3;
    } else if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == '\\') {
      name += text[++i];
    } else {
      name += text[i];
    }
  }
  return name;
}

std::string EscapeName(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (c == '\\') {
      text += "\\\\";
    } else if (c == '\n' || c == '\r') {
      text += fmt::format("\\{:03o}", static_cast<unsigned>(c));
    } else {
      text += c;
    }
  }
  return text;
}

bool PathOrder::operator()(std::string_view a, std::string_view b) const {
  const size_t common = std::min(a.size(), b.size());
  const auto [x, y] =
      std::mismatch(a.begin(), a.begin() + static_cast<ptrdiff_t>(common), b.begin());
  if (x == a.begin() + static_cast<ptrdiff_t>(common)) return a.size() < b.size();
  const int left = *x == '/' ? 0 : static_cast<unsigned char>(*x);
  const int right = *y == '/' ? 0 : static_cast<unsigned char>(*y);
  return left < right;
}

Result<Tree> Tree::Parse(std::string_view dump) {
  Tree tree;
  DumpReader reader(&tree);
  while (!dump.empty()) {
    const size_t end = dump.find('\n');
    if (end == std::string_view::npos) {
      return Fail(ErrorCode::kIncomplete, "the text of getfacl was cut within a line");
    }
    if (auto taken = reader.Take(dump.substr(0, end)); !taken) {
      return tl::unexpected(taken.error());
    }
    dump.remove_prefix(end + 1);
  }
  if (auto done = reader.End(); !done) return tl::unexpected(done.error());
  return tree;
}

Result<void> Tree::AddTypes(std::string_view types, std::vector<std::string>* without_acl) {
  while (!types.empty()) {
    const size_t end = types.find('\0');
    if (end == std::string_view::npos || end < 3 || types[1] != ' ') {
      return Fail(ErrorCode::kIncomplete, "the list of types was cut");
    }
    const std::string_view path = types.substr(2, end - 2);
    if (const auto known = nodes_.find(path); known != nodes_.end()) {
      known->second.type = TypeOf(types[0]);
    } else if (without_acl != nullptr && types[0] != 'l') {
      without_acl->emplace_back(path);
    } else {
      nodes_[std::string(path)].type = TypeOf(types[0]);
    }
    types.remove_prefix(end + 1);
  }
  return {};
}

const Node* Tree::Find(std::string_view path) const {
  const auto at = nodes_.find(path);
  return at == nodes_.end() ? nullptr : &at->second;
}

Result<std::vector<const Node*>> Tree::Chain(std::string_view path, std::string_view top) const {
  std::vector<const Node*> chain;
  for (size_t end = top == "/" ? 0 : top.size();;) {
    const std::string_view part = end == 0 ? "/" : path.substr(0, end);
    const Node* node = Find(part);
    if (node == nullptr) {
      return Fail(ErrorCode::kIncomplete, fmt::format("{} was not read", part));
    }
    chain.push_back(node);
    if (path == "/" || end >= path.size()) return chain;
    end = std::min(path.find('/', end + 1), path.size());
  }
}

std::vector<std::string> Tree::ChildrenOf(std::string_view path) const {
  std::vector<std::string> children;
  const std::string prefix = path == "/" ? "/" : std::string(path) + "/";
  for (auto at = nodes_.upper_bound(path); at != nodes_.end(); ++at) {
    if (!at->first.starts_with(prefix)) break;
    if (at->first.find('/', prefix.size()) == std::string::npos) children.push_back(at->first);
  }
  return children;
}

std::string FormatAcl(const Acl& acl, std::string_view prefix) {
  std::string text = fmt::format("{}user::{}\n", prefix, FormatPerm(acl.owner));
  for (const auto& [uid, perm] : acl.users) {
    text += fmt::format("{}user:{}:{}\n", prefix, uid, FormatPerm(perm));
  }
  text += fmt::format("{}group::{}\n", prefix, FormatPerm(acl.group));
  for (const auto& [gid, perm] : acl.groups) {
    text += fmt::format("{}group:{}:{}\n", prefix, gid, FormatPerm(perm));
  }
  if (acl.mask) text += fmt::format("{}mask::{}\n", prefix, FormatPerm(*acl.mask));
  return text + fmt::format("{}other::{}\n", prefix, FormatPerm(acl.other));
}

std::string FormatRestore(std::string_view path, const Node& node, bool own) {
  std::string text = fmt::format("# file: {}\n", EscapeName(path));
  if (own) text += fmt::format("# owner: {}\n# group: {}\n", node.uid, node.gid);
  if (node.set_uid || node.set_gid || node.sticky) {
    text += fmt::format("# flags: {}{}{}\n", node.set_uid ? 's' : '-', node.set_gid ? 's' : '-',
                        node.sticky ? 't' : '-');
  }
  text += FormatAcl(node.access);
  if (node.default_acl) text += FormatAcl(*node.default_acl, "default:");
  return text + "\n";
}

}  // namespace postern::posix
