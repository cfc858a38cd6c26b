#include "providers/filetransfer/proftpd/raise_directives.h"

#include <algorithm>

#include "providers/filetransfer/proftpd/directives.h"
#include "providers/filetransfer/proftpd/statement.h"

namespace postern::proftpd {
namespace {

using T = Treatment;

constexpr std::string_view kByName = "depends on the name that a client gives";
constexpr std::string_view kByOwner = "depends on who owns an entry";

constexpr RaisedDirective kTable[] = {
    // Computed by section.
    {"allowall", T::kRaised, "in a Limit: answers everybody; outside: lifts DenyAll"},
    {"denyall", T::kRaised, "in a Limit: answers everybody; outside: refuses existing objects"},
    {"allowoverwrite", T::kRaised, "the nearest block that states it"},
    {"allowstorerestart", T::kRaised, "APPE changes existing files past AllowOverwrite"},
    // Computed for a server.
    {"allowoverride", T::kServer, "off: .ftpaccess files don't count"},
    {"authaliasonly", T::kServer, "real names are refused"},
    {"defaultroot", T::kServer, "nothing outside of it is reached"},
    {"port", T::kServer, "0: the server doesn't listen"},
    {"sftpengine", T::kServer, "on: the way in is SFTP"},
    {"useralias", T::kServer, "a login name stands for an account"},
    {"authorder", T::kServer, "accounts from other modules aren't known"},
    // The host's own permissions decide; what the daemon refuses is refused all the same.
    {"umask", T::kHarmless, "the mode of new files, for the host's permissions"},
    {"defaultchdir", T::kHarmless, "where a session starts; every path is reached from anywhere"},
    {"deleteabortedstores", T::kHarmless, "removes what an upload of one's own left"},
    {"hiddenstores", T::kHarmless, "an upload gets its name at the end"},
    {"allowchrootsymlinks", T::kUnknown, "a login folder may be a symlink"},
    // Computed for each name; not for all unnamed entries at once.
    {"hidefiles", T::kListing, kByName},
    {"pathallowfilter", T::kNames, kByName},
    {"pathdenyfilter", T::kNames, kByName},
    // Not computable, in part.
    // 1.3.8, observed: with it on, a session of mod_sftp dies (SIGSEGV) when it opens a folder.
    // Over
    // FTP it hides what the host refuses, which is the host's to say.
    {"hidenoaccess", T::kSftpListing, "SFTP sessions may die of it"},
    {"hideuser", T::kListing, kByOwner},
    {"hidegroup", T::kListing, kByOwner},
};

constexpr std::string_view kSections[] = {"directory", "limit",       "anonymous",
                                          "global",    "virtualhost", "ifuser",
                                          "ifgroup",   "ifclass",     "class"};

// A switch that is off, and the filter in Debian's own configuration, which refuses only shell
// patterns that reach into folders.
bool IsInert(const ConfigNode& line) {
  if (line.args.size() != 1) return false;
  if (line.word == "denyfilter") return line.args[0] == "*.*/";
  for (const std::string_view no : {"off", "no", "false", "0", "none"}) {
    if (SameWord(line.args[0], no)) return true;
  }
  return false;
}

}  // namespace

DirectiveUse UseOf(const ConfigNode& line) {
  const auto* row = std::find_if(std::begin(kTable), std::end(kTable),
                                 [&](const auto& known) { return known.word == line.word; });
  if (row != std::end(kTable)) {
    const bool decided = row->treatment == T::kRaised || row->treatment == T::kServer;
    if (!decided && IsInert(line)) return {T::kHarmless, ""};
    return {row->treatment, std::string(row->how)};
  }
  const DirectiveInfo info = DescribeDirective(line.word);
  if (info.effect == Effect::kUnknown) {
    return {T::kUnknown, "a directive that Postern doesn't know"};
  }
  if (info.effect == Effect::kHarmless || IsInert(line)) return {T::kHarmless, ""};
  return {T::kUnknown, std::string(info.why)};
}

bool IsSectionRaised(std::string_view word) {
  return std::find(std::begin(kSections), std::end(kSections), word) != std::end(kSections);
}

std::span<const RaisedDirective> RaisedDirectives() {
  return kTable;
}

}  // namespace postern::proftpd
