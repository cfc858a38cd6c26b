// core/config/declarations.h: what people wrote, with the place of every field.
//
// The loader fills these from TOML, driven by the annotated messages of schemas/declarations.proto;
// all checks that need no live system are done (formats, references, duplicates). Immutable after
// Load.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/hash.h"
#include "core/diag/diagnostic.h"
#include "schemas/declarations.pb.h"
#include "schemas/job_declarations.pb.h"
#include "schemas/roster.pb.h"

namespace postern::config {

// Number of a field inside an inline table: limits.lose_people of a host is
// Nested(decl::Host::kLimitsFieldNumber, decl::Limits::kLosePeopleFieldNumber).
constexpr int Nested(int outer, int inner) {
  return outer << 8 | inner;
}

using FieldPlaces = std::vector<std::pair<uint32_t, diag::Span>>;
diag::Span FindPlace(const FieldPlaces& places, int field, int element, const diag::Span& header);

// One declaration: its message, where it stands, where each field's value stands.
template <class M>
struct Declared {
  M message;
  diag::Span span;  // of the name in the header, or of [[grant]]
  // (field number << 16 | element index + 1 (0: the whole value)) -> place; sorted by the number.
  FieldPlaces fields;
  // Of what a service account stands for: its position in Declarations::service_accounts plus 1.
  uint32_t service_account = 0;

  bool of_service_account() const { return service_account != 0; }
  // Place of a field's value or of one element; falls back to the field, then to the header. A
  // field of an inline table is Nested(outer, inner) and falls back to the table.
  diag::Span At(int field, int element = -1) const {
    return FindPlace(fields, field, element, span);
  }
};

struct Declarations {
  Declared<decl::Operator> operator_file;
  std::vector<Declared<decl::Host>> hosts;
  std::vector<Declared<decl::Server>> servers;
  std::vector<Declared<decl::Directory>> directories;
  std::vector<Declared<decl::Iam>> iams;
  std::vector<Declared<decl::Secret>> secrets;
  std::vector<Declared<decl::Partner>> partners;
  std::vector<Declared<decl::Person>> persons;
  std::vector<Declared<decl::Account>> accounts;
  std::vector<Declared<decl::Group>> groups;
  std::vector<Declared<decl::User>> users;
  std::vector<Declared<decl::Ou>> ous;
  std::vector<Declared<decl::Folder>> folders;
  std::vector<Declared<decl::Grant>> grants;
  std::vector<Declared<decl::IamUser>> iam_users;
  std::vector<Declared<decl::IamGroup>> iam_groups;
  std::vector<Declared<decl::IamRole>> iam_roles;
  std::vector<Declared<decl::IamAccessRole>> iam_access_roles;
  std::vector<Declared<decl::OauthClient>> oauth_clients;
  std::vector<Declared<decl::Role>> roles;
  std::vector<Declared<decl::ServiceAccount>> service_accounts;
  std::vector<Declared<decl::Runner>> runners;
  std::vector<Declared<decl::Endpoint>> endpoints;
  std::vector<Declared<decl::Export>> exports;
  std::vector<Declared<decl::Import>> imports;
  std::vector<Declared<decl::Releaser>> releasers;
  // Whose people are an import's: "user:acme.A17" -> "acme". The others are of the tree.
  std::map<std::string, std::string> imported_by;
};

struct Loaded {
  Declarations declarations;
  diag::Sources sources;
  diag::Diagnostics diagnostics;
  std::string operator_path;  // as given
  std::string tree_path;
  size_t files = 0;
  std::string rosters;  // digests of those that were added, for DigestOf
};

struct LoadOptions {
  std::string operator_file = "operator/postern.toml";
  std::string tree;  // empty: what the operator's file says, else ../access beside it
  // What imports last accepted, asked for when all files are read and before they are checked;
  // null: none.
  std::function<std::vector<decl::AcceptedRoster>(const Loaded&, diag::Diagnostics*)> rosters;
};

// Reads the operator's file and every *.toml below the tree, in name order. Never fails as a whole:
// what can't be read is a diagnostic. Cost: about 10 microseconds a table.
Loaded Load(const LoadOptions& options);

// Of the files as they were read, each with its length before it: what Git holds can be compared.
base::Digest DigestOf(const Loaded& loaded);

}  // namespace postern::config
