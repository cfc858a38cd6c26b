#include "providers/filetransfer/server/grant_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "providers/filetransfer/host/change_times.h"

namespace postern::filetransfer {

Result<access::GrantRow> RowOf(const kinds::Grant& grant) {
  const auto depth = access::ParseDepth(grant.depth());
  const auto subject = access::ParseSubject(grant.subject());
  if (!depth || !subject) return Fail(ErrorCode::kInvalid, "no such depth or subject");
  return access::GrantRow{object::Normalise(object::Comparator::kPath, grant.path()), *depth,
                          *subject, access::Rights(grant.rights())};
}

kinds::Grant GrantOf(const std::string& server, const access::GrantRow& row,
                     const RowNotes& notes) {
  kinds::Grant grant;
  grant.set_server(server);
  grant.set_path(row.path);
  grant.set_depth(std::string(access::NameOf(row.depth)));
  grant.set_subject(access::Format(row.subject));
  grant.set_rights(row.rights.bits());
  if (const auto note = notes.find(row); note != notes.end() && !note->second.where.empty()) {
    grant.set_note(note->second.where);
  }
  return grant;
}

object::Object ObjectFrom(const google::protobuf::Message& message, const FileState& file,
                          std::string id) {
  object::Object object = object::Encode(message);
  object.id = std::move(id);
  object.changed_at = file.modified;
  if (file.modified != 0) object.how_known = "window";
  return object;
}

object::Object GrantObject(const std::string& server, const access::GrantRow& row,
                           const RowNotes& notes, const FileState& file) {
  const kinds::Grant grant = GrantOf(server, row, notes);
  const auto note = notes.find(row);
  if (note == notes.end()) return ObjectFrom(grant, file);
  FileState other;
  other.modified = note->second.changed;
  return ObjectFrom(grant, other);
}

Result<void> AskTimes(Transport& transport, RowNotes* notes) {
  std::set<std::string> nodes;
  for (const auto& [row, note] : *notes) nodes.insert(note.nodes.begin(), note.nodes.end());
  const auto times = ChangeTimes(transport, std::vector<std::string>(nodes.begin(), nodes.end()));
  if (!times) return tl::unexpected(times.error());
  for (auto& [row, note] : *notes) {
    for (const std::string& node : note.nodes) {
      const auto at = times->find(node);
      if (at != times->end()) note.changed = std::max(note.changed, at->second);
    }
  }
  return {};
}

std::string WhyNoBaseline(const object::Operation& operation,
                          const std::vector<std::string>& roots) {
  const bool removes = operation.after.empty();
  const auto row =
      RowOf(object::DecodeAs<kinds::Grant>(removes ? operation.before : operation.after));
  if (!row || row->subject.type != access::Subject::Type::kEveryone) return "";
  const bool on_root = row->depth == access::Depth::kSubtree &&
                       std::find(roots.begin(), roots.end(), row->path) != roots.end();
  if (removes && on_root) {
    return fmt::format("{} is a managed root: its deny-all stays as long as it is one", row->path);
  }
  if (!removes && !on_root && row->rights.empty()) {
    return fmt::format("{} is no managed root: nobody is denied there by name", row->path);
  }
  return "";
}

}  // namespace postern::filetransfer
