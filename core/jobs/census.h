// core/jobs/census.h: the rows that an export can speak of, as a directory or an IAM system shows
// them.
//
// A row is one object of a kind of schemas/kinds.proto; its attributes are the kind's fields under
// their names there, without secrets. Rows come in the order of the source, each once for each
// time it was listed; nothing is kept. Threads: that of the caller, as object::Target says. Cost:
// one decode an object. A census that isn't complete, or moved while it was read, says so and is
// never published (design section 1, idea 4).
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/jobs/format/table.h"
#include "core/object/target.h"
#include "schemas/job_declarations.pb.h"

namespace postern::jobs {

enum class What : uint8_t { kUsers, kGroups, kRoles, kMemberships, kEntitlements, kDistribution };
std::optional<What> ParseWhat(std::string_view text);

// What rows come from.
enum class SourceType : uint8_t { kDirectory, kIam, kServers, kFiles };
// Of "iam:hr" or "directory:corp".
SourceType SourceTypeOf(std::string_view source);
// Where an export's rows come from; of several sources all are of one type.
SourceType SourceTypeOf(const decl::Export& declared);

struct Attribute {
  std::string name;  // "employee_number"
  Type type = Type::kText;
  bool key = false;
};

// What a row of such a source has, in the order of SourceRow::cells. Empty: such a source has no
// such rows.
std::vector<Attribute> AttributesOf(What what, SourceType source);
std::optional<object::Kind> KindOf(What what, SourceType source);
// The attribute's position, or a word for the diagnostic: "did you mean employee_number?".
std::optional<size_t> FindAttribute(std::span<const Attribute> attributes, std::string_view name,
                                    std::string* hint);

// Attributes of a row, as bits by their positions.
using AttributeSet = uint64_t;
constexpr AttributeSet AttributeBit(size_t position) {
  return AttributeSet{1} << position;
}

// Views that last for the call.
struct SourceRow {
  std::string_view key;         // tells the rows of a source apart; normalised
  std::span<const Cell> cells;  // one for each attribute
  AttributeSet unreadable = 0;  // could not be read, which isn't absent
};
using TakeRow = std::function<Result<void>(const SourceRow&)>;

struct CensusReport {
  uint64_t seen = 0;                    // rows that the source has, selected or not
  std::vector<std::string> incomplete;  // "directory:corp ou=people,dc=x: connection lost"
  std::vector<std::string> unstable;    // it was read to its end but moved meanwhile
  base::Instant as_of = 0;              // when the first reading that counts began
  bool good() const { return incomplete.empty() && unstable.empty(); }
};

// Reads every row of the kind, with the attributes in `wanted`; the source needn't be asked for
// others, and their cells are empty. `name` is what the source is called ("directory:corp"). Adds
// to `report`. Fails when the source can't be asked at all, or `take` fails.
Result<void> ReadRows(object::Target& target, const std::string& name, What what, SourceType source,
                      AttributeSet wanted, const TakeRow& take, CensusReport* report);
// What the target says of its scopes, put into the report.
void Judge(const std::string& name, const std::vector<object::ScopeStatus>& scopes,
           CensusReport* report);

// The files below `folder` whose names fit `pattern` (fnmatch), by their path below it; links and
// what isn't a regular file are left out. Attributes: path (key), size, modified, sha256.
// The caller sets report->as_of. With `copies` each file is copied there under its path (0600,
// flushed), and the row speaks of the copy; a file that changes meanwhile makes the census
// unstable. Fails when the copies can't be written.
Result<void> ReadFiles(const std::string& folder, const std::string& pattern, bool below,
                       const TakeRow& take, CensusReport* report, const std::string& copies = "");

}  // namespace postern::jobs
