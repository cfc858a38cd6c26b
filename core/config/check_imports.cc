// Imports: where they may write, how a row finds its subject, and limits; as far as no target must
// be asked.
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <set>

#include "core/config/job_checks.h"
#include "core/config/roster.h"
#include "core/diag/codes.h"
#include "core/jobs/zone.h"
#include "core/object/kind.h"

namespace postern::config {
namespace {

namespace code = diag::code;

using decl::Import;

constexpr int kColumns = Import::kColumnsFieldNumber;

class ImportChecks {
 public:
  ImportChecks(const CheckInput& input, const Declared<Import>& declared,
               diag::Diagnostics* diagnostics)
      : input_(input),
        import_(declared),
        m_(declared.message),
        said_{*diagnostics, fmt::format("import \"{}\"", declared.message.name())} {}

  void Run() {
    CheckReach();
    CheckApart();
    CheckColumns();
    CheckMatch();
    CheckDelta();
    for (const FormatMistake& mistake : MistakesOf(m_.format())) {
      said_.Error(code::kJobFormat, At(Import::kFormatFieldNumber, mistake.field),
                  fmt::format("the format of {} can't be", said_.what), mistake.label,
                  mistake.way_out);
    }
    CheckFetch();
    CheckLimits();
    if (m_.has_schedule()) {
      constexpr int kSchedule = Import::kScheduleFieldNumber;
      CheckSchedule(m_.schedule(), "import." + m_.name(),
                    At(kSchedule, decl::JobSchedule::kCronFieldNumber),
                    At(kSchedule, decl::JobSchedule::kZoneFieldNumber), said_);
      CheckCatchUp();
    }
    CheckSignIn(input_, m_.fetch().from(), m_.as(), import_.At(Import::kAsFieldNumber), said_);
  }

 private:
  diag::Span At(int outer, int inner) const { return import_.At(Nested(outer, inner)); }
  bool OfIam() const { return m_.to().starts_with("iam:"); }

  // A slot of an import is a look at the place: whenever it comes, all that waits there is taken.
  void CheckCatchUp() {
    const decl::JobSchedule& schedule = m_.schedule();
    if (!schedule.has_catch_up() || schedule.catch_up() == "latest") return;
    said_.Error(code::kJobOrder,
                At(Import::kScheduleFieldNumber, decl::JobSchedule::kCatchUpFieldNumber),
                fmt::format("catch_up of {} has no meaning", said_.what),
                "the first run after an absence takes every file that waits", "leave it out");
  }

  void CheckReach() {
    const diag::Span to = import_.At(Import::kToFieldNumber);
    const auto* iam = OfIam() ? input_.index.Get<decl::Iam>(m_.to().substr(4)) : nullptr;
    if (OfIam() && m_.has_base()) {
      said_.Error(code::kImportReach, import_.At(Import::kBaseFieldNumber),
                  fmt::format("base of {} has no meaning", said_.what), "an IAM system has no DNs",
                  "an IAM system with partitions has partition");
    }
    if (!OfIam() && m_.has_partition()) {
      said_.Error(code::kImportReach, import_.At(Import::kPartitionFieldNumber),
                  fmt::format("partition of {} has no meaning", said_.what),
                  "a directory has base");
    }
    if (!OfIam() && m_.has_to() && !m_.has_base()) {
      said_.Error(code::kImportReach, to, fmt::format("{} could touch everybody there", said_.what),
                  "base is missing", "write base = \"ou=acme,ou=partners,dc=example,dc=com\"");
    }
    if (iam == nullptr) return;
    const auto& partitions = iam->message.manage().partitions().values();
    if (partitions.empty()) return;
    if (!m_.has_partition()) {
      said_.Error(code::kImportReach, to, fmt::format("{} could touch everybody there", said_.what),
                  "partition is missing", fmt::format("one of {}", fmt::join(partitions, ", ")));
    } else if (std::find(partitions.begin(), partitions.end(), m_.partition()) ==
               partitions.end()) {
      const std::vector<std::string_view> known(partitions.begin(), partitions.end());
      said_.Error(code::kImportReach, import_.At(Import::kPartitionFieldNumber),
                  fmt::format("no partition \"{}\" is managed", m_.partition()),
                  NearestOr(m_.partition(), known));
    }
  }

