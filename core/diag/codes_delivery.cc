// Pages for delivery and encryption (E0860 to E0868).
#include "core/diag/codes.h"

namespace postern::diag::internal {
namespace {

constexpr CodePage kPages[] = {
    {code::kPlaceUnreachable, "the place doesn't answer",
     "No connection, or it broke. What was delivered so far stays; the next attempt goes on there.",
     "acme-drop: sftp.acme.test:22: Connection refused", "Try again; ask who runs the place."},
    {code::kPlaceRefuses, "the place refuses our login",
     "It refused each credential that is declared, in their order.",
     "acme-drop: partner.example:22 refused the password", "Declare the credential that it takes."},
    {code::kPlaceDenies, "the place doesn't allow it",
     "A folder that isn't there, no right to write, rename or read there, no room, or a call that "
     "it doesn't\n"
     "know.",
     "acme-drop: /in/users.csv.1f3a9c02.part: Permission denied",
     "Have the right given, or set `receiver` and `verify` of the endpoint to what it allows."},
    {code::kArrivedDifferent, "what arrived isn't what was sent",
     "Size or SHA-256 under the temporary name differ, twice. The final name was never given.",
     "/in/users.csv.1f3a9c02.part at the place isn't what was sent; it was removed there",
     "Ask whether the place alters files (text mode, virus scanner) or is full."},
    {code::kNameTaken, "other bytes under the final name",
     "This name was delivered before, or somebody else wrote it. Nothing is replaced unless the "
     "endpoint says\n"
     "receiver = \"rename\". A run that was prepared before keeps its bytes as well.",
     "/in/users_20270101.csv is there already with other bytes; nothing was replaced",
     "Put {seq} into the name, or remove the other file. A run that waits is let go when another "
     "name\nor folder is declared and applied."},
    {code::kDeliveryBroke, "the delivery failed by itself",
     "The delivery program or the job's outbox broke, not the place.",
     "the outbox /var/lib/postern/jobs/users/outbox.db: disk I/O error",
     "Look at the runner's disk and log; the run goes on where it was."},
    {code::kNotEncrypted, "a key that can't be encrypted to",
     "Unknown in the runner's gpg home, expired, revoked, not for encryption, or named by less "
     "than "
     "its full\n"
     "fingerprint; or the program isn't there. Nothing is delivered in the clear.",
     "the OpenPGP key 9F3A...01C7 expired on 2026-12-31",
     "Import the receiver's new key into the gpg home, and name its fingerprint."},
    {code::kBadSignature, "a signature that doesn't hold",
     "The file isn't signed, was changed, or another key signed it than signed_by names.",
     "roster.csv.gpg: signed by 77AB...9D10, not by signed_by 9F3A...01C7",
     "Ask the sender; nothing of the file was read."},
    {code::kKeyExpires, "a key ends soon",
     "From its end on nothing can be encrypted to it, and the job stops.",
     "the OpenPGP key 9F3A...01C7 expires on 2027-01-02", "Ask the receiver for a new one."},
    {code::kUnanswered, "the receiver never answered",
     "The file was delivered, and no acknowledgement came in `ack_minutes`. Every later run looks "
     "for it again; until then a delta starts from the last run that was acknowledged.",
     "export.erp: run 41 is unanswered since 2027-03-01T04:30:00Z",
     "Ask the receiver whether it took the file; `postern job history NAME` shows the run."},
    {code::kAlertFailed, "nobody was told of a run",
     "The program that the runner's `alert` names isn't there, ended badly, or took more than a "
     "minute.\nThe run itself isn't touched by that.",
     "nobody was told of this run: curl: (7) Failed to connect",
     "Start the program by hand with STATE/jobs/NAME/alert.json as its input, as the jobs' user."},
    {code::kRunLetGo, "a run that was made for what isn't declared now",
     "A run that couldn't be delivered waits on the runner. Since then another receiver, place, "
     "folder,\nselection or form was declared and applied: it goes to nobody any more. It stands "
     "in the history\nas abandoned, and what is due is made anew, as it is declared now.",
     "export.erp: run 41 was made for partner:acme at sftp://wong@files.acme.test, /inn",
     "Nothing to do, unless it says that something stands at the place: only who runs that place "
     "can say\nwhether it has been read. `postern job history NAME` shows the run."},
    {code::kSlotWithout, "a credential that isn't on the runner yet",
     "A service account has two credentials, next and current, and the secret of one of them can't "
     "be read where the job runs. The other one was used.",
     "export.erp: next isn't used: secret:feed-2028: can't read /etc/postern/secrets/feed-2028",
     "Put the secret there before current is taken away."},
};

}  // namespace

std::span<const CodePage> DeliveryCodes() {
  return kPages;
}

}  // namespace postern::diag::internal
