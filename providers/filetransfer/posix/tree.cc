#include "providers/filetransfer/posix/tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace postern::posix {
namespace {

bool ReadId(std::string_view text, uint32_t* id) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *id);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

// Reads the blocks of a dump line by line. Empty answers mean that all is well.
class DumpReader {
 public:
  explicit DumpReader(Tree* tree) : tree_(tree) {}

  std::string Take(std::string_view line) {
    if (line.empty()) return Finish();
    if (line.starts_with("# ")) return Comment(line.substr(2));
    if (path_.empty()) return "an entry before its file";
    return Entry(line);
  }

  std::string Finish() {
    if (path_.empty()) return "";
    if ((seen_ & kAllParts) != kAllParts) return path_ + ": the entry isn't whole";
    if (default_seen_ != 0 && (default_seen_ & kAllParts) != kAllParts) {
      return path_ + ": the default ACL isn't whole";
    }
    if (default_seen_ != 0) {
      node_.default_acl = default_;
      node_.type = Node::Type::kFolder;
    }
    tree_->Put(std::move(path_), std::move(node_));
    *this = DumpReader(tree_);
    return "";
  }
  bool open() const { return !path_.empty(); }

 private:
  static constexpr unsigned kAllParts = 7;  // owner, group, other

  std::string Comment(std::string_view text) {
    if (text.starts_with("file: ")) {
      if (std::string why = Finish(); !why.empty()) return why;
      path_ = UnescapeName(text.substr(6));
      return path_.starts_with('/') ? "" : "the path isn't absolute";
    }
    if (text.starts_with("owner: ")) return Id(text.substr(7), &node_.uid);
    if (text.starts_with("group: ")) return Id(text.substr(7), &node_.gid);
    if (text.starts_with("flags: ") && text.size() == 10) {
      node_.set_uid = text[7] == 's';
      node_.set_gid = text[8] == 's';
      node_.sticky = text[9] == 't';
      return "";
    }
    return "a comment that getfacl doesn't write";
  }

  static std::string Id(std::string_view text, uint32_t* id) {
    return ReadId(text, id) ? "" : "a name where a number was asked for (getfacl -n)";
  }

  std::string Entry(std::string_view line) {
    line = line.substr(0, line.find_first_of("\t#"));
    while (line.ends_with(' ')) line.remove_suffix(1);
    Acl* acl = &node_.access;
    unsigned* seen = &seen_;
    if (line.starts_with("default:")) {
      line.remove_prefix(8);
      acl = &default_;
      seen = &default_seen_;
    }
    const size_t first = line.find(':'), last = line.rfind(':');
    if (first == std::string_view::npos || first == last) return "an entry without its fields";
    const std::string_view tag = line.substr(0, first);
    const std::string_view who = line.substr(first + 1, last - first - 1);
    const auto perm = ParsePerm(line.substr(last + 1));
    if (!perm) return "permissions that aren't rwx";
    return Set(tag, who, *perm, acl, seen);
  }

  static std::string Set(std::string_view tag, std::string_view who, Perm perm, Acl* acl,
                         unsigned* seen) {
    if (!who.empty()) {
      uint32_t id = 0;
      if (!ReadId(who, &id)) return "a name where a number was asked for (getfacl -n)";
      if (tag != "user" && tag != "group") return "an entry of an unknown kind";
      (tag == "user" ? acl->users : acl->groups)[id] = perm;
      return "";
    }
    if (tag == "user") {
      acl->owner = perm;
      *seen |= 1;
    } else if (tag == "group") {
      acl->group = perm;
      *seen |= 2;
    } else if (tag == "other") {
      acl->other = perm;
      *seen |= 4;
    } else if (tag == "mask") {
      acl->mask = perm;
    } else {
      return "an entry of an unknown kind";
    }
    return "";
  }

  Tree* tree_;
  std::string path_;
  Node node_;
  Acl default_;
  unsigned seen_ = 0, default_seen_ = 0;
};

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

bool IsOctal(char c) {
  return c >= '0' && c <= '7';
}

}  // namespace

std::string UnescapeName(std::string_view text) {
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
  uint32_t number = 0;
  while (!dump.empty()) {
    const size_t end = dump.find('\n');
    if (end == std::string_view::npos) {
      return Fail(ErrorCode::kIncomplete, "the text of getfacl was cut within a line");
    }
    ++number;
    if (const std::string why = reader.Take(dump.substr(0, end)); !why.empty()) {
      return Fail(ErrorCode::kInvalid, fmt::format("getfacl, line {}: {}", number, why));
    }
    dump.remove_prefix(end + 1);
  }
  // getfacl ends every block with an empty line.
  if (reader.open()) return Fail(ErrorCode::kIncomplete, "the text of getfacl ends within a block");
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
