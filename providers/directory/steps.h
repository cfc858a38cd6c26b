// providers/directory/steps.h: what the next steps of all kinds are made of.
//
// For changes.cc and user_changes.cc alone; the interface is changes.h. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "providers/directory/changes.h"

namespace postern::directory {

Step Refuse(std::string why, bool precondition);
Step Send(Write write, bool is_password = false);

// Builds the modifications of one entry.
class Changes {
 public:
  void Swap(Attribute attribute, std::string_view old_value, std::string_view new_value) {
    if (old_value == new_value) return;
    const char* name = NameOf(attribute);
    if (!old_value.empty()) Add(LDAP_MOD_DELETE, name, {std::string(old_value)});
    if (!new_value.empty()) Add(LDAP_MOD_ADD, name, {std::string(new_value)});
  }
  void Add(int operation, const char* name, std::vector<std::string> values) {
    list_.push_back({operation, name, std::move(values)});
  }
  std::vector<Modification> Take() { return std::move(list_); }
  bool empty() const { return list_.empty(); }

 private:
  std::vector<Modification> list_;
};

// The type and value of each part of the entry's own name, by libldap.
std::vector<std::pair<std::string, std::string>> NamingValues(const std::string& dn);
// Adds a value to a new entry; nothing where it is empty or there already under the attribute's
// rule.
void AddAttribute(const std::string& name, std::string value, std::vector<Modification>* entry);
void AddNamingValues(const std::string& dn, std::vector<Modification>* entry);

// The steps that don't depend on the kind: absent, removed, another's entry. Nothing: go on.
std::optional<Step> CommonStep(const object::Operation& op, const Progress& progress,
                               const Snapshot& at, const ChangeContext& context);
// A refusal where what is live is neither as the operation expects it nor as it wants it, or where
// it changes what is hidden from us. `sends`: something is to be written whatever is live. Nothing:
// go on.
std::optional<Step> CheckBefore(const object::Operation& op, const Progress& progress,
                                const Snapshot& at, const ChangeContext& context,
                                bool sends = false);
bool Clears(const object::Operation& op, uint32_t field);

// True when the entry may hold the attribute without our seeing it.
bool IsHidden(const Snapshot& at, Attribute attribute);
// Towards `wanted` where `has`; one value of a single-valued field, and nothing where it is hidden.
void ChangeText(const Snapshot& at, const Entry& live, Attribute attribute, bool has,
                const std::string& wanted, bool clear, Changes* changes);
// One modify, asserted to meet the entry as it was read; nothing where there is nothing to change.
Step ModifyStep(const Snapshot& at, Changes changes, const ChangeContext& context);

}  // namespace postern::directory
