// Who may give one command, by the Limits of the sections that hold for an object.
#include <algorithm>

#include "providers/filetransfer/proftpd/server_model.h"

namespace postern::proftpd {
namespace {

// Whom nobody has answered yet, and the answers so far.
class Asking {
 public:
  void Ask(const RuleSection& section, WordMask words) {
    for (const Limit& limit : section.limits) {
      if ((limit.words & words) == 0 || open_.IsNobody()) continue;
      answer_.yes |= open_ & limit.allow;
      if (!limit.maybe.IsNobody()) {
        answer_.maybe |= open_ & limit.maybe;
        answer_.reason = answer_.reason != 0 ? answer_.reason : limit.reason;
        open_ -= limit.maybe;
      }
      open_ -= limit.allow | limit.deny;
    }
  }
  // Who got no answer is allowed, unless `last` refuses.
  Answer Finish(const Answer& last) { return answer_ | last.Only(open_); }

 private:
  AccountSet open_ = AccountSet::All();
  Answer answer_;
};

bool BlockRefuses(const std::vector<const RuleSection*>& chain, const Check& check,
                  const RaiseRules& rules) {
  if (!rules.deny_all_blocks || (rules.deny_all_spares_new && !check.existing)) return false;
  const auto refuses = [](const RuleSection* section) {
    return section->deny_all && !section->allow_all;
  };
  const auto end = rules.deny_all_stays ? chain.begin() + 1 : chain.end();
  return std::any_of(chain.begin(), end, refuses);
}

}  // namespace

Answer AskChain(const std::vector<const RuleSection*>& chain, const Check& check,
                const RaiseRules& rules) {
  for (const RuleSection* section : chain) {
    if (section->unknown.all != 0) return Answer::Unknown(section->unknown.all);
  }
  if (BlockRefuses(chain, check, rules)) return Answer::Nobody();
  const WordMask passes[] = {MaskOf(check.command), rules.group_pass ? MaskOf(check.group) : 0,
                             rules.all_pass ? MaskOf(Word::kAll) : 0};
  const size_t depth = rules.blocks_inherit ? chain.size() : 1;
  Asking asking;
  if (rules.command_before_block) {
    for (const WordMask pass : passes) {
      for (size_t i = 0; i < depth; ++i) asking.Ask(*chain[i], pass);
    }
  } else {
    for (size_t i = 0; i < depth; ++i) {
      for (const WordMask pass : passes) asking.Ask(*chain[i], pass);
    }
  }
  Answer last = Answer::Everybody();
  for (const Word word : {check.second, check.third}) {
    if (word == Word::kNone) continue;
    Asking more;
    for (size_t i = 0; i < depth; ++i) more.Ask(*chain[i], MaskOf(word));
    last = last & more.Finish(Answer::Everybody());
  }
  return asking.Finish(last);
}

}  // namespace postern::proftpd
