#include "core/jobs/deliver.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/hash.h"
#include "core/base/kill_point.h"
#include "core/base/time.h"

namespace postern::jobs {
namespace {

// A shorter part isn't worth asking for: sending it again costs less than two round trips.
constexpr uint64_t kWorthResuming = uint64_t{1} << 20;
constexpr int kAttempts = 2;  // to send bytes that arrive otherwise than they were sent

// One file of the order, from a local one or (where that is empty) with `text` as its bytes.
struct Item {
  std::string name;  // "file", "checksum", ..., "set/a.pdf"
  std::string text, local;
  SentFile sent;
};

tl::unexpected<Error> Differs(const SentFile& sent, const std::string& what) {
  return Fail(ErrorCode::kIncomplete,
              fmt::format("{} at the place {}; it was removed there", sent.temporary, what));
}

class Sender {
 public:
  Sender(Place& place, Outbox& outbox, const Parcel& parcel,
         const std::function<void(uint64_t)>& progress)
      : place_(place), outbox_(outbox), parcel_(parcel), progress_(progress) {}

  Result<Delivered> Run() {
    auto state = outbox_.StateOf(parcel_.run);
    if (!state) return tl::unexpected(state.error());
    if (*state >= SendState::kTriggered) {
      delivered_.state = *state;
      return delivered_;
    }
    for (const std::string& name : parcel_.order) {
      if (name == "file") POSTERN_LEDGER_TRY(BringSet());
      auto item = Prepare(name);
      if (!item) return tl::unexpected(item.error());
      base::KillPoint("deliver.item");
      POSTERN_LEDGER_TRY(Bring(*item));
      file_stands_ = file_stands_ || name == "file";
    }
    POSTERN_LEDGER_TRY(outbox_.SetState(parcel_.run, SendState::kTriggered, base::Now()));
    return delivered_;
  }

 private:
  bool direct() const { return parcel_.receiver == Receiver::kDirect; }
  static bool IsFile(const Item& item) { return !item.local.empty(); }

  Result<void> BringSet() {
    for (const SetFile& file : parcel_.set) {
      Item item;
      item.name = "set/" + file.path;
      item.local = file.file;
      item.sent.bytes = file.bytes;
      item.sent.sha256 = file.sha256;
      POSTERN_LEDGER_TRY(PrepareAs(file.path, &item));
      base::KillPoint("deliver.item");
      auto brought = Bring(item);
      if (brought) continue;
      const size_t end = file.path.rfind('/');
      if (brought.error().code != ErrorCode::kNotFound || end == std::string::npos) return brought;
      return base::Wrap(fmt::format("is there a folder {}? It is the receiver's to make",
                                    JoinPath(parcel_.folder, file.path.substr(0, end))),
                        brought.error());
    }
    return {};
  }

  Result<Item> Prepare(const std::string& name) {
    Item item;
    item.name = name;
    std::string ending;
    if (name == "checksum") {
      ending = ".sha256";
      item.text = parcel_.sha256 + "  " + parcel_.name + "\n";
    } else if (name == "trigger") {
      ending = parcel_.trigger;
    } else if (name == "manifest") {
      ending = ".manifest.json";
      item.text = parcel_.manifest;
    } else if (name == "file") {
      item.local = parcel_.file;
    } else {
      return Fail(ErrorCode::kInvalid, fmt::format("nothing is called {} in an order", name));
    }
    item.sent.bytes = IsFile(item) ? parcel_.bytes : item.text.size();
    item.sent.sha256 = IsFile(item) ? parcel_.sha256 : base::Hex(base::Sha256(item.text));
    POSTERN_LEDGER_TRY(PrepareAs(parcel_.name + ending, &item));
    return item;
  }

