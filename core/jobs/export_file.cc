#include "core/jobs/export_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <set>
#include <system_error>

#include "core/base/check.h"
#include "core/base/kill_point.h"
#include "core/diag/codes.h"
#include "core/jobs/delta.h"
#include "core/jobs/encrypt.h"
#include "core/jobs/files.h"
#include "core/jobs/history.h"
#include "core/jobs/schedule/file_name.h"
#include "core/jobs/select.h"

namespace postern::jobs {
namespace {

constexpr uint64_t kEvery = 1000;  // rows between two signs of progress
constexpr uint32_t kShrink = 30;
constexpr size_t kHistory = 10'000;

SourceType TypeOf(std::string_view source) {
  return source.starts_with("iam:") ? SourceType::kIam : SourceType::kDirectory;
}

std::string FirstOf(const std::vector<std::string>& doubts) {
  return doubts.size() == 1 ? doubts.front()
                            : fmt::format("{} (and {} more)", doubts.front(), doubts.size() - 1);
}

std::string NewState(const std::string& folder) {
  return folder + "/states/next";
}

}  // namespace

ExportFile::ExportFile(const job::JobSpec& spec, std::string digest, std::string folder,
                       Outbox& outbox, const Ports& ports, diag::Diagnostics* diagnostics)
    : spec_(spec),
      declared_(spec.export_()),
      digest_(std::move(digest)),
      folder_(std::move(folder)),
      subject_(spec.name()),
      outbox_(outbox),
      ports_(ports),
      diagnostics_(diagnostics) {}

std::string ExportFile::FolderOfRun(const std::string& folder, const std::string& run) {
  return folder + "/out/" + run;
}

std::string ExportFile::StatePath(const std::string& run) const {
  return fmt::format("{}/states/{}-{}", folder_, run, SchemaOf(mapping_->shape()));
}

void ExportFile::Progress(const char* doing, uint64_t done) const {
  if (ports_.progress) ports_.progress(doing, done);
}

Made ExportFile::Refuse(const char* code, std::string why, std::string way_out) {
  Made made;
  made.why = why;
  diagnostics_->Add({.code = code,
                     .summary = std::move(why),
                     .subject = subject_,
                     .notes = {std::move(way_out)}});
  return made;
}

Result<bool> ExportFile::ChooseMapping(What what, SourceType source, const std::string& name) {
  const auto attributes = AttributesOf(what, source);
  if (attributes.empty()) {
    diagnostics_->Add({.code = diag::code::kSelectForm,
                       .summary = fmt::format("{} has no {}", name, declared_.what()),
                       .subject = subject_,
                       .notes = {"choose another source, or other rows"}});
    return false;
  }
  object::Secrets secrets;
  for (const decl::ExportColumn& column : declared_.columns().values()) {
    if (!column.has_hash_key() || !column.hash_key().starts_with("secret:")) continue;
    const std::string key = column.hash_key().substr(7);
    auto value = ports_.secret(key);
    if (!value) return base::Wrap("secret:" + key, value.error());
    secrets[key] = *std::move(value);
  }
  mapping_ = Mapping::Make(declared_, attributes, fmt::format("{} of {}", declared_.what(), name),
                           secrets, subject_, diagnostics_);
  return mapping_.has_value();
}

Result<void> ExportFile::ReadSource(const std::string& name, What what, RowStore* store) {
  const Mapping::Emit emit = [store](std::string_view key, std::string_view record) {
    return store->Add(key, record);
  };
  uint64_t rows = 0;
  const auto map = [&](const SourceRow& row) {
    if (++rows % kEvery == 0) Progress("Reading rows", rows);
    return mapping_->Map(row, emit, &report_, diagnostics_);
  };
  if (what == What::kEntitlements) return ports_.entitlements(map, &report_);
  const SourceType type = TypeOf(name);
  auto selection =
      Selection::Make(declared_.select(), what, type, ports_.clock.now(), subject_, diagnostics_);
  if (!selection) return Fail(ErrorCode::kInvalid, "a selection that can't be made");
  auto target = ports_.source(name);
  if (!target) return tl::unexpected<Error>(target.error());
  auto ready = selection->Prepare(**target, name, subject_, &report_, diagnostics_);
  if (!ready) return tl::unexpected<Error>(ready.error());
  if (!*ready) return Fail(ErrorCode::kInvalid, "the selection's group isn't there");
  return ReadRows(
      **target, name, what, type,
      [&](const SourceRow& row) -> Result<void> {
        return selection->Keeps(row, &report_) ? map(row) : Result<void>();
      },
      &report_);
}

// Nothing: all selected rows are in the store. `failed` has a message when a source couldn't be
// asked.
std::optional<Made> ExportFile::Read(RowStore* store, Error* failed) {
  const auto what = ParseWhat(declared_.what());
  if (!what || *what == What::kDistribution) {
    *failed = {ErrorCode::kUnsupported, declared_.what() + " can't be exported by this version"};
    return Made{};
  }
  const auto& sources = declared_.from().values();
  const bool servers = *what == What::kEntitlements;
  if (sources.empty() && !servers) {
    return Refuse(diag::code::kSelectForm, "no source of rows", "from = [\"directory:NAME\"]");
  }
  const std::string first = servers ? "the servers" : sources.Get(0);
  const auto chosen = ChooseMapping(*what, servers ? SourceType::kServers : TypeOf(first), first);
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
      if (TypeOf(name) != TypeOf(first)) {
        return Refuse(diag::code::kSelectForm, "sources of two kinds in one export",
                      "one export for directories, one for IAM systems");
      }
      if (!read_one(name)) return refused;
    }
  }
  return std::nullopt;
}

