#include <fmt/format.h>

#include <algorithm>

#include "core/base/hash.h"
#include "providers/filetransfer/openssh/include_file.h"
#include "providers/filetransfer/openssh/include_format.h"
#include "providers/filetransfer/openssh/product.h"
#include "providers/filetransfer/openssh/requests.h"
#include "providers/filetransfer/openssh/words.h"

namespace postern::openssh {
namespace {

using access::Rights;

// A folder that stands in a line of sshd: quoted, percent doubled.
std::string QuotePath(std::string_view path) {
  std::string text = "\"";
  for (const char c : path) text += c == '%' ? "%%" : std::string(1, c);
  return text + "\"";
}

// sshd reads lines, quotes and backslashes in its own way: only folders without them.
std::string WhyFolderUnfit(std::string_view path) {
  if (path.empty()) return "";
  if (path.front() != '/') return "the folder isn't absolute";
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\' || c == '#') {
      return "the folder has a character that a line of sshd can't carry";
    }
  }
  return "";
}

Rights RightsOfAccount(const IncludeContent& content, std::string_view login) {
  Rights rights;
  for (const GrantRow& row : content.rows) {
    if (row.subject.name == login) rights |= row.rights;
  }
  return rights;
}

std::string RenderAccount(const IncludeContent& content, const ManagedAccount& account) {
  SftpCommand command = CommandFor(RightsOfAccount(content, account.login));
  command.start_folder = account.start_folder;
  std::string text = fmt::format("Match User {}\n", account.login);
  text += fmt::format("    ForceCommand {}\n", Render(command));
  text += fmt::format("    ChrootDirectory {}\n",
                      account.chroot.empty() ? "none" : QuotePath(account.chroot));
  text += "    DisableForwarding yes\n    PermitTTY no\n";
  if (!account.revoked.empty()) {
    text += fmt::format("    RevokedKeys \"{}\"\n", account.revoked);
  }
  if (account.locked) text += fmt::format("    DenyUsers {}\n", account.login);
  return text;
}

std::string WhyAccountUnfit(const ManagedAccount& account) {
  if (std::string why = WhyNameUnfit(account.login); !why.empty()) return why;
  if (std::string why = WhyFolderUnfit(account.chroot); !why.empty()) return why;
  if (account.revoked.find('%') != std::string::npos || !WhyFolderUnfit(account.revoked).empty()) {
    return "the revocation list has a name that a line of sshd can't carry";
  }
  if (account.start_folder.find_first_of(" \t%") != std::string::npos) {
    return "the first folder has a blank or a percent sign, which a command can't carry";
  }
  return WhyFolderUnfit(account.start_folder);
}

// sshd wants a chroot, and all above it, writable by root alone, and takes the mask of an ACL for
// the group: one grant that changes such a folder shuts everybody's chroot there.
std::string WhyChrootBreaks(const IncludeContent& content) {
  for (const ManagedAccount& account : content.accounts) {
    if (account.chroot.empty()) continue;
    for (const GrantRow& row : content.rows) {
      if (!(posix::NeedsOf(row.rights).folder & posix::kWrite)) continue;
      if (!access::IsWithin(account.chroot, row.path)) continue;
      return fmt::format(
          "account {}: sshd refuses the chroot {} where somebody may change {} or what is in it",
          account.login, account.chroot, row.path);
    }
  }
  return "";
}

Result<void> Check(const IncludeContent& content) {
  if (std::string why = WhyChrootBreaks(content); !why.empty()) {
    return Fail(ErrorCode::kInvalid, std::move(why));
  }
  for (const ManagedAccount& account : content.accounts) {
    if (const std::string why = WhyAccountUnfit(account); !why.empty()) {
      return Fail(ErrorCode::kInvalid, fmt::format("account {}: {}", account.login, why));
    }
  }
  for (const GrantRow& row : content.rows) {
    std::string why = WhyRowUnfit(row, content.roots);
    const bool known = std::any_of(
        content.accounts.begin(), content.accounts.end(),
        [&](const ManagedAccount& account) { return account.login == row.subject.name; });
    if (why.empty() && !known) why = "the account isn't one of this server's";
    if (!why.empty()) {
      return Fail(ErrorCode::kInvalid,
                  fmt::format("grant of {} on {}: {}", access::Format(row.subject), row.path, why));
    }
  }
  return {};
}

}  // namespace

std::string RenderInclude(const IncludeContent& content) {
  std::string body;
  for (const std::string& root : content.roots) {
    body += fmt::format("{}{}\n", kRootPrefix, posix::EscapeName(root));
  }
  for (const GrantRow& row : content.rows) {
    std::string rights;
    for (int bit = 0; bit < access::kRightCount; ++bit) {
      const auto right = static_cast<access::Right>(bit);
      if (row.rights.Has(right)) rights += (rights.empty() ? "" : ",") + std::string(NameOf(right));
    }
    body += fmt::format("{}{} {} {} {}\n", kGrantPrefix, NameOf(row.depth), row.subject.name,
                        rights, posix::EscapeName(row.path));
  }
  for (const ManagedAccount& account : content.accounts) body += RenderAccount(content, account);
  body += std::string(kEndLine) + "\n";
  return fmt::format("{} {}\n{}\n# rows {} accounts {} sha256 {}\n", kMarker, kVersion, kNotice,
                     content.rows.size(), content.accounts.size(), base::Hex(base::Sha256(body))) +
         body;
}

Result<std::string> Lower(const IncludeContent& content) {
  if (Result<void> checked = Check(content); !checked) {
    return tl::unexpected<Error>(checked.error());
  }
  std::string text = RenderInclude(content);
  // What can't be read back must not be written: rows that FitRows didn't see, lists out of order.
  const Result<ParsedInclude> again = ParseInclude(text);
  if (!again || !(again->content == content) || !again->edits.empty() ||
      OpenSsh().FitRows(content.rows, content.roots).rows != content.rows) {
    return Fail(ErrorCode::kInvalid, "the rows aren't in the form that FitRows gives");
  }
  return text;
}

}  // namespace postern::openssh
