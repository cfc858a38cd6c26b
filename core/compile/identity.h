// core/compile/identity.h: what several sources say of one person, put together.
//
// [identity] join says which attribute holds the same value in IAM systems and in directories; the
// users that share it are one person. `active` says whose word counts: with "all", any source that
// says no decides. A half that is missing or couldn't be read leaves the person undecided, unless
// another source says no. Pure; one thread. Cost: one look-up a user and source.
#pragma once
#include <absl/container/inlined_vector.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/compile/facts.h"
#include "core/diag/diagnostic.h"
#include "schemas/declarations.pb.h"

namespace postern::compile {

// A user of one of the sources.
struct FactRef {
  uint32_t source = 0, user = 0;
  auto operator<=>(const FactRef&) const = default;
  template <typename H>
  friend H AbslHashValue(H hash, const FactRef& ref) {
    return H::combine(std::move(hash), ref.source, ref.user);
  }
};
using FactRefs = absl::InlinedVector<FactRef, 2>;

struct Standing {
  enum class Verdict : uint8_t { kActive, kInactive, kUndecided } verdict = Verdict::kUndecided;
  std::string why;         // of an undecided one: "no directory has its externalId 4711"
  FactRef told;            // of an inactive one: who says so
  FactRef named;           // whose name the person has: the declared half, where one is declared
  FactRef face;            // whose attributes and keys: the IAM system's half, where there is one
  FactRefs halves;         // all users that show it
  bool ambiguous = false;  // which users show it isn't known: `halves` is the one asked about
  bool pending = false;    // active only by this plan's own change of `told`
};

class People {
 public:
  // "person:jo" of a declared user; null: nobody declared it. (target, key)
  using Declared = std::function<const std::string*(std::string_view target, std::string_view key)>;
  People(std::vector<std::unique_ptr<SourceFacts>> sources, const decl::Identity& rules,
         Declared declared);

  size_t size() const { return sources_.size(); }
  SourceFacts& at(uint32_t source) { return *sources_[source]; }
  const SourceFacts& at(uint32_t source) const { return *sources_[source]; }
  const FactUser& User(FactRef ref) const { return sources_[ref.source]->users()[ref.user]; }
  const IdentitySource& SourceOf(FactRef ref) const { return sources_[ref.source]->source(); }
  // Index of "iam:corp"; size() where there is none.
  uint32_t SourceNamed(std::string_view target) const;

  Standing StandingOf(FactRef ref);
  // "person:jo.hart", "iam:corp/jo.hart#ID"
  std::string IdentityOf(FactRef ref) const;
  // Whether users of several sources may be one person.
  bool joined() const { return joined_; }
  // Whether the source is asked if somebody is active.
  bool Asks(uint32_t source) const { return !joined_ || Decides(at(source).source().is_iam()); }
  // Users of the source whose value that joins people couldn't be read.
  std::span<const uint32_t> Unjoined(uint32_t source) const;
  // Why it can't be told who else the user is: what joins it couldn't be read; empty: it could.
  std::string WhyUnjoined(FactRef ref) const;
  // "the externalId of 2 users in hr couldn't be read"
  std::string UnjoinedText(uint32_t source) const;
  // Those without whose word nobody is active who is known by `source`, or (none) by his name.
  std::vector<uint32_t> NeededOf(std::optional<uint32_t> source) const;
  // Two users of one source with one join value, of those who were asked about.
  diag::Diagnostics TakeAmbiguous() { return std::move(ambiguous_); }

 private:
  struct Halves {
    std::vector<FactRef> iam, directory;
    std::string value;  // that they share
    bool ambiguous = false;
  };
  Halves HalvesOf(FactRef ref);
  void Match(uint32_t source, std::string_view value, Halves* halves);
  void ReportAmbiguous(uint32_t source, std::string_view value, std::span<const uint32_t> users);
  bool Says(FactRef ref, bool no) const;
  void Judge(FactRef ref, const Halves& halves, Standing* standing);
  // Why the half on this side may be there all the same; empty: it would have been seen.
  std::string Unseen(FactRef ref, bool iam) const;
  // Of several IAM systems, or directories, one that may say no: it is silent, or a user of it who
  // isn't active may be anybody. Empty: none.
  std::string SilentBeside(const std::vector<FactRef>& side, bool iam) const;
  // Why the word of this side is missing.
  std::string Missing(FactRef ref, bool iam, const std::string& value) const;
  const std::string& NameOfJoin(bool iam) const { return iam ? iam_name_ : directory_name_; }
  Attribute JoinOf(bool iam) const { return iam ? iam_attribute_ : directory_attribute_; }
  bool Decides(bool iam) const;

  std::vector<std::unique_ptr<SourceFacts>> sources_;
  Declared declared_;
  bool joined_ = false;
  Attribute iam_attribute_{}, directory_attribute_{};
  std::string iam_name_, directory_name_;  // of the attribute, as it is written
  enum class Whose : uint8_t { kAll, kIam, kDirectory } whose_ = Whose::kAll;
  std::set<std::pair<uint32_t, std::string>> reported_;
  diag::Diagnostics ambiguous_;
};

// "iam:corp/jo.hart#0a1b": a name that is given to another user is another identity.
std::string FactIdentity(std::string_view target, std::string_view name, std::string_view id);
// Of a user as a source shows it; `target` is the source's.
std::string FactIdentityOf(std::string_view target, const object::ObjectView& user);
// Its parts; empty views where it isn't of that form.
struct FactIdentityParts {
  std::string_view target, name, id;
};
FactIdentityParts SplitFactIdentity(std::string_view identity);
// The id as the source has it: "1%23" is "1#".
std::string IdOf(const FactIdentityParts& parts);
// "jo.hart" of any identity, as lines for people say it.
std::string_view LabelOf(std::string_view identity);

}  // namespace postern::compile
