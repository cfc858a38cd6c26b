#include "providers/filetransfer/posix/acl.h"

#include <fmt/format.h>

#include <algorithm>

namespace postern::posix {
namespace {

bool Covers(Perm have, Perm want) {
  return (want & ~have) == 0;
}

// The kernel's walk over an extended ACL for somebody who isn't the owner.
bool ExtendedPermits(const Node& node, const Credentials& who, Perm want) {
  const Acl& acl = node.access;
  const Perm mask = acl.mask.value_or(7);
  if (const auto named = acl.users.find(who.uid); named != acl.users.end()) {
    return Covers(named->second & mask, want);
  }
  bool member = false;
  const auto asks = [&](uint32_t gid, Perm perm) {
    if (!who.In(gid)) return false;
    member = true;
    return Covers(perm & mask, want);
  };
  if (asks(node.gid, acl.group)) return true;
  for (const auto& [gid, perm] : acl.groups) {
    if (asks(gid, perm)) return true;
  }
  return !member && Covers(acl.other, want);
}

bool ByClass(const Node& node, const Credentials& who, Perm want) {
  const Acl& acl = node.access;
  if (who.uid == node.uid) return Covers(acl.owner, want);
  if (!acl.minimal() && acl.group_bits() != 0) return ExtendedPermits(node, who, want);
  return Covers(who.In(node.gid) ? acl.group_bits() : acl.other, want);
}

}  // namespace

std::string FormatPerm(Perm perm) {
  std::string text = "---";
  if (perm & kRead) text[0] = 'r';
  if (perm & kWrite) text[1] = 'w';
  if (perm & kExecute) text[2] = 'x';
  return text;
}

std::optional<Perm> ParsePerm(std::string_view text) {
  if (text.size() != 3) return std::nullopt;
  Perm perm = 0;
  for (size_t i = 0; i < 3; ++i) {
    if (text[i] == "rwx"[i]) {
      perm |= static_cast<Perm>(kRead >> i);
    } else if (text[i] != '-') {
      return std::nullopt;
    }
  }
  return perm;
}

void SetMask(Acl* acl) {
  acl->mask.reset();
  if (acl->users.empty() && acl->groups.empty()) return;
  Perm mask = acl->group;
  for (const auto& [id, perm] : acl->users) mask |= perm;
  for (const auto& [id, perm] : acl->groups) mask |= perm;
  acl->mask = mask;
}

bool Credentials::In(uint32_t group) const {
  return group == gid || std::binary_search(groups.begin(), groups.end(), group);
}

Credentials Root() {
  return {.dac_override = true, .dac_read_search = true, .fowner = true};
}

bool Permits(const Node& node, const Credentials& who, Perm want) {
  if (ByClass(node, who, want)) return true;
  const bool folder = node.type == Node::Type::kFolder;
  if (who.dac_override) {
    // Executing a file needs an x bit somewhere, even for root.
    const Acl& acl = node.access;
    const bool some_x = ((acl.owner | acl.group_bits() | acl.other) & kExecute) != 0;
    if (folder || !(want & kExecute) || some_x) return true;
  }
  if (!who.dac_read_search) return false;
  return folder ? !(want & kWrite) : want == kRead;
}

std::string WhyEntryDiffers(const Acl& acl, Perm entry) {
  if (!acl.mask || Covers(*acl.mask, entry)) return "";
  if (*acl.mask == 0) {
    return fmt::format(
        "the mask is empty, so the kernel reads the mode alone: {} counts as other ({})",
        FormatPerm(entry), FormatPerm(acl.other));
  }
  return fmt::format("the mask cuts {} to {}", FormatPerm(entry), FormatPerm(entry & *acl.mask));
}

}  // namespace postern::posix
