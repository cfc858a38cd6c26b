#include "providers/filetransfer/proftpd/command_checks.h"

#include "providers/filetransfer/proftpd/statement.h"

namespace postern::proftpd {
namespace {

using access::Right;
using On = Check::On;

// ---- FTP

constexpr Check kFtpList[] = {{Word::kList, Word::kDirs}, {Word::kList, Word::kDirs, On::kChild}};
constexpr Check kFtpNlst[] = {{Word::kNlst, Word::kDirs}, {Word::kNlst, Word::kDirs, On::kChild}};
constexpr Check kFtpMlsd[] = {{Word::kMlsd, Word::kDirs}, {Word::kMlsd, Word::kDirs, On::kChild}};
constexpr Check kFtpStat[] = {{Word::kStat, Word::kDirs}, {Word::kStat, Word::kDirs, On::kChild}};
constexpr Check kFtpRead[] = {{Word::kRetr, Word::kRead}};
constexpr Check kFtpStorNew[] = {{Word::kStor, Word::kWrite, On::kObject, false}};
constexpr Check kFtpAppeNew[] = {{Word::kAppe, Word::kWrite, On::kObject, false}};
constexpr Check kFtpStorOld[] = {{Word::kStor, Word::kWrite}};
constexpr Check kFtpAppeOld[] = {{Word::kAppe, Word::kWrite}};
constexpr Check kFtpDele[] = {{Word::kDele, Word::kWrite}};
constexpr Check kFtpRename[] = {{Word::kRnfr, Word::kWrite},
                                {Word::kRnto, Word::kWrite, On::kObject, false}};
constexpr Check kFtpMkd[] = {{Word::kMkd, Word::kWrite, On::kObject, false}};
constexpr Check kFtpRmd[] = {{Word::kRmd, Word::kWrite}};
constexpr Check kFtpSiteChmod[] = {{Word::kSiteChmod, Word::kWrite}};
constexpr Check kFtpMff[] = {{Word::kMff, Word::kWrite}};

constexpr Alternative kFtpLists[] = {{kFtpList}, {kFtpNlst}, {kFtpMlsd}, {kFtpStat}};
constexpr Alternative kFtpReads[] = {{kFtpRead, Switch::kNone, Filtered::kFtpRead}};
constexpr Alternative kFtpCreates[] = {{kFtpStorNew}, {kFtpAppeNew}};
constexpr Alternative kFtpOverwrites[] = {{kFtpStorOld, Switch::kOverwrite},
                                          {kFtpAppeOld, Switch::kStoreRestart}};
constexpr Alternative kFtpDeletes[] = {{kFtpDele}};
constexpr Alternative kFtpRenames[] = {{kFtpRename}};
constexpr Alternative kFtpMkdirs[] = {{kFtpMkd}};
constexpr Alternative kFtpRmdirs[] = {{kFtpRmd}};
constexpr Alternative kFtpChmods[] = {{kFtpSiteChmod}, {kFtpMff}};

// ---- SFTP, by packet

constexpr Check kSftpList[] = {
    {Word::kOpendir, Word::kDirs},
    {Word::kReaddir, Word::kDirs, On::kObject, true, Word::kList, Word::kNlst},
    {Word::kReaddir, Word::kDirs, On::kChild}};
constexpr Check kSftpListOpen[] = {{Word::kOpendir, Word::kDirs},
                                   {Word::kReaddir, Word::kDirs},
                                   {Word::kReaddir, Word::kDirs, On::kChild}};
constexpr Check kSftpRead[] = {{Word::kRetr, Word::kRead}, {Word::kRead, Word::kRead}};
constexpr Check kSftpStorNew[] = {{Word::kStor, Word::kWrite, On::kObject, false}};
constexpr Check kSftpStorOld[] = {{Word::kStor, Word::kWrite}};
constexpr Check kSftpAppeNew[] = {{Word::kAppe, Word::kWrite, On::kObject, false}};
constexpr Check kSftpAppeOld[] = {{Word::kAppe, Word::kWrite}, {Word::kStor, Word::kWrite}};
constexpr Check kSftpAppeOpen[] = {{Word::kAppe, Word::kWrite}};
constexpr Check kSftpTruncate[] = {{Word::kSetstat, Word::kWrite}};
constexpr Check kSftpRemove[] = {{Word::kDele, Word::kWrite}};
constexpr Check kSftpRename[] = {{Word::kRnfr, Word::kDirs},
                                 {Word::kRnto, Word::kWrite, On::kObject, false}};
constexpr Check kSftpMkdir[] = {{Word::kXmkd, Word::kWrite, On::kObject, false}};
constexpr Check kSftpRmdir[] = {{Word::kRmd, Word::kWrite}, {Word::kXrmd, Word::kWrite}};
constexpr Check kSftpSetstat[] = {{Word::kSetstat, Word::kWrite}, {Word::kSiteChmod, Word::kWrite}};

// Through an open handle: either word opens it.
constexpr Check kSftpReadFset[] = {
    {Word::kRetr, Word::kRead}, {Word::kFsetstat, Word::kWrite}, {Word::kSiteChmod, Word::kWrite}};
constexpr Check kSftpReadSet[] = {
    {Word::kRetr, Word::kRead}, {Word::kSetstat, Word::kWrite}, {Word::kSiteChmod, Word::kWrite}};
constexpr Check kSftpStorFset[] = {
    {Word::kStor, Word::kWrite}, {Word::kFsetstat, Word::kWrite}, {Word::kSiteChmod, Word::kWrite}};

constexpr Alternative kSftpLists[] = {{kSftpList}};
constexpr Alternative kSftpListsOpen[] = {{kSftpListOpen}};
constexpr Alternative kSftpReads[] = {{kSftpRead}};
constexpr Alternative kSftpCreates[] = {{kSftpStorNew}, {kSftpAppeNew}};
constexpr Alternative kSftpOverwrites[] = {{kSftpStorOld, Switch::kOverwrite},
                                           {kSftpAppeOld, Switch::kStoreRestart},
                                           {kSftpTruncate, Switch::kNone, Filtered::kSetstat}};
constexpr Alternative kSftpOverwritesOpen[] = {{kSftpStorOld, Switch::kOverwrite},
                                               {kSftpAppeOpen, Switch::kStoreRestart},
                                               {kSftpTruncate, Switch::kNone, Filtered::kSetstat}};
constexpr Alternative kSftpDeletes[] = {{kSftpRemove}};
constexpr Alternative kSftpRenames[] = {{kSftpRename}};
constexpr Alternative kSftpMkdirs[] = {{kSftpMkdir}};
constexpr Alternative kSftpRmdirs[] = {{kSftpRmdir}};
constexpr Alternative kSftpChmods[] = {{kSftpSetstat, Switch::kNone, Filtered::kSetstat},
                                       {kSftpReadFset, Switch::kNone, Filtered::kSetstat},
                                       {kSftpReadSet, Switch::kNone, Filtered::kSetstat},
                                       {kSftpStorFset, Switch::kOverwrite}};

std::span<const Alternative> Ftp(Right right) {
  switch (right) {
    case Right::kList:
      return kFtpLists;
    case Right::kRead:
      return kFtpReads;
    case Right::kCreate:
      return kFtpCreates;
    case Right::kOverwrite:
      return kFtpOverwrites;
    case Right::kDelete:
      return kFtpDeletes;
    case Right::kRename:
      return kFtpRenames;
    case Right::kMkdir:
      return kFtpMkdirs;
    case Right::kRmdir:
      return kFtpRmdirs;
    case Right::kChmod:
      return kFtpChmods;
  }
  return {};
}

std::span<const Alternative> Sftp(Right right, const RaiseRules& rules) {
  switch (right) {
    case Right::kList:
      return rules.sftp_listing_asks_list ? kSftpLists : kSftpListsOpen;
    case Right::kRead:
      return kSftpReads;
    case Right::kCreate:
      return kSftpCreates;
    case Right::kOverwrite:
      return rules.sftp_write_is_stor ? kSftpOverwrites : kSftpOverwritesOpen;
    case Right::kDelete:
      return kSftpDeletes;
    case Right::kRename:
      return rules.sftp_rename_is_dirs ? kSftpRenames : kFtpRenames;
    case Right::kMkdir:
      return kSftpMkdirs;
    case Right::kRmdir:
      return kSftpRmdirs;
    case Right::kChmod:
      return kSftpChmods;
  }
  return {};
}

struct NamedWord {
  std::string_view name;
  Word word;
};
constexpr NamedWord kWords[] = {{"ALL", Word::kAll},          {"READ", Word::kRead},
                                {"WRITE", Word::kWrite},      {"DIRS", Word::kDirs},
                                {"LOGIN", Word::kLogin},      {"LIST", Word::kList},
                                {"NLST", Word::kNlst},        {"MLSD", Word::kMlsd},
                                {"STAT", Word::kStat},        {"RETR", Word::kRetr},
                                {"STOR", Word::kStor},        {"APPE", Word::kAppe},
                                {"DELE", Word::kDele},        {"RNFR", Word::kRnfr},
                                {"RNTO", Word::kRnto},        {"MKD", Word::kMkd},
                                {"XMKD", Word::kXmkd},        {"RMD", Word::kRmd},
                                {"XRMD", Word::kXrmd},        {"SITE_CHMOD", Word::kSiteChmod},
                                {"MFF", Word::kMff},          {"OPENDIR", Word::kOpendir},
                                {"READDIR", Word::kReaddir},  {"SETSTAT", Word::kSetstat},
                                {"FSETSTAT", Word::kFsetstat}};

}  // namespace

std::string_view NameOf(Way way) {
  return way == Way::kFtp ? "ftp" : "sftp";
}

WordMask ParseWord(std::string_view word, const RaiseRules& rules) {
  for (const NamedWord& known : kWords) {
    if (!SameWord(known.name, word)) continue;
    if (rules.x_commands && (known.word == Word::kMkd || known.word == Word::kXmkd)) {
      return MaskOf(Word::kMkd) | MaskOf(Word::kXmkd);
    }
    if (rules.x_commands && (known.word == Word::kRmd || known.word == Word::kXrmd)) {
      return MaskOf(Word::kRmd) | MaskOf(Word::kXrmd);
    }
    return MaskOf(known.word);
  }
  return 0;
}

bool AsksFilters(const Alternative& alternative, const RaiseRules& rules) {
  switch (alternative.filtered) {
    case Filtered::kFtpRead:
      return !rules.ftp_reads_unfiltered;
    case Filtered::kSetstat:
      return !rules.sftp_sets_unfiltered;
    case Filtered::kYes:
      return true;
  }
  return true;
}

std::span<const Alternative> AlternativesOf(Right right, Way way, const RaiseRules& rules) {
  return way == Way::kFtp ? Ftp(right) : Sftp(right, rules);
}

}  // namespace postern::proftpd
