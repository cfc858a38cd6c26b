#include "providers/filetransfer/host/nss_accounts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace postern::filetransfer {
namespace {

constexpr std::string_view kGroupPrefix = "group:";

// Arguments: gid of the mark group, or "-"; sources. Who has that gid as primary group is asked for
// like a name of the input, where a source lists its accounts. Input: "m NAME" for names that the
// files lack, "l NAME" for names that they have. Prints, each ended by NUL: passwd of the first;
// the second that a source has as well; shadow, groups' numbers, those groups, and passwd once
// more, of the first. getent exits 2 where it doesn't find a name.
constexpr std::string_view kAskScript = R"sh(
command -v getent >/dev/null || { echo 'getent is not there' >&2; exit 127; }
input=$(cat)
missing=$(printf '%s\n' "$input" | sed -n 's/^m //p')
local=$(printf '%s\n' "$input" | sed -n 's/^l //p')
gid=$1
shift
if [ "$gid" != - ]; then
  missing=$({ printf '%s\n' "$missing"
    for source; do timeout 60 getent -s "$source" passwd 2>/dev/null; done |
      awk -F: -v gid="$gid" 'NR == FNR { own[$1]; next }
        $4 == gid && !($1 in own) { print $1 }' /etc/passwd -
  } | sed '/^$/d' | sort -u)
fi
ask() {
  [ -n "$names" ] || return 0
  printf '%s\n' "$names" | tr '\n' '\0' | xargs -0 getent "$@" -- 2>/dev/null || :
}
names=$missing
first=$(ask passwd)
printf '%s\n\0' "$first"
names=$local
for source; do ask -s "$source" passwd; done | cut -d: -f1
printf '\0'
names=$(printf '%s\n' "$first" | cut -d: -f1)
ask shadow
printf '\0'
ids=$(ask initgroups)
printf '%s\n\0' "$ids"
names=$(printf '%s\n%s\n' "$ids" "$first" | awk -F: 'NF > 3 { print $4; next }
  { n = split($0, part, " "); for (i = 2; i <= n; i++) print part[i] }' | sort -u)
ask group
printf '\0'
names=$missing
ask passwd
printf '\0'
)sh";

// Its line in the directory, when the host's files have none.
constexpr std::string_view kGroupScript = "getent group -- \"$1\" || [ $? = 2 ]";

struct NssAnswer {
  std::string_view passwd, shadowed, shadow, ids, groups, again;
};

Result<NssAnswer> Split(std::string_view text) {
  NssAnswer out;
  for (std::string_view* part :
       {&out.passwd, &out.shadowed, &out.shadow, &out.ids, &out.groups, &out.again}) {
    const size_t end = text.find('\0');
    if (end == std::string_view::npos) {
      return Fail(ErrorCode::kIncomplete, "what NSS says was cut short");
    }
    *part = text.substr(0, end);
    text.remove_prefix(end + 1);
  }
  while (out.passwd.ends_with('\n')) out.passwd.remove_suffix(1);
  while (out.again.ends_with('\n')) out.again.remove_suffix(1);
  return out;
}

std::vector<std::string_view> LinesOf(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

// "bea                   30000 30002" -> its numbers.
std::map<std::string, std::vector<uint32_t>, std::less<>> IdsOf(std::string_view text) {
  std::map<std::string, std::vector<uint32_t>, std::less<>> out;
  for (std::string_view line : LinesOf(text)) {
    const auto word = [&] {
      line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
      const std::string_view one = line.substr(0, line.find(' '));
      line.remove_prefix(one.size());
      return one;
    };
    std::vector<uint32_t>& ids = out[std::string(word())];
    for (std::string_view one = word(); !one.empty(); one = word()) {
      uint32_t id = 0;
      const auto [end, error] = std::from_chars(one.data(), one.data() + one.size(), id);
      if (error == std::errc() && end == one.data() + one.size()) ids.push_back(id);
    }
  }
  return out;
}

// What asks nobody by that name: getent would take the words of it for several, or for options.
bool CanBeAsked(std::string_view name) {
  return !name.empty() && name.find_first_of("\n:") == std::string_view::npos;
}

std::string MarkOf(const AccountSettings& settings) {
  return settings.accounts.starts_with(kGroupPrefix) ? settings.accounts.substr(kGroupPrefix.size())
                                                     : std::string();
}

Result<void> AddMark(Transport& transport, const std::string& mark, HostState* state) {
  if (mark.empty() || state->accounts.FindGroup(mark) != nullptr) return {};
  auto line = RunBatch(transport, {.script = kGroupScript, .args = {mark}, .input = {}});
  if (!line) return base::Wrap("ask NSS for the group " + mark, line.error());
  const auto there = posix::HostAccounts::Parse("", *line, "");
  if (const posix::Group* group = there.FindGroup(mark)) state->accounts.AddElsewhere(*group);
  return {};
}

void TakeAnswer(const NssAnswer& answer, HostState* state) {
  const auto there = posix::HostAccounts::Parse(answer.passwd, answer.groups, answer.shadow);
  const auto ids = IdsOf(answer.ids);
  for (posix::Group group : there.groups()) {
    group.members.clear();  // those in scope come with their own numbers
    state->accounts.AddElsewhere(std::move(group));
  }
  for (const posix::User& user : there.users()) {
    const auto of_user = ids.find(user.name);
    state->accounts.AddElsewhere(user, there.FindShadow(user.name),
                                 of_user == ids.end() ? std::vector<uint32_t>() : of_user->second);
    state->unknown.erase(user.name);
  }
}

}  // namespace

std::vector<std::string> DirectorySources(const std::vector<std::string>& sources) {
  constexpr std::array<std::string_view, 4> kOwn = {"files", "compat", "systemd", "mymachines"};
  std::vector<std::string> out;
  for (const std::string& source : sources) {
    // Between brackets stands what to do with an answer: [NOTFOUND=return].
    const bool word = source.find_first_of("[]=") == std::string::npos;
    if (word && std::find(kOwn.begin(), kOwn.end(), source) == kOwn.end()) out.push_back(source);
  }
  return out;
}

Result<void> AddNssAccounts(Transport& transport, const AccountSettings& settings, HostState* state,
                            std::string* shadow) {
  const std::vector<std::string> sources = DirectorySources(state->sources);
  const std::string mark = MarkOf(settings);
  if (sources.empty() || mark.empty()) return {};
  if (auto done = AddMark(transport, mark, state); !done) return done;
  std::set<std::string, std::less<>> names = settings.asked;
  const posix::Group* group = state->accounts.FindGroup(mark);
  if (group != nullptr) names.insert(group->members.begin(), group->members.end());
  std::string input;
  for (const std::string& name : names) {
    if (!CanBeAsked(name)) continue;
    const bool missing = state->accounts.FindUser(name) == nullptr;
    if (missing) state->unknown.insert(name);
    input += fmt::format("{} {}\n", missing ? 'm' : 'l', name);
  }
  if (input.empty() && group == nullptr) return {};
  std::vector<std::string> args = {group == nullptr ? "-" : std::to_string(group->gid)};
  args.insert(args.end(), sources.begin(), sources.end());
  auto text = RunBatch(
      transport,
      {.script = kAskScript, .args = args, .input = input, .limit = std::chrono::seconds(120)});
  if (!text) return base::Wrap("ask NSS for accounts", text.error());
  auto answer = Split(*text);
  if (!answer) return tl::unexpected(answer.error());
  if (answer->passwd != answer->again) {
    return Fail(ErrorCode::kUnavailable,
                "NSS gives other answers from one moment to the next: the directory is going");
  }
  for (const std::string_view name : LinesOf(answer->shadowed)) {
    state->shadowing.emplace(name);
  }
  state->nss_silent = !input.empty() && answer->passwd.empty() && state->shadowing.empty();
  TakeAnswer(*answer, state);
  *shadow = answer->shadow;
  return {};
}

}  // namespace postern::filetransfer
