// core/jobs/people.h: the people of an import while one of its files is matched. Internal to
// match.cc.
//
// Of a roster they are those that its earlier files gave; of attributes those that others declare
// in its base or partition. Found by values of attributes, folded. Pure; one thread. Cost: linear,
// one hash a value.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/jobs/match.h"

namespace postern::jobs {

// As values are compared: case and form of letters don't count.
std::string FoldedValue(std::string_view text);

struct Known {
  decl::RosterPerson person;
  const google::protobuf::Message* declared = nullptr;  // attributes: what others say of it
  bool is_new = false;     // this file is the first that says something of it
  bool spoken_of = false;  // by a row of this file, also by one that is refused
};

class People {
 public:
  using Field = google::protobuf::FieldDescriptor;

  // Takes those whom `input` knows; `counts` gets how many they and their file's rows were.
  People(const MatchInput& input, RosterCounts* counts);

  std::vector<Known> all;

  // Indices into `all` of those who have the value in the attribute, one of `match`.
  const std::vector<size_t>& With(const std::string& attribute, const std::string& value) const;
  // What is matched against: what others say of it, or what earlier files said.
  std::vector<std::string> ValuesOf(const Known& known, const Field& field) const;
  // Who has the login; it is `self` from now on when nobody had it.
  size_t TakeLogin(const decl::RosterPerson& person, size_t self);
  // Which new value of the person makes him somebody who isn't of this import; empty: none.
  std::string WhyAnothers(const decl::RosterPerson* before, const decl::RosterPerson& after) const;
  // IMPORT.KEY, or where that is no name a digest in its place; never one that somebody had.
  std::string NewName(const std::string& key) const;
  size_t Add(Known known);

  // The declaration inside, of [user] or [iam_user].
  google::protobuf::Message* MessageOf(decl::RosterPerson* person) const;
  const google::protobuf::Message& MessageOf(const decl::RosterPerson& person) const;
  // At that moment: its end counts as well as the file's word.
  bool IsEnabled(const decl::RosterPerson& person, base::Instant at) const;
  std::optional<base::Instant> EndOf(const decl::RosterPerson& person) const;
  void SetEnd(base::Instant end, decl::RosterPerson* person) const;
  // Whether it is enabled by the file's word; all else but its end, as bytes.
  std::pair<bool, std::string> Parts(const decl::RosterPerson& person) const;
  // Disables it, or takes back what the import gave it; counts it when it was enabled.
  void Leave(Known* known, RosterCounts* counts) const;

  const bool iam, attributes;
  const Field* const login;  // user_name, uid

 private:
  void TakeBefore(RosterCounts* counts);
  void TakeDeclared(RosterCounts* counts);
  bool IsOfAnotherOwner(const std::string& address) const;
  bool Below(const decl::User& user) const;
  std::string Bare(const Field& field, const std::string& value) const;
  void Index();

  const MatchInput& in_;
  const decl::Import& import_;
  std::set<std::string> names_;
  std::unordered_map<std::string, std::unordered_map<std::string, std::vector<size_t>>> by_;
  std::unordered_map<std::string, size_t> by_login_;
};

// Counts who isn't spoken of in a full file, and lets those leave who were missing in so many.
void CountMissing(const decl::Import& import, People* people, RosterCounts* counts);

}  // namespace postern::jobs
