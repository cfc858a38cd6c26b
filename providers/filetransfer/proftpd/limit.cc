#include "providers/filetransfer/proftpd/limit.h"

#include <algorithm>

#include "providers/filetransfer/proftpd/directives.h"
#include "providers/filetransfer/proftpd/name_regex.h"
#include "providers/filetransfer/proftpd/statement.h"

namespace postern::proftpd {
std::vector<std::string> SplitNames(const std::vector<std::string>& args) {
  std::vector<std::string> out;
  for (const std::string& arg : args) {
    size_t at = 0;
    while (at <= arg.size()) {
      const size_t comma = std::min(arg.find(',', at), arg.size());
      std::string name = arg.substr(at, comma - at);
      while (name.starts_with(' ')) name.erase(0, 1);
      while (name.ends_with(' ')) name.pop_back();
      if (!name.empty()) out.push_back(std::move(name));
      at = comma + 1;
    }
  }
  return out;
}

namespace {

AccountSet WhomNameNames(std::string_view name, NameKind kind, const AccountNames& names) {
  if (kind == NameKind::kClass) {
    return names.client->in_class == name ? AccountSet::All() : AccountSet();
  }
  if (kind == NameKind::kUser) {
    const auto found = names.accounts.find(name);
    return found == names.accounts.end() ? AccountSet() : AccountSet::Of({found->second});
  }
  const auto found = names.groups.find(name);
  return found == names.groups.end() ? AccountSet() : found->second;
}

AccountSet WhomRegexNames(const std::string& text, NameKind kind, const AccountNames& names,
                          bool* known) {
  const std::optional<NameRegex> regex = NameRegex::Make(text);
  *known = *known && regex.has_value();
  if (!regex.has_value()) return {};
  if (kind == NameKind::kClass) {
    const std::string& name = names.client->in_class;
    return !name.empty() && regex->Finds(name) ? AccountSet::All() : AccountSet();
  }
  AccountSet out;
  if (kind == NameKind::kGroup) {
    for (const auto& [name, members] : names.groups) {
      if (regex->Finds(name)) out |= members;
    }
    return out;
  }
  std::vector<uint32_t> ids;
  for (const auto& [name, id] : names.accounts) {
    if (regex->Finds(name)) ids.push_back(id);
  }
  return AccountSet::Of(std::move(ids));
}

// The sides of a Limit, and what each line adds to them.
struct Sides {
  Answer allow = Answer::Nobody(), deny = Answer::Nobody();
  bool deny_first = false;
};

class LimitReader {
 public:
  LimitReader(const AccountNames& names, const RaiseRules& rules, const NoteReason& note)
      : names_(names), rules_(rules), note_(note) {}

  Sides Read(const ConfigNode& limit) {
    if (!rules_.order_allow_default) sides_.deny_first = true;
    for (const ConfigNode& line : limit.children) Take(line);
    for (const bool deny : {false, true}) {
      Answer& side = deny ? sides_.deny : sides_.allow;
      side =
          side | Answer{groups_[deny].sure | groups_[deny].fitted, {}, 0} | groups_[deny].unknown;
    }
    if (!closed_[0]) sides_.allow = sides_.allow | by_address_[0];
    if (!closed_[1]) sides_.deny = sides_.deny | by_address_[1];
    return std::move(sides_);
  }

 private:
  void Take(const ConfigNode& line) {
    const std::string& word = line.word;
    if (word == "order") {
      const std::string all = line.args.empty() ? "" : Lowercase(line.args[0]);
      sides_.deny_first = all.starts_with("deny");
      return;
    }
    const bool allow = word.starts_with("allow"), deny = word.starts_with("deny");
    if (line.kind != ConfigNode::Kind::kDirective || (!allow && !deny)) {
      if (DescribeDirective(word).effect == Effect::kHarmless && line.args.size() < 2) return;
      sides_.allow = sides_.allow | Unknown(line, "a line in a Limit that Postern doesn't know");
      sides_.deny = sides_.deny | Unknown(line, "a line in a Limit that Postern doesn't know");
      return;
    }
    Answer& side = allow ? sides_.allow : sides_.deny;
    if (word == "allowgroup" || word == "denygroup") return TakeGroups(line, deny);
    if (word == "allow" || word == "deny") {
      by_address_[deny] = by_address_[deny] | ByAddress(line);
      return;
    }
    side = side | WhoIs(line, word.substr(allow ? 5 : 4));
  }

  Answer WhoIs(const ConfigNode& line, const std::string& what) {
    if (what == "all") return Answer::Everybody();
    if (what == "user") {
      bool known = true;
      AccountSet who =
          WhomListNames(line.args, NameKind::kUser, ListOf::kLimit, names_, rules_, &known);
      return known ? Answer{std::move(who), {}, 0} : Unknown(line, "a pattern of names");
    }
    if (what == "class") return ByClass(line);
    if (what == "filter") return Unknown(line, "depends on the name that a client gives");
    return Unknown(line, "a line in a Limit that Postern doesn't know");
  }

