// Pages for runs of exports (E0870 to E0884).
#include "core/diag/codes.h"

namespace postern::diag::internal {
namespace {

constexpr CodePage kPages[] = {
    {code::kUnknownAttribute, "a column from what the rows don't have",
     "Columns are filled from the attributes of what is exported: of users of a directory uid, "
     "mail, ..., of\nusers of an IAM system user_name, department, ...",
     "export.erp: no attribute employe_number in users of directory:corp",
     "Write the attribute as the message names it."},
    {code::kSelectForm, "a selection that its source can't make",
     "Bases are of directories, partitions of IAM systems, statuses and attributes of users.",
     "export.erp: `partition` in a selection of directory:corp",
     "Leave that part of `select` out, or choose another source."},
    {code::kColumnForm, "a column that can't be written so",
     "A column has an attribute or a constant; a format is of times, a separator of lists, a "
     "transform of text;\nthe columns that name a row are text.",
     "export.erp: column END: `format` of an attribute that isn't a time",
     "Mend the column as the message says."},
    {code::kSelectGroup, "the group that the selection names isn't there",
     "An export of nobody would be taken for a company that everybody left.",
     "export.erp: no group \"ERP\" in directory:corp",
     "Mend the name, or write the group's DN where two groups have it."},
    {code::kCensusIncomplete, "the source wasn't read as a whole",
     "What wasn't read would be missing in the file and be taken for what is gone. Nothing was "
     "published.",
     "export.erp: directory:corp ou=people: 3 entries came or went while it was read",
     "Run the job again when the source is quiet; `postern providers doctor` says what it lacks."},
    {code::kTooFewRows, "fewer rows than are plausible",
     "The file would have fewer rows than min_rows, or fewer than the last one by more than "
     "shrink_percent.\nNothing was published.",
     "export.erp: 412 rows where the last file had 1204; at most 30 % fewer are published",
     "Look at the source. If it is right, lower min_rows or raise shrink_percent and apply."},
    {code::kValueTooLong, "a value that is longer than its column takes",
     "A value that is cut would be another value at the receiver.",
     "users.csv: row A0017, column DEPT: 31 characters, at most 20",
     "Mend the value at its source, or raise `max`."},
    {code::kNotInLookup, "a value that its column's lookup doesn't have",
     "The receiver knows only the values that lookup writes. A guess would be another's.",
     "export.erp: row A0017, column DEPT: its value isn't in lookup",
     "Add the value to `lookup` and apply, or say with `otherwise` what all others are."},
    {code::kJobRunning, "a run of this job is running",
     "Two runs of one job would deliver over each other.",
     "export.erp: process 4711 has been running it since 2027-03-01T02:30:00Z",
     "Wait for it. A lock of a process that is gone doesn't hold."},
    {code::kRunNotDelivered, "a run that didn't arrive",
     "The file is kept and delivered by the next run, under the same name and with the same "
     "bytes.",
     "export.erp: run 41 (7f3a...) isn't delivered: connection refused",
     "Mend the place or the way to it; `postern job run NAME` tries again."},
    {code::kEvidence, "a run's evidence doesn't hold",
     "The file, its manifest and the history of the runs must say the same.",
     "export.erp: run 41: users_000041.csv has another SHA-256 than its manifest says",
     "Somebody or something has changed what was kept. Compare with what was delivered."},
    {code::kNoSuchRun, "no such run", "A run is named by its sequence number or its id.",
     "export.erp: no run 410", "postern job history NAME"},
    {code::kSlotMissed, "a slot that was passed over",
     "Nothing ran when the job was due, and catch_up doesn't make up for it.",
     "export.erp: 2027-03-01T02:30:00Z was missed",
     "catch_up = \"all\" runs each of them, \"latest\" the newest."},
    {code::kSetFile, "a file of a distribution that can't be delivered",
     "Its name can't stand at a place (control characters, not UTF-8, more than 1,000 bytes), is "
     "that of the list or of what comes with it, or there are more than 10,000 files.\nNothing "
     "was published.",
     "export.catalog: list.csv is a file of the set and the name of its list",
     "Rename the file, choose another `name` of the delivery, or narrow `pattern`."},
    {code::kJobClosed, "outside a job's time",
     "The contract of whom it is for, its own end or that of its service account is over or not\n"
     "yet begun, or one of them is switched off. Whoever woke it, nothing was read and nothing "
     "was\n"
     "sent; a file that an earlier run couldn't deliver stays on the runner.",
     "export.erp: its time is over since 2026-12-31T23:59:59Z",
     "`postern apply` takes away what wakes it. To go on, declare a later end and apply that."},
    {code::kRunnersUser, "started as another user than the runner's",
     "A job's files belong to the user that the runner names. What another one makes there, that "
     "user can't open, and every run that a timer starts would fail.",
     "export.erp: runs as postern-jobs, and this is root",
     "sudo -u postern-jobs postern job run export.erp"},
};

}  // namespace

std::span<const CodePage> ExportCodes() {
  return kPages;
}

}  // namespace postern::diag::internal