  // Decides its names, for ever. `path`: below the parcel's folder.
  Result<void> PrepareAs(const std::string& path, Item* item) {
    SentFile& sent = item->sent;
    sent.run = parcel_.run;
    sent.item = item->name;
    sent.path = JoinPath(parcel_.folder, path);
    // With the run in it: what a killed run's connection still writes never meets another run's.
    sent.temporary =
        direct() ? sent.path
                 : fmt::format("{}.{}{}", sent.path, parcel_.run.substr(0, 8), parcel_.temporary);
    auto known = outbox_.Prepare(sent);
    if (!known) return tl::unexpected(known.error());
    sent = std::move(*known);
    return {};
  }

  Result<void> Note(Item& item, SendState state) {
    POSTERN_LEDGER_TRY(outbox_.SetFile(parcel_.run, item.name, state));
    item.sent.state = state;
    return {};
  }

  Result<void> Bring(Item& item) {
    if (item.sent.state >= SendState::kPlaced) return {};
    // As it was prepared: with a final name alone there is nothing to rename.
    if (item.sent.temporary == item.sent.path) return BringDirect(item);
    for (int attempt = 1; item.sent.state < SendState::kPlaced; ++attempt) {
      if (item.sent.state < SendState::kVerified) {
        auto right = SendAndCheck(item);
        if (!right) return tl::unexpected(right.error());
        if (!*right) {
          if (attempt == kAttempts) return Differs(item.sent, "isn't what was sent");
          continue;
        }
        POSTERN_LEDGER_TRY(Note(item, SendState::kVerified));
        base::KillPoint("deliver.verified");
      }
      POSTERN_LEDGER_TRY(MoveToItsName(item));
      if (attempt > kAttempts) return Differs(item.sent, "was changed after it was checked");
    }
    return {};
  }

  // False: what arrived isn't what was sent; it is gone from the place.
  Result<bool> SendAndCheck(Item& item) {
    if (parcel_.receiver == Receiver::kUnique) {
      auto there = AlreadyThere(item.sent.path, item.sent);
      if (!there) return tl::unexpected(there.error());
      if (*there) {
        POSTERN_LEDGER_TRY(Note(item, SendState::kVerified));
        return true;
      }
    }
    bool checked = false;
    POSTERN_LEDGER_TRY(SendWhatIsMissing(item, &checked));
    POSTERN_LEDGER_TRY(Note(item, SendState::kSent));
    if (checked) return true;
    auto right = IsRight(item.sent.temporary, item.sent);
    if (!right || *right) return right;
    POSTERN_LEDGER_TRY(RemoveIfThere(item.sent.temporary));
    POSTERN_LEDGER_TRY(Note(item, SendState::kPrepared));
    return false;
  }

  // The final name holds our bytes: true. Nothing is there: false. kConflict: other bytes.
  Result<bool> AlreadyThere(const std::string& path, const SentFile& sent) {
    auto found = place_.Stat(path);
    if (!found) return tl::unexpected(found.error());
    if (!*found) return false;
    if ((*found)->bytes == sent.bytes && !(*found)->folder) {
      auto hash = HashAt(place_, path);
      if (!hash && hash.error().code != ErrorCode::kNotFound) return tl::unexpected(hash.error());
      if (hash && *hash == sent.sha256) return true;
    }
    return Fail(ErrorCode::kConflict,
                fmt::format("{} is there already with other bytes; nothing was replaced", path));
  }

  // Leaves all bytes under the temporary name. `checked`: they were read back on the way.
  Result<void> SendWhatIsMissing(Item& item, bool* checked) {
    const SentFile& sent = item.sent;
    auto found = place_.Stat(sent.temporary);
    if (!found) return tl::unexpected(found.error());
    uint64_t offset = 0;
    if (*found) {
      auto right = RightPart(item, (*found)->bytes);
      if (!right) return tl::unexpected(right.error());
      offset = *right;
      *checked = offset == sent.bytes && offset > 0;
      if (*checked) return {};
      // Some servers refuse to open an existing file for writing; all know how to remove one.
      if (offset == 0) POSTERN_LEDGER_TRY(RemoveIfThere(sent.temporary));
    }
    if (offset > 0) {
      auto put = Put(item, sent.temporary, offset);
      const bool refused = !put && (put.error().code == ErrorCode::kDenied ||
                                    put.error().code == ErrorCode::kUnsupported);
      if (!refused) {
        delivered_.resumed = put.has_value();
        return put;
      }
      POSTERN_LEDGER_TRY(RemoveIfThere(sent.temporary));
    }
    return Put(item, sent.temporary, 0);
  }

