#include "core/jobs/export_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "core/base/check.h"
#include "core/base/kill_point.h"
#include "core/diag/codes.h"
#include "core/jobs/delta.h"
#include "core/jobs/encrypt.h"
#include "core/jobs/files.h"
#include "core/jobs/history.h"
#include "core/jobs/schedule/file_name.h"

namespace postern::jobs {
namespace {

constexpr uint64_t kEvery = 1000;  // rows between two signs of progress

std::string FirstOf(const std::vector<std::string>& doubts) {
  return doubts.size() == 1 ? doubts.front()
                            : fmt::format("{} (and {} more)", doubts.front(), doubts.size() - 1);
}

// A row as the store has it.
struct KeptRow {
  explicit KeptRow(std::string_view stored)
      : record(stored.substr(0, stored.size() - digest.size())) {
    std::memcpy(digest.data(), stored.data() + record.size(), digest.size());
  }
  base::Digest digest;
  std::string_view record;
};

std::string NewState(const std::string& folder) {
  return folder + "/states/next";
}

}  // namespace

Result<void> ExportFile::KeepRow(RowStore* store, std::string_view key, std::string_view record) {
  const base::Digest digest = base::Sha256(record);
  stored_.assign(record);
  stored_.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  return store->Add(key, stored_);
}

ExportFile::ExportFile(const job::JobSpec& spec, std::string digest, std::string folder,
                       Outbox& outbox, const Ports& ports, diag::Diagnostics* diagnostics)
    : spec_(spec),
      declared_(spec.export_()),
      digest_(std::move(digest)),
      folder_(std::move(folder)),
      subject_(spec.name()),
      terms_(TermsOf(spec)),
      outbox_(outbox),
      ports_(ports),
      diagnostics_(diagnostics) {}

std::string ExportFile::FolderOfRun(const std::string& folder, const std::string& run) {
  return folder + "/out/" + run;
}

std::string ExportFile::ManifestOfRun(const std::string& folder, const std::string& run) {
  return FolderOfRun(folder, run) + "/manifest.json";
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
    const KeptRow row(record);
    hasher.AddField(key);
    hasher.Add({reinterpret_cast<const char*>(row.digest.data()), row.digest.size()});
    if (auto added = (*writer)->Add(key, row.digest); !added) return added;
    return delta.Add(key, row.digest, row.record);
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
      return write(Operation::kNone, key, KeptRow(record).record);
    });
  }
  auto before = StateReader::Open(base.state);
  if (!before) return tl::unexpected<Error>(before.error());
  Delta delta(*std::move(before), write);
  auto done = store.Each([&](std::string_view key, std::string_view record) {
    const KeptRow row(record);
    return delta.Add(key, row.digest, row.record);
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
  if (auto kept = Encrypt(manifest); !kept) return kept;
  return KeepSet(manifest);
}

Result<void> ExportFile::EncryptTo(const std::string& plain, const std::string& final) {
  auto encrypted = EncryptFile(declared_.encrypt(), plain, final, ports_.clock.now());
  auto removed = RemovePlain(plain);
  if (!encrypted) return base::Wrap("encrypt", encrypted.error());
  if (!removed) return removed;
  for (const std::string& warning : encrypted->warnings) {
    // The keys are those of every file of the run: each is told of once.
    const auto& said = diagnostics_->all();
    if (std::any_of(said.begin(), said.end(),
                    [&](const diag::Diagnostic& one) { return one.summary == warning; })) {
      continue;
    }
    diagnostics_->Add({.severity = diag::Severity::kWarning,
                       .code = diag::code::kKeyExpires,
                       .summary = warning,
                       .subject = subject_});
  }
  return {};
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
  if (auto encrypted = EncryptTo(plain, final); !encrypted) return encrypted;
  manifest->plain_sha256 = manifest->sha256;
  manifest->signer = declared_.encrypt().sign();
  auto hash = HashFile(final);
  if (!hash) return tl::unexpected<Error>(hash.error());
  manifest->sha256 = *hash;
  std::error_code failed;
  manifest->bytes = std::filesystem::file_size(final, failed);
  return {};
}

// The run as it will be begun once its file is whole: what can't be written takes no number.
Result<RunRow> ExportFile::FutureRun(base::Instant slot, const std::string& census,
                                     base::Instant began) {
  const std::string id = RunId(subject_, slot, census, DigestOf(terms_));
  auto known = outbox_.FindRun(id);
  if (!known) return tl::unexpected<Error>(known.error());
  if (*known) return **known;
  auto newest = outbox_.Runs(1);
  if (!newest) return tl::unexpected<Error>(newest.error());
  RunRow run;
  run.id = id;
  run.sequence = newest->empty() ? 1 : newest->front().sequence + 1;
  run.slot = slot;
  run.started = began;
  run.terms = terms_;
  return run;
}

void ExportFile::Describe(const Base& base, const RunRow& run, Manifest* manifest) const {
  manifest->job = subject_;
  manifest->run = run.id;
  manifest->sequence = run.sequence;
  manifest->slot = run.slot;
  manifest->mode = run.mode;
  manifest->generated_at = run.started;
  manifest->base_sequence = base.state.empty() ? 0 : base.run.sequence;
  manifest->previous = base.run.id;
  manifest->census_rows = run.rows;
  manifest->source_rows = report_.seen;
  manifest->data_as_of = report_.as_of != 0 ? report_.as_of : run.started;
  manifest->format = declared_.what();
  manifest->encoding = ToString(Encoding::kUtf8);
  if (mapping_) {
    manifest->columns = mapping_->shape().columns.size();
    manifest->format = ToString(mapping_->shape().format);
    manifest->encoding = ToString(mapping_->shape().encoding);
    manifest->schema = SchemaOf(mapping_->shape());
  }
  manifest->spec = digest_;
  manifest->terms = DigestOf(run.terms);
  manifest->commit = spec_.commit();
  manifest->generation = spec_.generation();
}

// Makes the whole file a run: from the manifest on it is prepared.
Result<void> ExportFile::Prepare(const RunRow& run, const Manifest& manifest) {
  auto begun = outbox_.Begin(run);
  if (!begun) return tl::unexpected<Error>(begun.error());
  if (begun->sequence != manifest.sequence) {
    return Fail(ErrorCode::kConflict, "another run of this job took the number meanwhile");
  }
  // A run that was let go may be made again when its terms come back, with other bytes.
  if (begun->outcome == kAbandoned) {
    if (auto forgotten = outbox_.ForgetFiles(run.id); !forgotten) return forgotten;
  }
  base::KillPoint("job-begun");
  // What has no rows has no state that a delta could start from.
  if (mapping_ && rename(NewState(folder_).c_str(), StatePath(run.id).c_str()) != 0) {
    return Fail(ErrorCode::kUnavailable, "keep what is published in " + folder_ + "/states");
  }
  const std::string path = ManifestOfRun(folder_, run.id);
  if (auto kept = ReplaceFile(path, WriteManifest(manifest)); !kept) return kept;
  base::KillPoint("job-prepared");
  return {};
}

// Nothing: the rows are in the store, all that there are, and can be written.
Result<std::optional<Made>> ExportFile::Gather(RowStore* store) {
  for (const char* name : {"/out", "/states"}) {
    if (auto made = MakeFolder(folder_ + name); !made) return tl::unexpected<Error>(made.error());
  }
  report_ = {};
  Error failed;
  if (auto ended = Read(store, &failed)) {
    if (failed.message.empty() || diagnostics_->has_errors()) return ended;
    return tl::unexpected<Error>(failed);
  }
  base::KillPoint("job-census");
  std::optional<Made> ended;
  if (!report_.good()) {
    ended = Refuse(diag::code::kCensusIncomplete,
                   FirstOf(report_.incomplete.empty() ? report_.unstable : report_.incomplete),
                   "nothing was published; run it again when the source can be read");
  } else if (mapping_->refused() > 0) {
    ended = Made{.why = "values that can't be written"};
  }
  if (ended) ended->rows = store->count();
  return ended;
}

Result<Made> ExportFile::Make(base::Instant slot, bool full) {
  if (declared_.what() == "snapshot") return MakeSnapshot(slot);
  const base::Instant began = ports_.clock.now();
  RowStore store(folder_ + "/out");
  auto ended = Gather(&store);
  if (!ended) return tl::unexpected<Error>(ended.error());
  if (*ended) return **ended;
  auto base = FindBase(full);
  if (!base) return tl::unexpected<Error>(base.error());
  if (auto few = CheckCount(store.count(), *base)) return *few;
  Made made{.rows = store.count(), .why = "values that can't be written"};
  auto changes = KeepState(store, *base, &made.manifest.census);
  if (!changes) return tl::unexpected<Error>(changes.error());
  const bool delta = !base->state.empty();
  if (delta && *changes == 0) return Made{.end = Made::End::kNothing, .rows = store.count()};
  auto run = FutureRun(slot, made.manifest.census, began);
  if (!run) return tl::unexpected<Error>(run.error());
  run->mode = ToString(delta ? Mode::kDelta : Mode::kFull);
  run->rows = store.count();
  Describe(*base, *run, &made.manifest);
  auto name = NameOf(made.manifest);
  if (!name) return tl::unexpected<Error>(name.error());
  made.manifest.file = *name;
  if (!SetCanGo(made.manifest)) return Made{.rows = store.count(), .why = "its files can't go out"};
  if (auto written = WriteFile(store, *base, &made.manifest); !written) {
    std::error_code ignored;
    std::filesystem::remove_all(FolderOfRun(folder_, run->id), ignored);
    if (diagnostics_->has_errors()) return made;  // they say which values
    return tl::unexpected<Error>(written.error());
  }
  base::KillPoint("job-written");
  if (auto ready = Prepare(*run, made.manifest); !ready) {
    return tl::unexpected<Error>(ready.error());
  }
  made.why.clear();
  made.end = Made::End::kPrepared;
  return made;
}

}  // namespace postern::jobs
