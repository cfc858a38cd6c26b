#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/base/hash.h"
#include "providers/filetransfer/proftpd/blocks.h"
#include "providers/filetransfer/proftpd/include_file.h"
#include "providers/filetransfer/proftpd/include_format.h"
#include "providers/filetransfer/proftpd/names.h"

namespace postern::proftpd {
namespace {

// Names a line: ProFTPD reads lines into a buffer of fixed size.
constexpr size_t kNamesPerLine = 10;

void AppendNames(std::string_view directive, const std::vector<std::string>& names,
                 std::string& text) {
  for (size_t i = 0; i < names.size(); i += kNamesPerLine) {
    const auto end = names.begin() + std::min(i + kNamesPerLine, names.size());
    text += fmt::format("    {} {}\n", directive, fmt::join(names.begin() + i, end, ","));
  }
}

// Lists are OR for users; a list of groups would be AND, so each group has a line of its own.
void AppendLimit(const std::vector<std::string_view>& words, const SubjectSet& who,
                 std::string& text) {
  text += fmt::format("  <Limit {}>\n", fmt::join(words, " "));
  std::vector<std::string> users;
  std::string groups;
  bool everyone = false;
  for (const Subject& subject : who) {
    if (subject.type == Subject::Type::kAccount) users.push_back(subject.name);
    if (subject.type == Subject::Type::kGroup) groups += "    AllowGroup " + subject.name + "\n";
    everyone = everyone || subject.type == Subject::Type::kEveryone;
  }
  AppendNames("AllowUser", users, text);
  text += groups;
  text += everyone ? "    AllowAll\n" : "    DenyAll\n";
  text += "  </Limit>\n";
}

void AppendBlock(const Block& block, std::string& text) {
  constexpr std::string_view kSuffix[] = {"", "/?*", "/*/?*"};
  text += fmt::format("<Directory \"{}{}\">\n", EscapePath(block.path),
                      kSuffix[static_cast<int>(block.part)]);
  text += block.overwrite ? "  AllowOverwrite on\n" : "  AllowOverwrite off\n";
  // Classes with the same members share a Limit, in the order of their first class.
  std::vector<std::pair<const SubjectSet*, std::vector<std::string_view>>> limits;
  std::vector<std::string_view> denied;
  for (int i = 0; i < kClassCount; ++i) {
    const auto words = CommandsOf(static_cast<CommandClass>(i));
    std::vector<std::string_view>* to = &denied;
    if (!block.who[i].empty()) {
      auto same = std::find_if(limits.begin(), limits.end(),
                               [&](const auto& limit) { return *limit.first == block.who[i]; });
      if (same == limits.end()) same = limits.insert(limits.end(), {&block.who[i], {}});
      to = &same->second;
    }
    to->insert(to->end(), words.begin(), words.end());
  }
  for (const auto& [who, words] : limits) AppendLimit(words, *who, text);
  denied.insert(denied.end(), DeniedCommands().begin(), DeniedCommands().end());
  AppendLimit(denied, {}, text);
  text += "</Directory>\n";
}

Result<void> Check(std::span<const GrantRow> rows, std::span<const std::string> roots,
                   std::span<const std::string> locked) {
  for (const std::string& root : roots) {
    if (const std::string why = WhyPathUnfit(root); !why.empty()) {
      return Fail(ErrorCode::kInvalid, fmt::format("managed root {}: {}", root, why));
    }
  }
  for (const std::string& login : locked) {
    if (const std::string why = WhyNameUnfit(login); !why.empty()) {
      return Fail(ErrorCode::kInvalid, fmt::format("locked login {}: {}", login, why));
    }
  }
  for (const GrantRow& row : rows) {
    if (const std::string why = WhyRowUnfit(row, roots); !why.empty()) {
      return Fail(ErrorCode::kInvalid,
                  fmt::format("grant of {} on {}: {}", access::Format(row.subject), row.path, why));
    }
  }
  return {};
}

}  // namespace

std::string WhyRowUnfit(const GrantRow& row, std::span<const std::string> roots) {
  if (std::string why = WhyPathUnfit(row.path); !why.empty()) return why;
  const bool within = std::any_of(roots.begin(), roots.end(), [&](const std::string& root) {
    return access::IsWithin(row.path, root);
  });
  if (!within) return "the folder isn't within a managed root";
  if (row.subject.type == Subject::Type::kEveryone) return "";
  return WhyNameUnfit(row.subject.name);
}

std::string RenderBody(std::span<const Block> blocks, std::span<const std::string> roots,
                       std::span<const std::string> locked_logins) {
  std::string text;
  std::vector<std::string> sorted(roots.begin(), roots.end());
  std::sort(sorted.begin(), sorted.end());
  for (const std::string& root : sorted) text += fmt::format("{}{}\n", kRootPrefix, root);
  if (!locked_logins.empty()) {
    std::vector<std::string> names(locked_logins.begin(), locked_logins.end());
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    text += "<Limit LOGIN>\n";
    AppendNames("DenyUser", names, text);
    text += "</Limit>\n";
  }
  for (const Block& block : blocks) AppendBlock(block, text);
  return text + std::string(kEndLine) + "\n";
}

std::string RenderHeader(size_t rows, size_t blocks, std::string_view body) {
  return fmt::format("{} {}\n{}\n{}rows {} blocks {} sha256 {}\n", kMarker, kVersion, kNotice,
                     kCountPrefix, rows, blocks, base::Hex(base::Sha256(body)));
}

std::vector<Block> BlocksOf(std::span<const GrantRow> rows, std::span<const std::string> roots) {
  PathTree tree = MakeTree(rows, roots);
  for (auto at = tree.begin(); at != tree.end(); ++at) Resolve(tree, at);
  return MakeBlocks(tree);
}

Result<std::string> Lower(std::span<const GrantRow> rows, std::span<const std::string> roots,
                          std::span<const std::string> locked_logins) {
  if (Result<void> checked = Check(rows, roots, locked_logins); !checked) {
    return tl::unexpected<Error>(checked.error());
  }
  const std::vector<Block> blocks = BlocksOf(rows, roots);
  std::vector<GrantRow> sorted(rows.begin(), rows.end());
  std::sort(sorted.begin(), sorted.end());
  // What can't be read back must not be written: rows that FitRows didn't see would be widened here
  // in silence.
  if (RowsOf(blocks) != sorted) {
    return Fail(ErrorCode::kInvalid, "the rows aren't in the form that FitRows gives");
  }
  const std::string body = RenderBody(blocks, roots, locked_logins);
  return RenderHeader(sorted.size(), blocks.size(), body) + body;
}

}  // namespace postern::proftpd