// Of the runs since the last full one, how many there were.
Result<uint64_t> ExportFile::CountRunsSinceFull() {
  auto runs = outbox_.Runs(kHistory);
  if (!runs) return tl::unexpected<Error>(runs.error());
  uint64_t count = 0;
  for (const RunRow& run : *runs) {
    if (run.outcome == kAbandoned) continue;
    if (run.mode == ToString(Mode::kFull)) break;
    ++count;
  }
  return count;
}

Result<ExportFile::Base> ExportFile::FindBase(bool full) {
  Base base;
  const bool answered = declared_.deliver().has_ack();
  auto last = outbox_.LastDelivered(answered);
  if (!last) return tl::unexpected<Error>(last.error());
  if (!*last) return base;
  base.known = true;
  base.run = **last;
  if (mapping_->shape().mode == Mode::kFull || full) return base;
  auto since = CountRunsSinceFull();
  if (!since) return tl::unexpected<Error>(since.error());
  if (declared_.full_every() > 0 && *since + 1 >= declared_.full_every()) return base;
  // Other columns, or a state that retention has taken: a delta would be of something else.
  std::error_code ignored;
  const std::string state = StatePath(base.run.id);
  if (std::filesystem::exists(state, ignored)) base.state = state;
  return base;
}

std::optional<Made> ExportFile::CheckCount(uint64_t rows, const Base& base) {
  const uint64_t least = declared_.has_min_rows() ? declared_.min_rows() : 1;
  if (rows < least) {
    return Refuse(diag::code::kTooFewRows, fmt::format("{} rows, at least {}", rows, least),
                  "look at the source; `min_rows` says how few are published");
  }
  const uint64_t share = declared_.has_shrink_percent() ? declared_.shrink_percent() : kShrink;
  if (!base.known || rows >= base.run.rows) return std::nullopt;
  if ((base.run.rows - rows) * 100 <= base.run.rows * share) return std::nullopt;
  return Refuse(diag::code::kTooFewRows,
                fmt::format("{} rows where the last file had {}; at most {} % fewer are published",
                            rows, base.run.rows, share),
                "look at the source; `shrink_percent` says how many may go at once");
}

// Writes the state that this run would publish and answers how many rows differ from the base's
// (without one: all). The census is the hash over the keys and records of all rows.
Result<uint64_t> ExportFile::KeepState(RowStore& store, const Base& base, std::string* census) {
  auto writer = StateWriter::Create(NewState(folder_));
  if (!writer) return tl::unexpected<Error>(writer.error());
  uint64_t changes = 0;
  std::unique_ptr<StateReader> before;
  if (!base.state.empty()) {
    auto opened = StateReader::Open(base.state);
    if (!opened) return tl::unexpected<Error>(opened.error());
    before = *std::move(opened);
  }
  Delta delta(std::move(before), [&](Operation, std::string_view, std::string_view) {
    ++changes;
    return Result<void>();
  });
  base::Hasher hasher;
  hasher.AddField(SchemaOf(mapping_->shape()));
  auto kept = store.Each([&](std::string_view key, std::string_view record) -> Result<void> {
    const base::Digest digest = base::Sha256(record);
    hasher.AddField(key);
    hasher.Add({reinterpret_cast<const char*>(digest.data()), digest.size()});
    if (auto added = (*writer)->Add(key, digest); !added) return added;
    return delta.Add(key, digest, record);
  });
  if (kept) kept = delta.Finish();
  if (kept) kept = (*writer)->Finish();
  if (!kept) return tl::unexpected<Error>(kept.error());
  *census = base::Hex(hasher.Finish());
  return changes;
}

