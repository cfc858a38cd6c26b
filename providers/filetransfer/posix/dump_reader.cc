#include "providers/filetransfer/posix/dump_reader.h"

#include <fmt/format.h>

#include <charconv>

namespace postern::posix {
namespace {

constexpr unsigned kAllParts = 7;  // owner, group, other

bool ReadId(std::string_view text, uint32_t* id) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *id);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

std::string ReadOwner(std::string_view text, uint32_t* id) {
  return ReadId(text, id) ? "" : "a name where a number was asked for (getfacl -n)";
}

std::string SetEntry(std::string_view tag, std::string_view who, Perm perm, Acl* acl,
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

}  // namespace

Result<void> DumpReader::Take(std::string_view line) {
  ++number_;
  if (const std::string why = Read(line); !why.empty()) {
    return Fail(ErrorCode::kInvalid, fmt::format("getfacl, line {}: {}", number_, why));
  }
  return {};
}

Result<void> DumpReader::End() const {
  if (path_.empty()) return {};
  return Fail(ErrorCode::kIncomplete, "the text of getfacl ends within a block");
}

bool DumpReader::SetTypes(std::string_view letters) {
  if (letters.size() != told_.size()) return false;
  for (size_t i = 0; i < letters.size(); ++i) told_[i]->type = TypeOf(letters[i]);
  return true;
}

std::string DumpReader::Read(std::string_view line) {
  if (line.empty()) return Finish();
  if (line.starts_with("# ")) return Comment(line.substr(2));
  if (!path_.empty()) return Entry(line);
  return line.starts_with('=') ? Short(line.substr(1)) : "an entry before its file";
}

void DumpReader::Put(std::string path, Node node) {
  hint_ = tree_->PutNear(hint_, std::move(path), std::move(node));
  told_.push_back(&hint_->second);
}

std::string DumpReader::Short(std::string_view text) {
  if (text.empty()) {
    whole_.clear();
    return "";
  }
  const size_t blank = text.find(' ');
  uint32_t block = 0;
  if (blank == std::string_view::npos || !ReadId(text.substr(0, blank), &block) ||
      block >= whole_.size()) {
    return "it points to a block that wasn't told";
  }
  std::string path = UnescapeName(text.substr(blank + 1));
  if (!path.starts_with('/')) return "the path isn't absolute";
  Put(std::move(path), whole_[block]);
  return "";
}

std::string DumpReader::Finish() {
  if (path_.empty()) return "";
  if ((seen_ & kAllParts) != kAllParts) return path_ + ": the entry isn't whole";
  if (default_seen_ != 0 && (default_seen_ & kAllParts) != kAllParts) {
    return path_ + ": the default ACL isn't whole";
  }
  if (default_seen_ != 0) {
    node_.default_acl = std::move(default_);
    node_.type = Node::Type::kFolder;
  }
  if (whole_.size() < kSharedBlocks) whole_.push_back(node_);
  Put(std::move(path_), std::move(node_));
  path_.clear();
  node_ = Node();
  default_ = Acl();
  seen_ = default_seen_ = 0;
  return "";
}

std::string DumpReader::Comment(std::string_view text) {
  if (text.starts_with("file: ")) {
    if (std::string why = Finish(); !why.empty()) return why;
    path_ = UnescapeName(text.substr(6));
    return path_.starts_with('/') ? "" : "the path isn't absolute";
  }
  if (text.starts_with("owner: ")) return ReadOwner(text.substr(7), &node_.uid);
  if (text.starts_with("group: ")) return ReadOwner(text.substr(7), &node_.gid);
  if (text.starts_with("flags: ") && text.size() == 10) {
    node_.set_uid = text[7] == 's';
    node_.set_gid = text[8] == 's';
    node_.sticky = text[9] == 't';
    return "";
  }
  return "a comment that getfacl doesn't write";
}

std::string DumpReader::Entry(std::string_view line) {
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
  return SetEntry(tag, who, *perm, acl, seen);
}

}  // namespace postern::posix
