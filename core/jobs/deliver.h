// core/jobs/deliver.h: brings one file of a run to a place, whole and once.
//
// Each item of the order is written under a temporary name in the same folder, checked there, and
// renamed; so a consumer that looks by final names never sees a part. Killed at any instruction
// and called again with the same parcel and outbox it ends with the same names and bytes. With
// `direct` (places where files are taken as soon as they are closed, or can't be renamed) files are
// written under their final names: then a consumer waits for the trigger, and a kill between the
// close and our note of it sends the same name and bytes again.
//
// Where a name is used again, the trigger and the answer of its earlier file are removed just
// before the new one gets it; what may not be removed counts as an answer only when it has changed
// since.
//
// One thread. Errors: those of Place; kIncomplete when what arrived isn't what was sent; kConflict
// when the name is taken by other bytes; those of Outbox. A transient one: open the place anew and
// call again. Sources: file-transfer facts (SFTP version 3 rename, draft-ietf-secsh-filexfer-02
// section 6.5, refuses an existing name; FTP has no end-of-file mark, RFC 959 section 3.4.1).
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/jobs/outbox.h"
#include "core/jobs/place.h"
#include "schemas/job_declarations.pb.h"

namespace postern::jobs {

// As decl::Endpoint says.
enum class Receiver : uint8_t { kRename, kUnique, kDirect };
enum class Verify : uint8_t { kSize, kReadBack };

// A file of a set, which goes out before the file that lists the set.
struct SetFile {
  std::string path;  // final, below the parcel's folder; the folders in it are there already
  std::string file;  // local
  uint64_t bytes = 0;
  std::string sha256;
};

struct Parcel {
  std::string run;     // RunId; its run is known to the outbox
  Terms terms;         // that are declared now: whose earlier files count, and may go
  std::string folder;  // at the place
  std::string name;    // final name
  std::string temporary = ".part";
  std::string file;  // local
  uint64_t bytes = 0;
  std::string sha256;        // of the local file, in hex
  std::vector<SetFile> set;  // brought where "file" stands in the order, before the file itself
  std::vector<std::string> order = {"file", "checksum", "manifest"};
  std::string trigger;   // ending; used when "trigger" is in the order
  std::string manifest;  // its bytes; its name is NAME.manifest.json
  Receiver receiver = Receiver::kUnique;
  Verify verify = Verify::kReadBack;
  std::string ack, reject;  // endings; ack "gone": the file disappears. Empty: not waited for
  std::chrono::minutes ack_limit{120};
};

// What the declarations say of it; run, name, file, bytes, sha256 and manifest are the caller's.
Parcel ParcelOf(const decl::Deliver& deliver, const decl::Endpoint& endpoint);

struct Delivered {
  SendState state = SendState::kTriggered;
  uint64_t sent_bytes = 0;  // of files in this call; 0: all were there already
  bool resumed = false;     // an earlier part was right and was gone on with
  // The temporary name of a verified file was gone, and no final one there: a consumer took the
  // file before we saw it.
  bool taken = false;
};

// `progress`: bytes of the file so far.
Result<Delivered> Deliver(Place& place, Outbox& outbox, const Parcel& parcel,
                          const std::function<void(uint64_t)>& progress = {});

// After Deliver: looks for the receiver's answer until there is one or the parcel's limit, counted
// from when it was triggered, is over. `now` and `wait` are the caller's clock (`wait` false: give
// up now). Answers kAcknowledged, kRejected, or kTriggered when no answer came.
struct Clock {
  std::function<base::Instant()> now;
  std::function<bool(std::chrono::seconds)> wait;
};
Result<SendState> AwaitAnswer(Place& place, Outbox& outbox, const Parcel& parcel,
                              const Clock& clock);

// One look for the answer of a run whose limit is over: as AwaitAnswer, without waiting.
Result<SendState> LookAgain(Place& place, Outbox& outbox, const Parcel& parcel, base::Instant now);

struct Removed {
  std::vector<std::string> files;     // paths that were removed
  std::vector<std::string> problems;  // one line each about what couldn't be
};
// At the place: of the files of this job that went there, the newest `keep.remote_files` stay, with
// all that belongs to them, and always the last that was triggered (with acknowledgements: the last
// acknowledged as well). Nothing under `hold`, nothing when remote_files isn't set.
Result<Removed> RetainRemote(Place& place, Outbox& outbox, const Parcel& parcel,
                             const decl::Keep& keep);
// Temporary files at the place of runs that are over and never became whole ("abandoned"): only
// names that the outbox has given such a run at this place (`to`: Terms::to). What couldn't be
// removed is tried again.
Result<Removed> RemoveAbandoned(Place& place, Outbox& outbox, std::string_view to);
// On the runner: folders FOLDER/RUN that are older than `keep.local_days` by the run's slot. Those
// of runs that aren't delivered yet and of the last delivered one stay.
Result<Removed> RetainLocal(const std::string& folder, Outbox& outbox, const decl::Keep& keep,
                            base::Instant now);

// Codes of E0860-E0869: for an error of this header or of OpenPlace, and for one of encrypt.h.
std::string_view DeliveryCode(const Error& error);
std::string_view EncryptionCode(const Error& error);

}  // namespace postern::jobs
