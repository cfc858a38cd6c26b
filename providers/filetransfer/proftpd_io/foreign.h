// providers/filetransfer/proftpd_io/foreign.h: what the product library finds in the live
// configuration.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "providers/filetransfer/proftpd/config.h"
#include "providers/filetransfer/proftpd_io/snapshot.h"

namespace postern::filetransfer {

// Reads from the snapshot's chain and from `access_files` (.ftpaccess files, by path). Errors: what
// the product library says, when it can't read the configuration.
Result<proftpd::LiveConfig> Understand(const Snapshot& snapshot, const ServerSettings& settings,
                                       const std::map<std::string, FileState>& access_files);

// Adds what `proftpd -t` calls fatal in a file that a pattern includes: 1.3.8 goes on without that
// file's rest and without all that stands behind the Include. Asked only where a pattern includes
// files by other hands: it costs a start of the daemon. Errors: the transport's.
Result<void> AddComplaint(Transport& transport, const Snapshot& snapshot,
                          const ServerSettings& settings, proftpd::LiveConfig* config);

// Rules by other hands as native_rule objects: the configuration's, .ftpaccess files', and lines in
// our include that its rows don't say.
std::vector<object::Object> ForeignRules(const Snapshot& snapshot, const ServerSettings& settings,
                                         const proftpd::LiveConfig& config);

// The configuration's files as server_config objects, redacted (proftpd/redact.h). `access_files`:
// paths of .ftpaccess files. Errors: kUnsupported over 1 MiB a file or 4 MiB together.
Result<std::vector<object::Object>> ConfigObjects(const Snapshot& snapshot,
                                                  const ServerSettings& settings,
                                                  const std::vector<FolderEntry>& access_files);

}  // namespace postern::filetransfer
