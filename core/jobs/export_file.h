// core/jobs/export_file.h: one run's file, from the census to the bytes that will be delivered.
//
// FOLDER/out/RUN/ holds the file and then its manifest: a run that has a manifest is prepared. Of a
// distribution it holds the files as well, in set/, as copies: what goes out is what was hashed,
// also when a file changes later or the run is delivered again.
// FOLDER/states/RUN-SCHEMA is what it publishes (core/jobs/delta.h). Killed before the manifest
// stands, nothing has gone out and the slot is made again; the same census gives the same run and
// number. One thread. Memory: that of RowStore, plus what Selection says.
#pragma once
#include <functional>
#include <optional>
#include <string>

#include "core/diag/diagnostic.h"
#include "core/jobs/census.h"
#include "core/jobs/deliver.h"
#include "core/jobs/manifest.h"
#include "core/jobs/mapping.h"
#include "core/jobs/outbox.h"
#include "core/jobs/row_store.h"
#include "schemas/job.pb.h"

namespace postern::jobs {

// What a run reaches the world through. The functions are called on the run's own thread.
struct Ports {
  struct OpenedAt {
    std::unique_ptr<Place> place;
    std::string credential;             // fingerprint or name of what opened it
    std::vector<std::string> left_out;  // credentials that couldn't be tried (credentials.h)
  };
  // "directory:corp": an open target that lasts as long as the ports.
  std::function<Result<object::Target*>(const std::string& source)> source;
  std::function<Result<OpenedAt>()> place;
  // By its name without "secret:".
  std::function<Result<std::string>(const std::string& name)> secret;
  // Rows of What::kEntitlements: who may do what where, as observed now.
  std::function<Result<void>(const TakeRow& take, CensusReport* report)> entitlements;
  // All that is live in the job's sources, as one sealed file (core/jobs/snapshot); how many
  // objects it holds. kIncomplete: the diagnostics say what stands in the way.
  std::function<Result<uint64_t>(base::Instant taken, const Sink& sink,
                                 diag::Diagnostics* diagnostics)>
      snapshot;
  Clock clock;
  // What goes on; `done` counts rows or bytes. May be empty.
  std::function<void(const char* doing, uint64_t done)> progress;
};

// What a slot came to.
struct Made {
  enum class End : uint8_t {
    kPrepared,  // `manifest` says what goes out
    kNothing,   // a delta without a change: there is no file
    kRefused,   // the diagnostics say why; nothing may be published
  };
  End end = End::kRefused;
  Manifest manifest;
  uint64_t rows = 0;  // of the census
  std::string why;    // of kRefused, one line
};

class ExportFile {
 public:
  // All outlive it. `digest`: of the specification.
  ExportFile(const job::JobSpec& spec, std::string digest, std::string folder, Outbox& outbox,
             const Ports& ports, diag::Diagnostics* diagnostics);

  // `full`: the receiver or an operator wants a full file, whatever the mode.
  Result<Made> Make(base::Instant slot, bool full);

  static std::string FolderOfRun(const std::string& folder, const std::string& run);
  static std::string ManifestOfRun(const std::string& folder, const std::string& run);
  // Published states that no delta can start from any more go: older than what `receiver` had last.
  static Result<void> ForgetStates(const std::string& folder, Outbox& outbox, bool acknowledged,
                                   const Terms& receiver);

 private:
  struct Base {
    std::string state;  // path; empty: the next file is full
    RunRow run;         // delivered last to the same receiver; its id is empty: nothing was
    uint64_t rows = 0;  // of the newest census by the same selection; 0: none was delivered
  };
  Made Refuse(const char* code, std::string why, std::string way_out);
  std::optional<Made> Read(RowStore* store, Error* failed);
  Result<void> ReadSource(const std::string& name, What what, RowStore* store);
  // Into the store with its digest behind it, which is taken here because a census waits for its
  // source most of the time.
  Result<void> KeepRow(RowStore* store, std::string_view key, std::string_view record);
  Result<bool> ChooseMapping(What what, SourceType source, const std::string& name);
  // What went before (export_base.cc).
  Result<Base> FindBase(bool full);
  Result<uint64_t> CountRunsSinceFull();
  std::optional<Made> CheckCount(uint64_t rows, const Base& base);
  Result<RunRow> FutureRun(base::Instant slot, const std::string& census, base::Instant began);
  Result<std::optional<Made>> Gather(RowStore* store);
  // Of a snapshot (export_snapshot.cc): the whole way, since it has no rows.
  Result<Made> MakeSnapshot(base::Instant slot);
  Result<std::optional<Made>> TakeSnapshot(base::Instant taken, const std::string& path,
                                           Manifest* manifest);
  Result<void> MoveSnapshot(const std::string& from, Manifest* manifest);
  // Of a distribution (export_set.cc).
  std::optional<Made> ReadSet(RowStore* store, Error* failed);
  Result<void> TakeSetFile(const SourceRow& row, RowStore* store);
  bool SetCanGo(const Manifest& manifest);
  Result<void> KeepSet(Manifest* manifest);
  void Describe(const Base& base, const RunRow& run, Manifest* manifest) const;
  Result<void> Prepare(const RunRow& run, const Manifest& manifest);
  Result<uint64_t> KeepState(RowStore& store, const Base& base, std::string* census);
  Result<void> WriteFile(RowStore& store, const Base& base, Manifest* manifest);
  Result<void> WriteRows(RowStore& store, const Base& base, Writer& writer);
  Result<void> Encrypt(Manifest* manifest);
  Result<void> EncryptTo(const std::string& plain, const std::string& final);
  Result<std::string> NameOf(const Manifest& manifest) const;
  std::string StatePath(const std::string& run) const;
  void Progress(const char* doing, uint64_t done) const;

  const job::JobSpec& spec_;
  const decl::Export& declared_;
  const std::string digest_, folder_, subject_;
  const Terms terms_;
  Outbox& outbox_;
  const Ports& ports_;
  diag::Diagnostics* const diagnostics_;
  std::optional<Mapping> mapping_;
  CensusReport report_;
  std::string stored_;             // of KeepRow
  std::vector<ManifestFile> set_;  // in the order of the folder
};

}  // namespace postern::jobs
