#include "providers/filetransfer/server/grant_rows.h"

#include <fmt/format.h>

#include <algorithm>

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
  if (const auto note = notes.find(row); note != notes.end()) grant.set_note(note->second);
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
