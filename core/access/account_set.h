// core/access/account_set.h: sets of accounts, and answers that differ by account. Pure values.
//
// A set is a list of numbers or "all but" a list, so what a rule says costs what the rule names,
// however many accounts there are.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace postern::access {

class AccountSet {
 public:
  AccountSet() = default;  // nobody
  static AccountSet All() { return AccountSet(true, {}); }
  // `ids` in any order, repeated or not.
  static AccountSet Of(std::vector<uint32_t> ids);

  bool Has(uint32_t id) const;
  // False for "all but everybody": only a caller that knows the number of accounts can tell.
  bool IsNobody() const { return !inverted_ && ids_.empty(); }
  bool IsAll() const { return inverted_ && ids_.empty(); }
  // True when nobody of accounts 0..count-1 is in it.
  bool IsEmptyOf(uint32_t count) const;
  // Of accounts 0..count-1.
  std::vector<uint32_t> Members(uint32_t count) const;

  AccountSet operator~() const { return AccountSet(!inverted_, ids_); }
  AccountSet operator|(const AccountSet& other) const;
  AccountSet operator&(const AccountSet& other) const;
  AccountSet operator-(const AccountSet& other) const { return *this & ~other; }
  AccountSet& operator|=(const AccountSet& other) { return *this = *this | other; }
  AccountSet& operator&=(const AccountSet& other) { return *this = *this & other; }
  AccountSet& operator-=(const AccountSet& other) { return *this = *this - other; }
  bool operator==(const AccountSet& other) const = default;

 private:
  AccountSet(bool inverted, std::vector<uint32_t> ids)
      : inverted_(inverted), ids_(std::move(ids)) {}
  bool inverted_ = false;
  std::vector<uint32_t> ids_;  // sorted, unique
};

// Why an answer can't be computed: a number that whoever answered explains. 0: no reason.
using ReasonId = uint32_t;

// Whom the daemon allows something: for sure, or maybe. Everybody else is denied for sure.
struct Answer {
  AccountSet yes, maybe;  // disjoint
  ReasonId reason = 0;    // of maybe

  static Answer Everybody() { return {AccountSet::All(), {}, 0}; }
  static Answer Nobody() { return {}; }
  static Answer Unknown(ReasonId reason) { return {{}, AccountSet::All(), reason}; }

  // Both have to allow it; either suffices.
  Answer operator&(const Answer& other) const;
  Answer operator|(const Answer& other) const;
  // The answer for `who`, and a refusal for all others.
  Answer Only(const AccountSet& who) const { return {yes & who, maybe & who, reason}; }
  bool operator==(const Answer& other) const = default;
};

}  // namespace postern::access