  // Values that somebody inside gives to people of partners may overlap: a person answers for them.
  static bool IsInside(const Import& import) {
    return import.what() == "attributes" && import.owner().starts_with("person:");
  }

  // What is live below a base is its import's to take over, so that another owner's must not reach
  // there. Each pair is told once, at the later one.
  void CheckApart() {
    const auto below = [](const Import& import) {
      return "," + object::Normalise(object::Comparator::kDn, import.base());
    };
    for (const auto& declared : input_.declarations.imports) {
      if (&declared == &import_) return;
      const Import& other = declared.message;
      if (other.to() != m_.to() || other.owner() == m_.owner()) continue;
      if (!other.has_base() || !m_.has_base() || IsInside(other) || IsInside(m_)) continue;
      if (!below(other).ends_with(below(m_)) && !below(m_).ends_with(below(other))) continue;
      said_
          .Error(code::kImportReach, import_.At(Import::kBaseFieldNumber),
                 fmt::format("{} reaches people of {}", said_.what, other.owner()),
                 fmt::format("its own are {}'s", m_.owner()), "give each owner its own subtree")
          .also.push_back({declared.At(Import::kBaseFieldNumber),
                           fmt::format("import \"{}\" has these", other.name())});
    }
  }

  void CheckColumns() {
    const std::vector<std::string_view> known = RosterFieldNames(OfIam());
    std::set<std::string_view> names, targets;
    for (int i = 0; i < m_.columns().values_size(); ++i) {
      const decl::ImportColumn& column = m_.columns().values(i);
      const diag::Span span = import_.At(kColumns, i);
      const auto wrong = [&](std::string summary, std::string label) {
        said_.Error(code::kJobColumn, span, std::move(summary), std::move(label));
      };
      if (std::find(known.begin(), known.end(), column.to()) == known.end()) {
        said_.Error(code::kRosterColumns, span,
                    fmt::format("no file gives people an attribute \"{}\"", column.to()),
                    NearestOr(column.to(), known));
      } else if (!targets.insert(column.to()).second) {
        wrong(fmt::format("two columns of {} give {}", said_.what, column.to()), "again");
      }
      if (!names.insert(column.name()).second) {
        wrong(fmt::format("two columns of {} are called \"{}\"", said_.what, column.name()),
              "again");
      }
      CheckValues(column, span);
    }
  }

  void CheckValues(const decl::ImportColumn& column, diag::Span span) {
    if (column.has_pattern()) {
      re2::RE2::Options options;
      options.set_log_errors(false);
      const re2::RE2 pattern(column.pattern(), options);
      if (!pattern.ok()) {
        said_.Error(code::kJobColumn, span,
                    fmt::format("the pattern of column \"{}\" can't be read", column.name()),
                    pattern.error());
      }
    }
    if (column.has_domains() && column.to() != "mail") {
      said_.Error(code::kJobColumn, span,
                  fmt::format("domains of column \"{}\" have no meaning", column.name()),
                  "they are for mail");
    }
    if (column.has_zone() && !jobs::FindZone(column.zone())) {
      said_.Error(code::kUnknownZone, span, fmt::format("no time zone \"{}\"", column.zone()),
                  "not in the system's tzdata");
    }
    if (column.has_max() && column.max() == 0) {
      said_.Error(code::kJobLimit, span, fmt::format("max of column \"{}\" is 0", column.name()),
                  "no value would fit");
    }
  }

  void CheckMatch() {
    std::vector<std::string_view> given;
    for (const auto& column : m_.columns().values()) given.push_back(column.to());
    for (int i = 0; i < m_.match().values_size(); ++i) {
      const std::string& name = m_.match().values(i);
      const auto column = std::find_if(m_.columns().values().begin(), m_.columns().values().end(),
                                       [&](const auto& c) { return c.to() == name; });
      const diag::Span span = import_.At(Import::kMatchFieldNumber, i);
      if (column == m_.columns().values().end()) {
        said_.Error(code::kImportMatch, span,
                    fmt::format("{} can't look for people by {}", said_.what, name),
                    given.empty() ? "no column gives it" : NearestOr(name, given),
                    "declare a column for it");
      } else if (i == 0 && !column->required()) {
        said_.Error(code::kImportMatch, span,
                    fmt::format("a row of {} may come without {}", said_.what, name),
                    "whose row would it be?",
                    fmt::format("write required = true at column \"{}\"", column->name()));
      }
    }
  }

