// core/jobs/select.h: which rows of a source an export speaks of.
//
// All parts of a declared selection must be so. Text is compared without case (RFC 4518, RFC 7643
// section 2.2), DNs by their normal form. A part that needs an attribute which could not be read
// decides nothing: the census is incomplete then. One thread. Memory: without a group none; with
// one, the memberships between groups and the members of the groups in it, about 150 bytes each,
// and all memberships of the source while they are read.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/diag/diagnostic.h"
#include "core/jobs/census.h"
#include "schemas/job_declarations.pb.h"

namespace postern::jobs {

class Selection {
 public:
  // Nothing, with diagnostics about `subject` ("export.erp"), when the source can't be asked so.
  // `now`: who has expired by then isn't active.
  static std::optional<Selection> Make(const decl::Select& select, What what, SourceType source,
                                       base::Instant now, const std::string& subject,
                                       diag::Diagnostics* diagnostics);

  // Finds out who is in the group, where the selection has one. False, with a diagnostic: there is
  // no such group. Before Keeps.
  Result<bool> Prepare(object::Target& target, const std::string& name, const std::string& subject,
                       CensusReport* report, diag::Diagnostics* diagnostics);
  // What Keeps looks at.
  AttributeSet needs() const;
  // Whether the row is selected. What can't be decided goes into the report.
  bool Keeps(const SourceRow& row, CensusReport* report);

 private:
  enum class Verdict : uint8_t { kNo, kYes, kUnknown };
  // A value that an attribute must have, normalised.
  struct Ask {
    size_t attribute;
    std::string value;
  };
  Selection() = default;
  bool TakeWhere(const decl::Where& where, const std::string& subject,
                 diag::Diagnostics* diagnostics);
  Verdict Active(const SourceRow& row) const;
  static Verdict Has(const SourceRow& row, const Ask& ask);
  bool InPlace(std::string_view key) const;
  bool InGroup(std::string_view key) const;

  What what_ = What::kUsers;
  SourceType source_ = SourceType::kDirectory;
  std::vector<Attribute> attributes_;
  std::string base_, partition_, group_;  // normalised; group_ as declared
  std::vector<Ask> asks_;
  std::optional<bool> active_;  // unset: whoever
  size_t switched_ = 0;         // where users say that they are active
  std::optional<size_t> expires_;
  base::Instant now_ = 0;
  std::unordered_set<std::string> chosen_;  // keys of members, or of the groups themselves
};

}  // namespace postern::jobs