  // How many bytes of what is there may stay: 0, or all of it when it is a beginning of ours.
  Result<uint64_t> RightPart(const Item& item, uint64_t there) {
    const SentFile& sent = item.sent;
    if (!IsFile(item) || there > sent.bytes || there < std::min(kWorthResuming, sent.bytes)) {
      return 0;
    }
    if (there < sent.bytes && !place_.features().continues) return 0;
    uint64_t bytes = 0;
    auto theirs = HashAt(place_, sent.temporary, &bytes);
    if (!theirs) return tl::unexpected(theirs.error());
    auto ours = HashFile(item.local, bytes);
    if (!ours) return tl::unexpected(ours.error());
    return bytes == there && *ours == *theirs ? there : 0;
  }

  Result<void> Put(const Item& item, const std::string& path, uint64_t offset) {
    PutOptions options;
    options.offset = offset;
    if (!IsFile(item)) return place_.Put(path, TextSource(item.text), options);
    options.progress = [&](uint64_t bytes) {
      base::KillPoint("deliver.progress");
      if (progress_) progress_(offset + bytes);
    };
    auto source = OpenSource(item.local, offset);
    if (!source) return tl::unexpected(source.error());
    POSTERN_LEDGER_TRY(place_.Put(path, *source, options));
    delivered_.sent_bytes += item.sent.bytes - offset;
    base::KillPoint("deliver.sent");
    return {};
  }

  Result<bool> IsRight(const std::string& path, const SentFile& sent) {
    if (parcel_.verify == Verify::kSize) {
      auto found = place_.Stat(path);
      if (!found) return tl::unexpected(found.error());
      return *found && (*found)->bytes == sent.bytes;
    }
    auto hash = HashAt(place_, path);
    if (!hash) return tl::unexpected(hash.error());
    return *hash == sent.sha256;
  }

  Result<void> RemoveIfThere(const std::string& path) {
    auto removed = place_.Remove(path);
    if (!removed && removed.error().code != ErrorCode::kNotFound) return removed;
    return {};
  }

  // What an earlier file of this name left: its trigger would say that this one is whole, its
  // answer that this one was taken. Called just before a final name is given, never after the file
  // has its own: from then on a trigger and an answer are this file's.
  Result<void> ClearEarlier(const Item& item) {
    if (file_stands_ || (cleared_ && item.name != "file")) return {};
    const std::string path = JoinPath(parcel_.folder, parcel_.name);
    const bool triggers =
        std::find(parcel_.order.begin(), parcel_.order.end(), "trigger") != parcel_.order.end();
    if (triggers) POSTERN_LEDGER_TRY(Clear(path + parcel_.trigger));
    if (!parcel_.ack.empty() && parcel_.ack != "gone") {
      POSTERN_LEDGER_TRY(Clear(path + parcel_.ack));
    }
    if (!parcel_.reject.empty()) POSTERN_LEDGER_TRY(Clear(path + parcel_.reject));
    cleared_ = true;
    return {};
  }

  // What may not be removed is noted: it is no answer as long as it stays as it is.
  Result<void> Clear(const std::string& path) {
    auto there = place_.Stat(path);
    if (!there) return tl::unexpected(there.error());
    if (*there) {
      auto removed = place_.Remove(path);
      const bool may = removed || (removed.error().code != ErrorCode::kDenied &&
                                   removed.error().code != ErrorCode::kUnsupported);
      if (!removed && may && removed.error().code != ErrorCode::kNotFound) return removed;
      if (!may) {
        return outbox_.SetEarlier(parcel_.run, path, Earlier{(*there)->bytes, (*there)->modified});
      }
    }
    return outbox_.SetEarlier(parcel_.run, path, std::nullopt);
  }