  // Source: 1.3.8, observed: the lines are gone through in file order; a list that doesn't name the
  // account forgets a pattern before it that fitted one of its supplementary groups.
  void TakeGroups(const ConfigNode& line, bool deny) {
    bool known = true;
    const AccountSet who =
        WhomListNames(line.args, NameKind::kGroup, ListOf::kLimit, names_, rules_, &known);
    Groups& side = groups_[deny];
    if (!known) {
      side.unknown = side.unknown | Unknown(line, "a pattern of names");
    } else if (!line.args.empty() && SameWord(line.args[0], "regex") && line.args.size() == 2) {
      side.fitted |= who;
      const std::optional<NameRegex> regex = NameRegex::Make(line.args[1]);
      for (const auto& [name, members] : names_.primary) {
        if (regex->Finds(name)) side.sure |= members;
      }
    } else {
      if (rules_.group_regex_forgotten) side.fitted = {};
      side.sure |= who;
    }
  }

  // Source: 1.3.8, observed: a session without a class meets no list of classes, negated or not.
  Answer ByClass(const ConfigNode& line) {
    if (names_.client == nullptr || !names_.client->class_known) {
      return Unknown(line, std::string(kByAddress));
    }
    if (names_.client->in_class.empty() && rules_.classless_meet_nothing) return Answer::Nobody();
    bool known = true;
    AccountSet who =
        WhomListNames(line.args, NameKind::kClass, ListOf::kLimit, names_, rules_, &known);
    return known ? Answer{std::move(who), {}, 0} : Unknown(line, std::string(kByAddress));
  }

  Answer ByAddress(const ConfigNode& line) {
    std::vector<std::string> words = AddressWords(line);
    const bool negated = std::any_of(words.begin(), words.end(),
                                     [](const auto& word) { return word.starts_with('!'); });
    if (negated && rules_.negated_address_ends) {
      closed_[line.word == "deny"] = true;
      return Answer::Nobody();
    }
    if (negated) std::erase_if(words, [](const auto& word) { return word.starts_with('!'); });
    const Client client = names_.client == nullptr ? Client() : *names_.client;
    const bool everywhere = std::all_of(words.begin(), words.end(), [](const auto& word) {
      return SameWord(word, "all") || SameWord(word, "none");
    });
    const std::optional<bool> meets = MeetsAddresses(words, client);
    if (!meets.has_value() || (names_.client == nullptr && !everywhere)) {
      return Unknown(line, std::string(kByAddress));
    }
    return *meets ? Answer::Everybody() : Answer::Nobody();
  }

  Answer Unknown(const ConfigNode& line, std::string why) {
    return Answer::Unknown(note_(line, std::move(why)));
  }

  const AccountNames& names_;
  const RaiseRules& rules_;
  const NoteReason& note_;
  Sides sides_;
  struct Groups {
    AccountSet sure, fitted;  // fitted: by a pattern, through a supplementary group
    Answer unknown;
  };
  Groups groups_[2];  // of AllowGroup and of DenyGroup
  // Of Allow and of Deny; closed: a negated address makes all such lines say nothing.
  Answer by_address_[2];
  bool closed_[2] = {false, false};
};

}  // namespace

AccountSet WhomListNames(const std::vector<std::string>& args, NameKind kind, ListOf list,
                         const AccountNames& names, const RaiseRules& rules, bool* known) {
  if (list != ListOf::kRoot && args.size() == 2 && SameWord(args[0], "regex")) {
    return WhomRegexNames(args[1], kind, names, known);
  }
  std::vector<std::string> words = SplitNames(args);
  bool all = !rules.user_lists_or;
  if (kind == NameKind::kGroup) all = rules.group_lists_and;
  const bool keywords = list != ListOf::kRoot || !rules.root_takes_no_keyword;
  if (keywords && !words.empty()) {
    const bool is_and = SameWord(words[0], "AND"), is_or = SameWord(words[0], "OR");
    if (SameWord(words[0], "regex")) *known = false;
    if (is_and || is_or) all = is_and;
    const bool stays = is_and && list == ListOf::kLimit && rules.and_is_a_name;
    if ((is_and || is_or) && !stays) words.erase(words.begin());
  }
  AccountSet out = all ? AccountSet::All() : AccountSet();
  for (const std::string& word : words) {
    const bool negated = word.starts_with('!');
    AccountSet who = WhomNameNames(std::string_view(word).substr(negated ? 1 : 0), kind, names);
    if (negated && rules.negation) who = ~who;
    if (all) {
      out &= who;
    } else {
      out |= who;
    }
  }
  return words.empty() ? AccountSet() : out;
}

Limit CompileLimit(const ConfigNode& node, const AccountNames& names, const RaiseRules& rules,
                   const NoteReason& note) {
  Limit limit;
  for (const std::string& word : node.args) limit.words |= ParseWord(word, rules);
  if (limit.words == 0) return limit;
  const Sides sides = LimitReader(names, rules, note).Read(node);
  const Answer& first = sides.deny_first ? sides.deny : sides.allow;
  const Answer& second = sides.deny_first ? sides.allow : sides.deny;
  limit.maybe = first.maybe | (second.maybe - first.yes);
  limit.reason = first.reason != 0 ? first.reason : second.reason;
  const AccountSet sure_second = second.yes - first.yes - limit.maybe;
  if (sides.deny_first) {
    limit.deny = first.yes - limit.maybe;
    limit.allow = sure_second;
    if (rules.deny_order_closes) limit.deny = ~(limit.allow | limit.maybe);
  } else {
    limit.allow = first.yes - limit.maybe;
    limit.deny = sure_second;
    if (!rules.allow_order_opens) limit.allow = ~(limit.deny | limit.maybe);
  }
  return limit;
}

}  // namespace postern::proftpd