Result<std::string> ExportFile::NameOf(const Manifest& manifest) const {
  std::string problem;
  const auto name = ParseFileName(declared_.deliver().name(), &problem);
  if (!name) return Fail(ErrorCode::kInvalid, "deliver.name: " + problem);
  const auto zone = FindZone(declared_.schedule().has_zone() ? declared_.schedule().zone() : "UTC");
  if (!zone) return Fail(ErrorCode::kInvalid, "schedule.zone: no such time zone");
  std::string out =
      Expand(*name, {manifest.slot, *zone, manifest.sequence, manifest.run, manifest.mode});
  const std::string_view ending = EndingOf(declared_.encrypt());
  if (!ending.empty() && !out.ends_with(ending)) out += ending;
  return out;
}

Result<void> ExportFile::WriteRows(RowStore& store, const Base& base, Writer& writer) {
  UnpackedRow row(mapping_->shape().columns.size());
  uint64_t rows = 0;
  const auto write = [&](Operation operation, std::string_view key, std::string_view record) {
    if (++rows % kEvery == 0) Progress("Writing rows", rows);
    const bool gone = operation == Operation::kDelete;
    return writer.Add({operation, gone ? row.OnlyKey(mapping_->shape(), key) : row.Unpack(record)});
  };
  if (base.state.empty()) {
    return store.Each([&](std::string_view key, std::string_view record) {
      return write(Operation::kNone, key, record);
    });
  }
  auto before = StateReader::Open(base.state);
  if (!before) return tl::unexpected<Error>(before.error());
  Delta delta(*std::move(before), write);
  auto done = store.Each([&](std::string_view key, std::string_view record) {
    return delta.Add(key, base::Sha256(record), record);
  });
  return done ? delta.Finish() : done;
}

Result<void> ExportFile::WriteFile(RowStore& store, const Base& base, Manifest* manifest) {
  const std::string folder = FolderOfRun(folder_, manifest->run);
  if (auto made = MakeFolder(folder); !made) return made;
  const std::string path = folder + "/rows";
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) {
    return Fail(ErrorCode::kUnavailable,
                "write " + path + ": " + std::generic_category().message(errno));
  }
  Shape shape = mapping_->shape();
  WriterOptions options = mapping_->options();
  // What starts anew is a full file, also of a job that writes deltas.
  if (base.state.empty()) shape.mode = options.head.mode = Mode::kFull;
  options.head.sequence = manifest->sequence;
  options.head.base_sequence = manifest->base_sequence;
  options.head.generated = manifest->generated_at;
  const auto sink = [&](std::string_view piece) { return WriteAll(file, piece, path); };
  auto writer = Writer::Make(shape, options, sink, subject_, diagnostics_);
  Result<void> written = writer ? WriteRows(store, base, **writer)
                                : Result<void>(tl::unexpected<Error>(writer.error()));
  Result<Totals> totals = written ? (*writer)->Finish() : tl::unexpected<Error>(written.error());
  const bool kept = fsync(file) == 0;
  close(file);
  if (!totals) return tl::unexpected<Error>(totals.error());
  if (!kept) return Fail(ErrorCode::kUnavailable, path + " didn't reach the disk");
  manifest->rows = totals->rows;
  manifest->bytes = totals->bytes;
  manifest->sha256 = base::Hex(totals->sha256);
  return Encrypt(manifest);
}

// Gives the file its final name, encrypted where that is declared.
Result<void> ExportFile::Encrypt(Manifest* manifest) {
  const std::string folder = FolderOfRun(folder_, manifest->run);
  const std::string plain = folder + "/rows", final = folder + "/" + manifest->file;
  if (!declared_.has_encrypt()) {
    if (rename(plain.c_str(), final.c_str()) == 0) return {};
    return Fail(ErrorCode::kUnavailable,
                "rename " + plain + ": " + std::generic_category().message(errno));
  }
  auto encrypted = EncryptFile(declared_.encrypt(), plain, final, ports_.clock.now());
  const auto removed = RemovePlain(plain);
  if (!encrypted) return base::Wrap("encrypt", encrypted.error());
  if (!removed) return removed;
  for (const std::string& warning : encrypted->warnings) {
    diagnostics_->Add({.severity = diag::Severity::kWarning,
                       .code = diag::code::kColumnForm,
                       .summary = warning,
                       .subject = subject_});
  }
  manifest->plain_sha256 = manifest->sha256;
  manifest->signer = declared_.encrypt().sign();
  auto hash = HashFile(final);
  if (!hash) return tl::unexpected<Error>(hash.error());
  manifest->sha256 = *hash;
  std::error_code failed;
  manifest->bytes = std::filesystem::file_size(final, failed);
  return {};
}

