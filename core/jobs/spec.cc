#include "core/jobs/spec.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include "core/base/check.h"
#include "core/base/hash.h"

namespace postern::jobs {
namespace {

std::string CanonicalJson(const job::JobSpec& spec) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string out;
  const auto status = google::protobuf::util::MessageToJsonString(spec, &out, options);
  POSTERN_CHECK(status.ok(), "a message of our own can be printed");
  return out;
}

void DropSeal(job::JobSpec* spec) {
  spec->clear_ledger_id();
  spec->clear_generation();
  spec->clear_commit();
  spec->clear_sealed_at();
}

}  // namespace

Sealed Seal(job::JobSpec spec) {
  POSTERN_CHECK(!spec.name().empty() && spec.has_export_() != spec.has_import(),
                "a specification is of one job");
  spec.set_version(kSpecVersion);
  Sealed sealed;
  sealed.bytes = CanonicalJson(spec);
  sealed.digest = DigestOf(sealed.bytes);
  return sealed;
}

bool SameJob(std::string_view sealed, const job::JobSpec& spec) {
  return WithoutSeal(sealed) == WithoutSeal(Seal(spec).bytes);
}

std::string WithoutSeal(std::string_view bytes) {
  auto spec = ParseSpec(bytes);
  if (!spec) return std::string(bytes);
  DropSeal(&*spec);
  return CanonicalJson(*spec);
}

std::string DigestOf(std::string_view bytes) {
  return "sha256:" + base::Hex(base::Sha256(bytes));
}

Result<job::JobSpec> ReadSpec(std::string_view bytes, std::string_view digest) {
  const std::string found = DigestOf(bytes);
  if (found != digest) {
    return Fail(ErrorCode::kConflict,
                fmt::format("the specification isn't the one that was installed: its digest is {}, "
                            "installed was {}",
                            found, digest));
  }
  return ParseSpec(bytes);
}

Result<job::JobSpec> ParseSpec(std::string_view bytes) {
  job::JobSpec spec;
  const google::protobuf::StringPiece text(bytes.data(), bytes.size());
  if (!google::protobuf::util::JsonStringToMessage(text, &spec).ok()) {
    return Fail(ErrorCode::kInvalid, "the specification can't be read");
  }
  if (spec.version() != kSpecVersion) {
    return Fail(ErrorCode::kInvalid,
                fmt::format("the specification has version {}, this program reads {}",
                            spec.version(), kSpecVersion));
  }
  if (spec.name().empty() || spec.has_export_() == spec.has_import()) {
    return Fail(ErrorCode::kInvalid, "the specification names no job");
  }
  return spec;
}

std::string WhyClosed(const job::JobSpec& spec, base::Instant now) {
  const bool export_ = spec.has_export_();
  if (export_ ? spec.export_().has_enabled() && !spec.export_().enabled()
              : spec.import().has_enabled() && !spec.import().enabled()) {
    return "it is switched off";
  }
  const decl::ServiceAccount& account = spec.service_account();
  if (account.has_enabled() && !account.enabled()) {
    return fmt::format("service:{}, which it runs as, is switched off", account.name());
  }
  if (spec.has_not_before() && now < spec.not_before()) {
    return "its time begins at " + base::FormatInstant(spec.not_before());
  }
  if (spec.has_not_after() && now > spec.not_after()) {
    return "its time is over since " + base::FormatInstant(spec.not_after());
  }
  return "";
}

std::string StateOf(const decl::Runner& runner) {
  return runner.has_state() ? runner.state() : kDefaultState;
}

std::string FolderOf(const decl::Runner& runner, std::string_view job) {
  return fmt::format("{}/jobs/{}", StateOf(runner), job);
}

std::string SpecPathOf(const decl::Runner& runner, std::string_view job) {
  return FolderOf(runner, job) + "/spec.json";
}

std::string LockPathOf(const decl::Runner& runner, std::string_view job) {
  return FolderOf(runner, job) + "/lock";
}

std::string LastRunPathOf(const decl::Runner& runner, std::string_view job) {
  return FolderOf(runner, job) + "/last.json";
}

std::string ShownOutcome(const job::LastRun& last) {
  if (last.outcome() != kHeldOutcome || last.run().empty()) return last.outcome();
  return fmt::format("{} {}", kHeldOutcome, last.run());
}

std::pair<std::string, std::string> OutcomeAndRun(const std::string& shown) {
  const size_t blank = shown.find(' ');
  if (blank == std::string::npos || shown.substr(0, blank) != kHeldOutcome) return {shown, ""};
  return {kHeldOutcome, shown.substr(blank + 1)};
}

std::string OperatorFileOf(const decl::Runner& runner) {
  return runner.has_operator_file() ? runner.operator_file() : kDefaultOperatorFile;
}

decl::Thresholds ThresholdsOf(const decl::Import& import) {
  decl::Thresholds most;
  most.set_disable(5);
  most.set_disable_percent(5);
  most.set_create(50);
  most.set_change_percent(30);
  most.set_reject_percent(2);
  most.set_rows_percent(30);
  most.MergeFrom(import.thresholds());
  return most;
}

}  // namespace postern::jobs
