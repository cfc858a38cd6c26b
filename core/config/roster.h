// core/config/roster.h: accepted rosters of imports as declarations beside those of the tree.
//
// A roster becomes Declared<User> or Declared<IamUser> whose place is a line of its file, so that
// checks, compile, plan, drift and access know its people like others; `imported_by` tells whose
// they are. What = "attributes" fills fields of people that others declare. An object or an
// attribute that both say is an error that names both. Pure but for `declarations`; one thread.
// Cost: linear in the people. Sources: design §2 (desired, foreign), IAM facts §6.2 (authority).
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/config/declarations.h"
#include "schemas/roster.pb.h"

namespace postern::config {

// The attribute of a person that a file may give, by its name in [user] or [iam_user]; null: there
// is none, or it says where an entry stands, whose it is or what opens it, which no file does.
const google::protobuf::FieldDescriptor* RosterField(bool iam, std::string_view name);
std::vector<std::string_view> RosterFieldNames(bool iam);

// A field's value as texts: an instant in decimal, a boolean as "true" or "false". Unset: none.
std::vector<std::string> ValuesOf(const google::protobuf::Message& person,
                                  const google::protobuf::FieldDescriptor& field);
// None clears it. The texts must be of the field's type.
void SetValues(const google::protobuf::FieldDescriptor& field,
               const std::vector<std::string>& values, google::protobuf::Message* person);

inline bool IsIam(const decl::Import& import) {
  return import.to().starts_with("iam:");
}
// "corp" of "iam:corp"
inline std::string TargetName(const decl::Import& import) {
  return import.to().substr(import.to().find(':') + 1);
}

// Adds the people of those rosters whose import is declared; to be called when all files are read
// and before they are checked.
void AddRosters(const std::vector<decl::AcceptedRoster>& rosters, diag::Sources* sources,
                Declarations* declarations, diag::Diagnostics* diagnostics);

}  // namespace postern::config