Result<Made> ExportFile::Make(base::Instant slot, bool full) {
  for (const char* name : {"/out", "/states"}) {
    if (auto made = MakeFolder(folder_ + name); !made) return tl::unexpected<Error>(made.error());
  }
  const base::Instant began = ports_.clock.now();
  report_ = {};
  RowStore store(folder_ + "/out");
  Error failed;
  if (auto ended = Read(&store, &failed)) {
    if (failed.message.empty() || diagnostics_->has_errors()) return *ended;
    return tl::unexpected<Error>(failed);
  }
  base::KillPoint("job-census");
  if (!report_.good()) {
    Made made = Refuse(diag::code::kCensusIncomplete,
                       FirstOf(report_.incomplete.empty() ? report_.unstable : report_.incomplete),
                       "nothing was published; run it again when the source can be read");
    made.rows = store.count();
    return made;
  }
  Made made;
  made.rows = store.count();
  made.why = "values that can't be written";
  if (mapping_->refused() > 0) return made;
  auto base = FindBase(full);
  if (!base) return tl::unexpected<Error>(base.error());
  if (auto few = CheckCount(store.count(), *base)) return *few;
  Manifest& manifest = made.manifest;
  auto changes = KeepState(store, *base, &manifest.census);
  if (!changes) return tl::unexpected<Error>(changes.error());
  if (!base->state.empty() && *changes == 0) {
    made.end = Made::End::kNothing;
    return made;
  }
  const bool delta = !base->state.empty();
  manifest.mode = ToString(delta ? Mode::kDelta : Mode::kFull);
  auto run = outbox_.Begin({.id = RunId(subject_, slot, manifest.census),
                            .slot = slot,
                            .mode = manifest.mode,
                            .rows = store.count(),
                            .started = began});
  if (!run) return tl::unexpected<Error>(run.error());
  manifest.job = subject_;
  manifest.run = run->id;
  manifest.sequence = run->sequence;
  manifest.slot = slot;
  manifest.generated_at = run->started;
  manifest.base_sequence = delta ? base->run.sequence : 0;
  manifest.previous = base->run.id;
  manifest.census_rows = store.count();
  manifest.source_rows = report_.seen;
  manifest.data_as_of = report_.as_of != 0 ? report_.as_of : began;
  manifest.columns = mapping_->shape().columns.size();
  manifest.format = ToString(mapping_->shape().format);
  manifest.encoding = ToString(mapping_->shape().encoding);
  manifest.schema = SchemaOf(mapping_->shape());
  manifest.spec = digest_;
  manifest.commit = spec_.commit();
  manifest.generation = spec_.generation();
  auto name = NameOf(manifest);
  if (!name) return tl::unexpected<Error>(name.error());
  manifest.file = *name;
  base::KillPoint("job-begun");
  if (auto written = WriteFile(store, *base, &manifest); !written) {
    if (diagnostics_->has_errors()) return made;  // they say which values
    return tl::unexpected<Error>(written.error());
  }
  base::KillPoint("job-written");
  if (rename(NewState(folder_).c_str(), StatePath(run->id).c_str()) != 0) {
    return Fail(ErrorCode::kUnavailable, "keep what is published in " + folder_ + "/states");
  }
  const std::string path = FolderOfRun(folder_, run->id) + "/manifest.json";
  if (auto kept = ReplaceFile(path, WriteManifest(manifest)); !kept) {
    return tl::unexpected<Error>(kept.error());
  }
  base::KillPoint("job-prepared");
  made.why.clear();
  made.end = Made::End::kPrepared;
  return made;
}

Result<void> ExportFile::ForgetStates(const std::string& folder, Outbox& outbox,
                                      bool acknowledged) {
  auto last = outbox.LastDelivered(acknowledged);
  if (!last) return tl::unexpected<Error>(last.error());
  if (!*last) return {};
  auto runs = outbox.Runs(kHistory);
  if (!runs) return tl::unexpected<Error>(runs.error());
  std::set<std::string> older;
  for (const RunRow& run : *runs) {
    if (run.sequence < (*last)->sequence) older.insert(run.id);
  }
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(folder + "/states", failed)) {
    const std::string name = entry.path().filename().string();
    std::error_code ignored;
    if (older.contains(name.substr(0, name.find('-')))) std::filesystem::remove(entry, ignored);
  }
  return {};
}

}  // namespace postern::jobs