  void CheckDelta() {
    if (m_.mode() == "delta" && m_.has_missing_files()) {
      said_.Error(code::kJobDelta, import_.At(Import::kMissingFilesFieldNumber),
                  fmt::format("missing_files of {} has no meaning", said_.what),
                  "who isn't in a delta hasn't left");
    }
    if (m_.what() != "attributes") return;
    const auto& may = m_.may().values();
    for (int i = 0; i < may.size(); ++i) {
      if (may[i] == "update") continue;
      said_.Error(code::kImportReach, import_.At(Import::kMayFieldNumber, i),
                  fmt::format("{} may not {} people", said_.what, may[i]),
                  "attributes are of people whom others declare",
                  "write may = [\"update\"], or what = \"roster\"");
    }
  }

  void CheckFetch() {
    using decl::Fetch;
    const decl::Fetch& fetch = m_.fetch();
    constexpr int kFetch = Import::kFetchFieldNumber;
    const auto only = [&](bool has, int field, const char* name, const char* ready) {
      if (!has || !fetch.has_ready() || fetch.ready() == ready) return;
      said_.Error(code::kJobOrder, At(kFetch, field),
                  fmt::format("{} in fetch of {} has no meaning", name, said_.what),
                  fmt::format("it is for ready = \"{}\"", ready), "leave it out");
    };
    only(fetch.has_trigger(), Fetch::kTriggerFieldNumber, "trigger", "trigger");
    only(fetch.has_stable_minutes(), Fetch::kStableMinutesFieldNumber, "stable_minutes", "stable");
    if (fetch.has_pattern() && fetch.pattern().find('/') != std::string::npos) {
      said_.Error(code::kJobFileName, At(kFetch, Fetch::kPatternFieldNumber),
                  fmt::format("\"{}\" is no pattern of names", fetch.pattern()), "a slash in it",
                  "folder says where they are");
    }
    CheckKeys();
  }

  void CheckKeys() {
    using decl::Fetch;
    const std::string& pattern = m_.fetch().pattern();
    const auto* from = input_.index.Get<decl::Endpoint>(m_.fetch().from());
    if (from == nullptr || from->message.has_gpg_home()) return;
    if (!pattern.ends_with(".gpg") && !pattern.ends_with(".pgp")) return;
    said_
        .Error(code::kJobEncrypt, At(Import::kFetchFieldNumber, Fetch::kPatternFieldNumber),
               fmt::format("{} can't open what is encrypted", said_.what), "where is the key?",
               fmt::format("write gpg_home = \"/var/lib/postern/gpg\", gpg's home on the runner, "
                           "into endpoint \"{}\"",
                           m_.fetch().from()))
        .also.push_back({from->span, "the endpoint"});
  }

  void CheckLimits() {
    using decl::ImportLimits;
    const auto some = [&](bool has, uint32_t value, int field, const char* name) {
      if (!has || value != 0) return;
      said_.Error(code::kJobLimit, At(Import::kLimitsFieldNumber, field),
                  fmt::format("{} in limits of {} is 0", name, said_.what),
                  "no file would be taken");
    };
    const decl::ImportLimits& limits = m_.limits();
    some(limits.has_megabytes(), limits.megabytes(), ImportLimits::kMegabytesFieldNumber,
         "megabytes");
    some(limits.has_rows(), limits.rows(), ImportLimits::kRowsFieldNumber, "rows");
    some(limits.has_columns(), limits.columns(), ImportLimits::kColumnsFieldNumber, "columns");
    some(limits.has_depth(), limits.depth(), ImportLimits::kDepthFieldNumber, "depth");
  }

  const CheckInput& input_;
  const Declared<Import>& import_;
  const Import& m_;
  const Said said_;
};

}  // namespace

void CheckImports(const CheckInput& input, diag::Diagnostics* diagnostics) {
  for (const auto& declared : input.declarations.imports) {
    ImportChecks(input, declared, diagnostics).Run();
  }
}

}  // namespace postern::config
