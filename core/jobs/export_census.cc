// The census of an export: from its sources to rows in the store.
#include <fmt/format.h>

#include "core/diag/codes.h"
#include "core/jobs/export_file.h"
#include "core/jobs/select.h"

namespace postern::jobs {
namespace {

constexpr uint64_t kEvery = 1000;  // rows between two signs of progress

}  // namespace

Result<bool> ExportFile::ChooseMapping(What what, SourceType source, const std::string& name) {
  const auto attributes = AttributesOf(what, source);
  if (attributes.empty()) {
    diagnostics_->Add({.code = diag::code::kSelectForm,
                       .summary = fmt::format("{} has no {}", name, declared_.what()),
                       .subject = subject_,
                       .notes = {"choose another source, or other rows"}});
    return false;
  }
  // The list of a distribution has its own columns, in CSV.
  decl::Export declared = declared_;
  if (what == What::kDistribution) {
    for (const char* column : {"path", "size", "sha256"}) {
      declared.mutable_columns()->add_values()->set_from(column);
    }
    declared.mutable_format()->set_type("csv");
  }
  object::Secrets secrets;
  for (const decl::ExportColumn& column : declared_.columns().values()) {
    if (!column.has_hash_key() || !column.hash_key().starts_with("secret:")) continue;
    const std::string key = column.hash_key().substr(7);
    auto value = ports_.secret(key);
    if (!value) return base::Wrap("secret:" + key, value.error());
    secrets[key] = *std::move(value);
  }
  mapping_ = Mapping::Make(declared, attributes, fmt::format("{} of {}", declared_.what(), name),
                           secrets, subject_, diagnostics_);
  return mapping_.has_value();
}

Result<void> ExportFile::ReadSource(const std::string& name, What what, RowStore* store) {
  const Mapping::Emit emit = [this, store](std::string_view key, std::string_view record) {
    return KeepRow(store, key, record);
  };
  uint64_t rows = 0;
  const auto map = [&](const SourceRow& row) {
    if (++rows % kEvery == 0) Progress("Reading rows", rows);
    return mapping_->Map(row, emit, &report_, diagnostics_);
  };
  if (what == What::kEntitlements) return ports_.entitlements(map, &report_);
  const SourceType type = SourceTypeOf(name);
  auto selection =
      Selection::Make(declared_.select(), what, type, ports_.clock.now(), subject_, diagnostics_);
  if (!selection) return Fail(ErrorCode::kInvalid, "a selection that can't be made");
  auto target = ports_.source(name);
  if (!target) return tl::unexpected<Error>(target.error());
  auto ready = selection->Prepare(**target, name, subject_, &report_, diagnostics_);
  if (!ready) return tl::unexpected<Error>(ready.error());
  if (!*ready) return Fail(ErrorCode::kInvalid, "the selection's group isn't there");
  return ReadRows(
      **target, name, what, type, selection->needs() | mapping_->needs(),
      [&](const SourceRow& row) -> Result<void> {
        return selection->Keeps(row, &report_) ? map(row) : Result<void>();
      },
      &report_);
}

// Nothing: all selected rows are in the store. `failed` has a message when a source couldn't be
// asked.
std::optional<Made> ExportFile::Read(RowStore* store, Error* failed) {
  const auto what = ParseWhat(declared_.what());
  if (what == What::kDistribution) return ReadSet(store, failed);
  if (!what) {
    *failed = {ErrorCode::kUnsupported, declared_.what() + " can't be exported by this version"};
    return Made{};
  }
  const auto& sources = declared_.from().values();
  const bool servers = *what == What::kEntitlements;
  if (sources.empty() && !servers) {
    return Refuse(diag::code::kSelectForm, "no source of rows", "from = [\"directory:NAME\"]");
  }
  const std::string first = servers ? "the servers" : sources.Get(0);
  const auto chosen = ChooseMapping(*what, SourceTypeOf(declared_), first);
  if (!chosen) {
    *failed = chosen.error();
    return Made{};
  }
  Made refused;
  refused.why = "the declaration can't be carried out";
  if (!*chosen) return refused;
  const auto read_one = [&](const std::string& name) {
    auto read = ReadSource(name, *what, store);
    if (!read) *failed = read.error();
    return read.has_value();
  };
  if (servers) {
    if (!read_one(first)) return refused;
  } else {
    for (const std::string& name : sources) {
      if (SourceTypeOf(name) != SourceTypeOf(first)) {
        return Refuse(diag::code::kSelectForm, "sources of two kinds in one export",
                      "one export for directories, one for IAM systems");
      }
      if (!read_one(name)) return refused;
    }
  }
  return std::nullopt;
}

}  // namespace postern::jobs
