// providers/directory/object_writer.h: LDAP entries as objects.
//
// Bodies are written in canonical wire form straight from an Entry's views, because at 100,000
// entries building messages first costs more than all the rest. A test holds the bytes equal to
// object::Encode's. One thread at a time.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/object/object.h"
#include "providers/directory/entry.h"
#include "providers/directory/password.h"

namespace postern::directory {

// Writes key and body of one object after another into buffers that it keeps.
class ObjectWriter {
 public:
  // Writes these fields and the key; what others would say wasn't asked for.
  explicit ObjectWriter(object::FieldSet fields = object::kAllFields) : fields_(fields) {}
  // Views into the writer and into `entry`, until the next call.
  object::ObjectView Write(const Entry& entry, Hidden hidden, const Reading& reading);
  void SetGroup(std::string_view key) { key_ = key; }
  // One membership; the group's key was written by Write or SetGroup just before.
  object::ObjectView WriteMembership(const Entry& group, std::string_view member);

 private:
  uint64_t User(const Entry& entry, Hidden hidden, const Reading& reading);
  void PutPassword(const std::vector<std::string_view>& passwords, const Reading& reading);
  void Put(uint32_t field, std::string_view value);
  void PutVarint(uint32_t field, uint64_t value);
  bool Wants(uint32_t field) const { return (fields_ >> field & 1) != 0; }
  const object::FieldSet fields_;
  std::string key_, body_, member_key_, member_body_, id_, scratch_;
  std::vector<std::string_view> sorted_;
  std::unique_ptr<KeyedDigest> digest_;
  std::string digest_key_;
};

}  // namespace postern::directory
