// Open, and the ledger that isn't there yet: readers of a new world see nothing, and write nothing.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "core/ledger/schema.h"
#include "core/ledger/sqlite_ledger.h"

namespace postern::ledger {
namespace {

class EmptyLedger final : public Ledger {
 public:
  const std::string& id() const override { return nothing_; }
  uint64_t generation() const override { return 0; }
  const std::string& secret_key() const override { return nothing_; }

  Result<std::vector<Recorded>> RecordedOf(std::string_view) override { return {}; }
  Result<std::vector<std::string>> RecordedTargets() override { return {}; }
  Result<std::vector<Recorded>> RecordedAt(uint64_t generation, std::string_view) override {
    if (generation == 0) return {};
    return Fail(ErrorCode::kNotFound,
                fmt::format("there is no generation {}: the newest is 0", generation));
  }
  Result<std::vector<Census>> LastCensus() override { return {}; }
  Result<std::vector<std::pair<std::string, uint32_t>>> AllocatedUids() override { return {}; }
  Result<std::vector<OpenIntent>> OpenIntents() override { return {}; }
  Result<std::vector<ApplyRow>> Applies(size_t) override { return {}; }
  Result<std::optional<ApplyRow>> FindApply(std::string_view) override { return {}; }
  Result<std::string> PlanOf(uint64_t apply) override {
    return Fail(ErrorCode::kNotFound, fmt::format("the ledger has no apply {}", apply));
  }
  Result<void> Events(uint64_t, const std::function<bool(const Event&)>&) override { return {}; }
  Result<uint64_t> Verify() override { return 0; }

  Result<std::unique_ptr<Lock>> Acquire(const std::string&) override { return ReadOnly(); }
  Result<uint64_t> BeginApply(const ApplyStart&) override { return ReadOnly(); }
  Result<void> Commit(uint64_t, std::span<const Outcome>, std::span<const Intent>) override {
    return ReadOnly();
  }
  Result<void> AllocateUids(std::span<const std::pair<std::string, uint32_t>>) override {
    return ReadOnly();
  }
  Result<void> RecordCensus(std::span<const Census>) override { return ReadOnly(); }
  Result<void> FinishApply(uint64_t, const std::string&) override { return ReadOnly(); }
  Result<std::vector<RosterRow>> Rosters() override { return std::vector<RosterRow>{}; }
  Result<void> RecordJob(const JobEvent&, const RosterRow*) override { return ReadOnly(); }

 private:
  static tl::unexpected<Error> ReadOnly() {
    return Fail(ErrorCode::kInvalid, "the ledger is open for reading only");
  }
  std::string nothing_;
};

}  // namespace

Result<std::unique_ptr<Ledger>> Ledger::Open(const std::string& path, Mode mode) {
  if (::access(path.c_str(), F_OK) != 0) {
    const int code = errno;
    if (code != ENOENT && code != ENOTDIR) {
      return Fail(ErrorCode::kDenied,
                  fmt::format("open {}: {}", path, std::generic_category().message(code)));
    }
    // A log without its file would be replayed into a new one, and is no new world anyway.
    if (::access((path + "-wal").c_str(), F_OK) == 0) {
      return Fail(ErrorCode::kIncomplete,
                  fmt::format("the ledger {0} is gone, but its log {0}-wal is there; restore both "
                              "from a copy",
                              path));
    }
    if (mode == Mode::kReadOnly) return std::make_unique<EmptyLedger>();
    POSTERN_LEDGER_TRY(CreateFile(path));
  }
  return SqliteLedger::Open(path, mode);
}

}  // namespace postern::ledger
