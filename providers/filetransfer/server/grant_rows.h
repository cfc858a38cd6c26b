// providers/filetransfer/server/grant_rows.h: rows of access <-> grant objects. Pure.
#pragma once
#include <string>
#include <vector>

#include "core/access/rights.h"
#include "core/base/result.h"
#include "core/object/target.h"
#include "providers/filetransfer/server/server.h"
#include "providers/filetransfer/transport/files.h"
#include "schemas/kinds.pb.h"

namespace postern::filetransfer {

Result<access::GrantRow> RowOf(const kinds::Grant& grant);
// `notes`: of the rows as they are told.
kinds::Grant GrantOf(const std::string& server, const access::GrantRow& row,
                     const RowNotes& notes = {});
// What a file says, as an object; when the file was written is the window in which it changed.
object::Object ObjectFrom(const google::protobuf::Message& message, const FileState& file,
                          std::string id = {});
// A row, as the daemon's own file says it or, where a note says so, as other things make it.
object::Object GrantObject(const std::string& server, const access::GrantRow& row,
                           const RowNotes& notes, const FileState& file);
// When the nodes of each note last changed. Errors: the transport's.
Result<void> AskTimes(Transport& transport, RowNotes* notes);

// Deny-alls stand on managed roots and nowhere else. Why the operation would have one otherwise;
// empty: it wouldn't.
std::string WhyNoBaseline(const object::Operation& operation,
                          const std::vector<std::string>& roots);

}  // namespace postern::filetransfer