  // Only we take the temporary name away, and only by renaming it; so once it was checked, that it
  // is gone says that the renaming was done, whoever took the final name since.
  Result<void> MoveToItsName(Item& item) {
    const SentFile& sent = item.sent;
    auto found = place_.Stat(sent.temporary);
    if (!found) return tl::unexpected(found.error());
    if (!*found) {
      auto placed = place_.Stat(sent.path);
      if (!placed) return tl::unexpected(placed.error());
      if (!*placed) delivered_.taken = true;
      return Note(item, SendState::kPlaced);
    }
    if ((*found)->bytes != sent.bytes) return Note(item, SendState::kPrepared);
    POSTERN_LEDGER_TRY(ClearEarlier(item));
    auto renamed = place_.Rename(sent.temporary, sent.path, parcel_.receiver == Receiver::kRename);
    if (!renamed) return renamed;
    base::KillPoint("deliver.renamed");
    return Note(item, SendState::kPlaced);
  }

  // The final name from the start: what is there can be a part of ours, never be replaced when it
  // is another's, and may be taken away as soon as it is closed.
  Result<void> BringDirect(Item& item) {
    const SentFile& sent = item.sent;
    auto found = place_.Stat(sent.path);
    if (!found) return tl::unexpected(found.error());
    if (*found) {
      auto whole = BeginsAsOurs(item, (*found)->bytes);
      if (!whole) return tl::unexpected(whole.error());
      if (*whole) return Note(item, SendState::kPlaced);
      POSTERN_LEDGER_TRY(RemoveIfThere(sent.path));
    }
    POSTERN_LEDGER_TRY(ClearEarlier(item));
    POSTERN_LEDGER_TRY(Put(item, sent.path, 0));
    auto right = IsRight(sent.path, sent);
    if (!right && right.error().code != ErrorCode::kNotFound) return tl::unexpected(right.error());
    if (!right || !*right) {
      // Gone means taken; there and otherwise is an error.
      auto still = place_.Stat(sent.path);
      if (!still) return tl::unexpected(still.error());
      if (*still) return Differs(sent, "isn't what was sent");
      delivered_.taken = true;
    }
    return Note(item, SendState::kPlaced);
  }

  // True: it is all of ours; false: a part of it; kConflict: another's.
  Result<bool> BeginsAsOurs(const Item& item, uint64_t there) {
    const auto conflict = [&] {
      return Fail(ErrorCode::kConflict,
                  fmt::format("{} is there already with other bytes; nothing was replaced",
                              item.sent.path));
    };
    if (there > item.sent.bytes) return conflict();
    auto theirs = HashAt(place_, item.sent.path, &there);
    if (!theirs) return tl::unexpected(theirs.error());
    if (there > item.sent.bytes) return conflict();
    auto ours = IsFile(item) ? HashFile(item.local, there)
                             : base::Hex(base::Sha256(item.text.substr(0, there)));
    if (!ours) return tl::unexpected(ours.error());
    if (*ours != *theirs) return conflict();
    return there == item.sent.bytes;
  }

  Place& place_;
  Outbox& outbox_;
  const Parcel& parcel_;
  const std::function<void(uint64_t)>& progress_;
  Delivered delivered_;
  bool cleared_ = false;      // what an earlier file of this name left
  bool file_stands_ = false;  // under its final name
};

}  // namespace

Result<Delivered> Deliver(Place& place, Outbox& outbox, const Parcel& parcel,
                          const std::function<void(uint64_t)>& progress) {
  return Sender(place, outbox, parcel, progress).Run();
}

}  // namespace postern::jobs
