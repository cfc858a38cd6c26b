#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "providers/filetransfer/openssh/include_file.h"
#include "providers/filetransfer/openssh/include_format.h"
#include "providers/filetransfer/openssh/requests.h"
#include "providers/filetransfer/openssh/words.h"
#include "providers/filetransfer/posix/tree.h"
#include "providers/filetransfer/text/include_header.h"

namespace postern::openssh {
namespace {

using access::Rights;
using access::Subject;

std::string_view TakeWord(std::string_view* rest) {
  const size_t end = std::min(rest->find(' '), rest->size());
  const std::string_view word = rest->substr(0, end);
  rest->remove_prefix(std::min(end + 1, rest->size()));
  return word;
}

// "subtree bea list,read /srv/in"
bool ReadGrant(std::string_view text, GrantRow* row) {
  const auto depth = access::ParseDepth(TakeWord(&text));
  row->subject = {Subject::Type::kAccount, std::string(TakeWord(&text))};
  for (const std::string& name : SplitList(TakeWord(&text), ',')) {
    const auto right = access::ParseRight(name);
    if (!right) return false;
    row->rights |= *right;
  }
  row->path = posix::UnescapeName(text);
  if (!depth || row->rights.empty() || !row->path.starts_with('/')) return false;
  row->depth = *depth;
  return true;
}

std::string UnquotePath(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  std::string path;
  for (size_t i = 0; i < text.size(); ++i) {
    path += text[i];
    if (text[i] == '%' && i + 1 < text.size() && text[i + 1] == '%') ++i;
  }
  return path == "none" ? "" : path;
}

// Takes what the lines say; what they say otherwise than Postern writes it is found by comparison.
class Reader {
 public:
  void Take(std::string_view line) {
    if (line.starts_with(kRootPrefix)) {
      content_.roots.push_back(posix::UnescapeName(line.substr(kRootPrefix.size())));
    } else if (line.starts_with(kGrantPrefix)) {
      GrantRow row;
      if (ReadGrant(line.substr(kGrantPrefix.size()), &row)) content_.rows.push_back(row);
    } else if (!line.starts_with('#')) {
      Setting(line);
    }
  }

  IncludeContent Finish() {
    // A row holds as far as its account's command lets it.
    for (GrantRow& row : content_.rows) {
      const auto at = commands_.find(row.subject.name);
      row.rights = at == commands_.end() ? Rights() : row.rights & RightsOf(at->second);
    }
    std::erase_if(content_.rows, [](const GrantRow& row) { return row.rights.empty(); });
    return std::move(content_);
  }

 private:
  void Setting(std::string_view line) {
    const std::vector<std::string> words = SplitWords(line);
    if (words.empty()) return;
    const std::string keyword = Lowercase(words[0]);
    const size_t start = line.find_first_not_of(" \t");
    std::string_view value = line.substr(start + words[0].size());
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    if (keyword == "match") {
      const bool ours = words.size() == 3 && Lowercase(words[1]) == "user";
      content_.accounts.push_back({.login = ours ? words[2] : ""});
    } else if (!content_.accounts.empty()) {
      InBlock(keyword, value, &content_.accounts.back());
    }
  }

  void InBlock(const std::string& keyword, std::string_view value, ManagedAccount* account) {
    if (keyword == "forcecommand") {
      // The first value counts.
      const auto [at, fresh] = commands_.emplace(account->login, ParseSftpCommand(value));
      if (fresh) account->start_folder = at->second.start_folder;
    } else if (keyword == "chrootdirectory") {
      account->chroot = UnquotePath(value);
    } else if (keyword == "revokedkeys") {
      account->revoked = UnquotePath(value);
    } else if (keyword == "denyusers") {
      account->locked = account->locked || value == account->login;
    }
  }

  IncludeContent content_;
  std::map<std::string, SftpCommand> commands_;
};

// Lines that only one of the two texts has, counted; a changed order alone is one edit.
void Compare(const std::vector<std::string_view>& have, const std::vector<std::string_view>& want,
             std::vector<Edit>* edits) {
  std::map<std::string_view, int> surplus;
  for (const std::string_view line : want) --surplus[line];
  for (const std::string_view line : have) ++surplus[line];
  // The later ones of equal lines are taken for the added ones.
  for (size_t i = have.size(); i-- > 0;) {
    int& count = surplus[have[i]];
    if (count <= 0) continue;
    --count;
    edits->push_back({static_cast<uint32_t>(i + 1), std::string(have[i]),
                      "a line that isn't what Postern writes for these rows"});
  }
  for (const auto& [line, count] : surplus) {
    if (count < 0) edits->push_back({0, "", fmt::format("the line \"{}\" is missing", line)});
  }
  if (edits->empty())
    edits->push_back({0, "", "the lines stand in another order, or end otherwise"});
  std::stable_sort(edits->begin(), edits->end(),
                   [](const Edit& a, const Edit& b) { return a.line < b.line; });
}

}  // namespace

Result<ParsedInclude> ParseInclude(std::string_view text) {
  const auto lines = filetransfer::MarkedLines(text, kMarker, kVersion);
  if (!lines) return tl::unexpected<Error>(lines.error());
  ParsedInclude parsed;
  Reader reader;
  for (const std::string_view line : *lines) reader.Take(line);
  parsed.content = reader.Finish();
  const std::string whole = RenderInclude(parsed.content);
  if (whole == text) return parsed;
  if (lines->back() != kEndLine) {
    parsed.edits.push_back({0, "", "the end line is missing: the file was cut or added to"});
  }
  Compare(*lines, filetransfer::LinesOf(whole), &parsed.edits);
  return parsed;
}

}  // namespace postern::openssh
