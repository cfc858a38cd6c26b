// core/diag/codes.h: every code that Postern can say, by name, with its page for `postern explain`.
//
// Code uses the constants below, never the literal. Numbers are for ever: a code that is no longer
// raised stays here as retired. E01 files, E02 values, E03 duplicates, E04 what a product can do,
// E05 targets, E06 plan and limits, E07 apply and ledger, E08 files and times of jobs; W warnings
// by the same areas.
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace postern::diag {

namespace code {
// ---- E01: files and syntax (config)
inline constexpr char kFileUnreadable[] = "E0101";  // a file or the tree can't be read
inline constexpr char kFileTooLarge[] = "E0102";    // more than 16 MiB in one file
inline constexpr char kSyntax[] = "E0103";          // not TOML
inline constexpr char kNotUtf8[] = "E0104";         // bytes that aren't UTF-8
inline constexpr char kSymbolicLink[] = "E0105";    // a link in the reviewed tree
// ---- E02: names, references, values (config)
inline constexpr char kUnknownTable[] = "E0201";     // [acount.x]
inline constexpr char kUnknownKey[] = "E0202";       // hmoe = "..."
inline constexpr char kWrongType[] = "E0203";        // a number where text is expected
inline constexpr char kUnknownName[] = "E0204";      // a reference to something not declared
inline constexpr char kReferenceForm[] = "E0205";    // "acme" where "partner:acme" is expected
inline constexpr char kMissingKey[] = "E0206";       // a required key isn't there
inline constexpr char kNotAllowed[] = "E0207";       // not one of the allowed values
inline constexpr char kBadName[] = "E0208";          // a name with blanks, slashes, ...
inline constexpr char kHiddenCharacter[] = "E0209";  // control or bidi characters
inline constexpr char kBadPath[] = "E0210";          // relative, dotted, trailing slash
inline constexpr char kBadTime[] = "E0211";          // a time without a zone
inline constexpr char kTimesReversed[] = "E0212";    // starts after it ends
inline constexpr char kSecretName[] = "E0213";       // not "secret:NAME"
inline constexpr char kLooksSecret[] = "E0214";      // a value that looks like a secret
inline constexpr char kBadSshKey[] = "E0215";        // not a line of an OpenSSH public key
inline constexpr char kBadLogin[] = "E0216";         // a login that no server would take
inline constexpr char kBadMode[] = "E0217";          // not "0750"
inline constexpr char kBadDn[] = "E0218";            // not a distinguished name
inline constexpr char kBadMail[] = "E0219";          // not a mail address
inline constexpr char kOperatorOnly[] = "E0220";     // operator's table in the reviewed tree
inline constexpr char kReviewedOnly[] = "E0221";     // reviewed table in the operator's file
inline constexpr char kOutOfRange[] = "E0222";       // a number below or above what is possible
inline constexpr char kEmptyList[] = "E0223";        // an empty list without empty = "intended"
inline constexpr char kBadAddress[] = "E0224";       // host address or directory URL
inline constexpr char kSecretSource[] = "E0225";  // secret's `from` isn't env:, file:, fd:, exec:
inline constexpr char kUidRange[] = "E0226";      // uids reversed, too low, or outside
inline constexpr char kBadSetting[] = "E0227";    // another text with a form of its own
inline constexpr char kTableShape[] = "E0228";    // [grant] for [[grant]], [account] without a name
inline constexpr char kGroupCycle[] = "E0229";    // a group that contains itself
inline constexpr char kNoDn[] = "E0230";          // neither dn nor a default place for it
inline constexpr char kClearText[] = "E0231";     // ldap without TLS beyond loopback
inline constexpr char kHostKeyMissing[] = "E0232";  // ssh:// without known_host
inline constexpr char kModeBesideAcl[] = "E0233";   // a folder's mode where ACLs carry the grants
inline constexpr char kBadSource[] = "E0234";       // not an address, a block or a pattern
inline constexpr char kSourceLimits[] = "E0235";    // what an account of a directory can't have
inline constexpr char kAuthUnclear[] = "E0236";     // not exactly one way to be somebody at an iam
inline constexpr char kOtherProduct[] = "E0237";    // what this product of an iam doesn't have
inline constexpr char kBadIamName[] = "E0238";      // a name that an IAM system may read otherwise
inline constexpr char kUnknownPartition[] = "E0239";  // a name in a partition that isn't managed
inline constexpr char kOtherIam[] = "E0240";          // a member that lives in another system
inline constexpr char kRoleMember[] = "E0241";        // neither somebody named nor a source
inline constexpr char kBadTemplate[] = "E0242";       // a login or folder that no value can fill
// ---- E03: duplicates and overlaps (config)
inline constexpr char kDuplicateName[] = "E0301";  // one name declared twice
inline constexpr char kSameAccount[] = "E0302";    // one login at one server twice
inline constexpr char kSameFolder[] = "E0303";     // one path on one host twice
inline constexpr char kSameEntry[] = "E0304";      // one DN in one directory twice
inline constexpr char kSameTarget[] = "E0305";     // two hosts or servers that are one
inline constexpr char kSameUid[] = "E0306";        // one uid for two accounts of a server
inline constexpr char kSameIamObject[] = "E0307";  // one user, group or client of an iam twice
inline constexpr char kSameRow[] = "E0308";        // one folder at one depth twice in a role
// ---- E04: what a product can do, what a grant opens (compile)
inline constexpr char kGrantWider[] = "E0402";        // the server would give more than said
inline constexpr char kGrantUnreachable[] = "E0403";  // the login folder doesn't lead there
inline constexpr char kOutsideScope[] = "E0404";      // outside what `manage` names
inline constexpr char kForeignRule[] = "E0405";       // a rule by another hand on a path we need
inline constexpr char kNotComputable[] = "E0406";     // access here can't be computed
inline constexpr char kNotExpressible[] = "E0407";    // a combination that the product can't say
inline constexpr char kUidsExhausted[] = "E0409";     // no numeric id is left, or no range given
inline constexpr char kHomeOutside[] = "E0410";       // login folder outside the managed roots
inline constexpr char kWayInMissing[] = "E0411";      // no way in at the server for this credential
inline constexpr char kFieldUnsupported[] = "E0413";  // a field that the product doesn't have
inline constexpr char kAmbiguousPerson[] = "E0421";   // two users of a source with one join value
inline constexpr char kSameLoginTwice[] = "E0422";    // facts give two people one login
inline constexpr char kLoginDeclared[] = "E0423";     // facts give a login that is declared
// ---- E05: targets (observe, providers)
inline constexpr char kUnreachable[] = "E0501";     // no connection
inline constexpr char kUntrusted[] = "E0502";       // another host key or certificate than declared
inline constexpr char kLoginRefused[] = "E0503";    // wrong password, or key not accepted
inline constexpr char kIncomplete[] = "E0504";      // an answer that isn't all
inline constexpr char kProviderStart[] = "E0506";   // the provider couldn't be started
inline constexpr char kTargetDenied[] = "E0507";    // the target refuses what we ask
inline constexpr char kSecretMissing[] = "E0510";   // no value for secret:NAME
inline constexpr char kTimeout[] = "E0512";         // no answer in time
inline constexpr char kProtocolBroken[] = "E0513";  // the provider breaks the protocol
inline constexpr char kUnreadable[] = "E0514";      // an object or field that couldn't be read
inline constexpr char kShrunk[] = "E0515";          // far fewer objects than last time
inline constexpr char kTargetNotReady[] = "E0517";  // the target needs something first (doctor)
// ---- E06: plan, limits, invariants (plan)
inline constexpr char kLimitPeople[] = "E0601";   // too many people lose access
inline constexpr char kLimitRemoved[] = "E0602";  // too many objects removed or disabled
inline constexpr char kLimitChanged[] = "E0603";  // too large a share of a kind changes
inline constexpr char kFloor[] = "E0604";         // no administrator would be left
inline constexpr char kBreakGlass[] = "E0605";    // touches a break-glass or our own account
inline constexpr char kInvariant[] = "E0606";     // the plan breaks an invariant: our bug
inline constexpr char kHeld[] = "E0607";          // a decision needs a fact that wasn't read
inline constexpr char kReplaced[] = "E0608";      // a new id stands under an old key
inline constexpr char kAsOf[] = "E0609";          // what a plan for another moment may not do
inline constexpr char kNoSuchTarget[] = "E0610";  // --target names nothing
// ---- E07: apply, ledger, plan file
inline constexpr char kStale[] = "E0701";             // the world moved since the plan
inline constexpr char kLedgerLocked[] = "E0702";      // another apply holds the ledger
inline constexpr char kPlanDamaged[] = "E0703";       // the plan file isn't what was saved
inline constexpr char kLedgerDamaged[] = "E0704";     // the event log's chain is broken
inline constexpr char kReadBack[] = "E0707";          // the read-back isn't what was written
inline constexpr char kOtherWorld[] = "E0711";        // plan file of another ledger
inline constexpr char kNeedsYes[] = "E0712";          // no terminal to ask on
inline constexpr char kNewerFormat[] = "E0713";       // plan file or ledger by a newer Postern
inline constexpr char kLedgerUnreadable[] = "E0714";  // the ledger can't be opened or written
inline constexpr char kUsage[] = "E0716";             // a command line that can't be meant
// ---- E08: files and times of export and import jobs (jobs)
inline constexpr char kValueUnwritable[] = "E0801";  // what format or encoding can't hold
inline constexpr char kFormula[] = "E0802";          // a cell that a spreadsheet would run
inline constexpr char kListElement[] = "E0803";      // an element with the separator, or empty
inline constexpr char kKeyTwice[] = "E0804";         // two rows of an export with one key
inline constexpr char kValueMissing[] = "E0805";     // a required value of an export isn't there
inline constexpr char kFileHeader[] = "E0811";       // other columns than declared
inline constexpr char kFileTruncated[] = "E0812";    // ends before its end
inline constexpr char kFileEncoding[] = "E0813";     // bytes that aren't in its encoding
inline constexpr char kFileLimit[] = "E0814";        // larger than a limit allows
inline constexpr char kFileSyntax[] = "E0815";       // not the declared format
inline constexpr char kFileReaches[] = "E0816";      // a DOCTYPE, or a reference to another file
inline constexpr char kFileEmpty[] = "E0817";        // not one row, or not even a header
inline constexpr char kFileSequence[] = "E0818";     // a delta that doesn't follow the last file
inline constexpr char kFileUnread[] = "E0819";       // the file couldn't be read to its end
inline constexpr char kRowFields[] = "E0821";        // more or fewer fields than columns
inline constexpr char kRowValue[] = "E0822";         // a value that its column doesn't take
inline constexpr char kRowMissing[] = "E0823";       // a required value isn't there
inline constexpr char kRowKeyTwice[] = "E0824";      // a key that stood before
inline constexpr char kRowUnknown[] = "E0825";       // a member, element or attribute not declared
inline constexpr char kRowSyntax[] = "E0826";        // one row that can't be read
inline constexpr char kBadCron[] = "E0831";          // not five fields of cron
inline constexpr char kUnknownZone[] = "E0832";      // no such time zone
// ---- E0833: service accounts (config)
inline constexpr char kServiceOwner[] = "E0833";        // owner and deputy are one person
inline constexpr char kServiceHome[] = "E0834";         // servers without a login folder
inline constexpr char kServiceCredential[] = "E0835";   // accounts that nothing opens
inline constexpr char kServiceSlots[] = "E0836";        // half a key, or next without current
inline constexpr char kServiceNextSame[] = "E0837";     // one credential in both slots
inline constexpr char kServiceInteractive[] = "E0838";  // a shell, which no server gives
inline constexpr char kServiceRow[] = "E0839";          // rights where it has no account
inline constexpr char kServicePlace[] = "E0840";        // a dn without its directory
inline constexpr char kEndpointWho[] = "E0845";         // whose place it is, and as whom
inline constexpr char kEndpointTrust[] = "E0846";       // no host key, or in the clear
inline constexpr char kJobSource[] = "E0847";           // rows that such a source doesn't have
inline constexpr char kJobColumn[] = "E0848";           // a column that can't be
inline constexpr char kJobFormat[] = "E0849";           // keys of a format that don't go together
inline constexpr char kJobFileName[] = "E0850";  // a name that can't be, or isn't new each time
inline constexpr char kJobOrder[] = "E0851";     // order and trigger that don't fit
inline constexpr char kJobSignsIn[] = "E0852";   // an account that can't sign in there
inline constexpr char kJobEncrypt[] = "E0853";   // nobody, or two ways, to encrypt for
inline constexpr char kJobDelta[] = "E0854";     // changes of what has no key
inline constexpr char kJobLimit[] = "E0855";     // a limit that says nothing or can't be
inline constexpr char kImportReach[] = "E0856";  // where an import may write isn't said
inline constexpr char kImportMatch[] = "E0857";  // who a row is can't be told
// ---- E0860 to E0868: delivery (jobs)
inline constexpr char kPlaceUnreachable[] = "E0860";  // no connection, or it broke
inline constexpr char kPlaceRefuses[] = "E0861";      // host key, certificate or credential
inline constexpr char kPlaceDenies[] = "E0862";       // not there or not allowed
inline constexpr char kArrivedDifferent[] = "E0863";  // at the place isn't what was sent
inline constexpr char kNameTaken[] = "E0864";         // other bytes under the final name
inline constexpr char kDeliveryBroke[] = "E0865";     // the delivery itself failed
inline constexpr char kNotEncrypted[] = "E0867";      // a key that is unknown, expired, unfit
inline constexpr char kBadSignature[] = "E0868";      // missing, wrong, or another's
// ---- E0869 to E0884: runs of exports (jobs)
inline constexpr char kUnknownAttribute[] = "E0870";    // a column from what rows don't have
inline constexpr char kSelectForm[] = "E0871";          // a selection that its source can't make
inline constexpr char kColumnForm[] = "E0872";          // a column that can't be written so
inline constexpr char kSelectGroup[] = "E0873";         // the selection's group isn't there
inline constexpr char kCensusIncomplete[] = "E0874";    // the source wasn't read as a whole
inline constexpr char kTooFewRows[] = "E0875";          // min_rows or shrink_percent
inline constexpr char kValueTooLong[] = "E0876";        // longer than its column's max
inline constexpr char kNotInLookup[] = "E0869";         // a value that its column's lookup lacks
inline constexpr char kJobRunning[] = "E0877";          // a run of this job is running
inline constexpr char kRunNotDelivered[] = "E0878";     // a prepared run that didn't arrive
inline constexpr char kEvidence[] = "E0879";            // a run's evidence doesn't hold
inline constexpr char kNoSuchRun[] = "E0880";           // no run of this number or id
inline constexpr char kSlotMissed[] = "E0881";          // a slot that was passed over (warning)
inline constexpr char kSetFile[] = "E0882";             // a file of a set that can't be delivered
inline constexpr char kJobClosed[] = "E0883";           // outside a job's time, or switched off
inline constexpr char kRunnersUser[] = "E0884";         // started as another than the runner's user
inline constexpr char kSnapshotIncomplete[] = "E0901";  // a world that can't be read as a whole
inline constexpr char kSnapshotDamaged[] = "E0902";     // a snapshot that isn't as it was written
// ---- E0885 to E0899: imports (jobs)
inline constexpr char kRosterColumns[] = "E0885";    // a column or match that an import can't have
inline constexpr char kRosterLogin[] = "E0886";      // a login that no file may give
inline constexpr char kRosterValue[] = "E0887";      // a value that no file may give
inline constexpr char kRosterAmbiguous[] = "E0888";  // a row that fits several people
inline constexpr char kRosterMayNot[] = "E0889";     // a row asks for what the import may not do
inline constexpr char kRosterUnknown[] = "E0890";    // a row about somebody whom nobody declares
inline constexpr char kRosterReused[] = "E0891";     // a login that belongs to somebody who left
inline constexpr char kRosterOverlap[] = "E0892";    // a file and the tree declare the same
inline constexpr char kRosterScope[] = "E0893";      // more would change than the import's own
inline constexpr char kImportHeld[] = "E0894";       // waits for a second person
inline constexpr char kFileUnproven[] = "E0895";     // checksum, manifest or signature doesn't fit
inline constexpr char kReleaseRefused[] = "E0896";   // a release that doesn't count
inline constexpr char kRosterDamaged[] = "E0897";    // a stored roster that isn't what was accepted
inline constexpr char kImportWaits[] = "E0898";      // other changes must be applied first
inline constexpr char kRosterLookalike[] = "E0899";  // letters of several scripts in one word
// ---- warnings and notes
inline constexpr char kEmptyTree[] = "W0101";       // no file in the reviewed tree
inline constexpr char kRepeated[] = "W0201";        // an element stands twice in one list
inline constexpr char kWithoutAccount[] = "W0202";  // person or partner without an account (note)
inline constexpr char kUnusedFolder[] = "W0203";    // a folder that no grant names (note)
inline constexpr char kUnusedPlace[] = "W0204";    // an endpoint or runner that no job names (note)
inline constexpr char kSharedKey[] = "W0301";      // one public key opens two identities' accounts
inline constexpr char kWiderAccepted[] = "W0401";  // wider, and accepted by the author
inline constexpr char kOpensNothing[] = "W0402";   // a grant that no account opens
inline constexpr char kMemberWithout[] = "W0403";  // a group member without an account there
inline constexpr char kExpired[] = "W0405";        // its time is over
inline constexpr char kEndRounded[] = "W0406";     // an end that the server keeps by whole days
inline constexpr char kForeign[] = "W0501";        // a live object that nothing declares
inline constexpr char kSourceDiffers[] = "W0504";  // an account of a directory isn't as declared
inline constexpr char kUnstable[] = "W0505";       // a count that moved while it was read
inline constexpr char kFileOlder[] = "W0801";      // a file that was taken already (note)
inline constexpr char kServiceUnneeded[] = "W0802";  // rights that no job of it uses
inline constexpr char kKeyExpires[] = "W0860";       // a key that files are encrypted to ends soon
inline constexpr char kUnanswered[] = "W0861";       // delivered, and the receiver never said so
inline constexpr char kAlertFailed[] = "W0862";      // nobody was told that a run ended badly
inline constexpr char kRunLetGo[] = "W0863";         // a run that was made under other terms
inline constexpr char kSlotWithout[] = "W0864";      // a credential whose secret isn't there
inline constexpr char kSnapshotTarget[] = "W0901";   // a target of a snapshot that isn't declared
inline constexpr char kSnapshotLeftOut[] = "W0902";  // what a restore doesn't bring back
}  // namespace code

struct CodePage {
  std::string_view code;
  std::string_view title;    // one line, no full stop
  std::string_view meaning;  // what it says and why it is so
  std::string_view example;  // as somebody would meet it; several lines
  std::string_view way_out;
};

// All pages in order of the code.
std::span<const CodePage> AllCodes();
const CodePage* FindCode(std::string_view code);  // case-blind; null: no such code
// What `postern explain CODE` prints.
std::string RenderPage(const CodePage& page);

namespace internal {
std::span<const CodePage> InputCodes();     // E01 to E03
std::span<const CodePage> TargetCodes();    // E04 and E05
std::span<const CodePage> PlanCodes();      // E06, E07 and the warnings
std::span<const CodePage> DeliveryCodes();  // E0860 to E0868
std::span<const CodePage> JobCodes();       // E08 and its warnings
std::span<const CodePage> ExportCodes();    // E0870 to E0884
std::span<const CodePage> ImportCodes();    // E0885 to E0899
}  // namespace internal

}  // namespace postern::diag
