// tests/unit/access/objects.h: objects of the kinds that bear access, in one line each.
#pragma once
#include <string>
#include <string_view>

#include "core/access/rights.h"
#include "core/object/object.h"
#include "schemas/kinds.pb.h"

namespace postern::testing_objects {

inline object::Object Account(std::string_view login, bool enabled = true,
                              std::string_view home = "/srv") {
  kinds::Account message;
  message.set_server("ftp");
  message.set_login(std::string(login));
  message.set_enabled(enabled);
  message.set_home(std::string(home));
  return object::Encode(message);
}

inline object::Object Key(std::string_view login, std::string_view name = "SHA256:k") {
  kinds::SshKey message;
  message.set_server("ftp");
  message.set_login(std::string(login));
  message.set_fingerprint(std::string(name));
  return object::Encode(message);
}

inline object::Object Row(std::string_view path, std::string_view depth, std::string_view subject,
                          access::Rights rights) {
  kinds::Grant message;
  message.set_server("ftp");
  message.set_path(std::string(path));
  message.set_depth(std::string(depth));
  message.set_subject(std::string(subject));
  message.set_rights(rights.bits());
  return object::Encode(message);
}

inline object::Object Member(std::string_view group, std::string_view login) {
  kinds::ServerMembership message;
  message.set_server("ftp");
  message.set_group(std::string(group));
  message.set_login(std::string(login));
  return object::Encode(message);
}

inline object::Object User(std::string_view dn, bool enabled = true) {
  kinds::User message;
  message.set_dn(std::string(dn));
  message.set_enabled(enabled);
  return object::Encode(message);
}

inline object::Object IamUser(std::string_view name, bool active = true) {
  kinds::IamUser message;
  message.set_user_name(std::string(name));
  message.set_active(active);
  return object::Encode(message);
}

inline object::Object IamMember(std::string_view set, std::string_view member) {
  kinds::IamMembership message;
  message.set_set(std::string(set));
  message.set_member(std::string(member));
  return object::Encode(message);
}

inline object::Object Membership(std::string_view group, std::string_view member) {
  kinds::Membership message;
  message.set_group(std::string(group));
  message.set_member(std::string(member));
  return object::Encode(message);
}

inline object::Object Folder(std::string_view path, std::string_view owner = "root") {
  kinds::Folder message;
  message.set_host("edge");
  message.set_path(std::string(path));
  message.set_owner(std::string(owner));
  return object::Encode(message);
}

// The same object at another server.
inline object::Object At(std::string_view server, object::Object object) {
  object.key = std::string(server) + object.key.substr(object.key.find(object::kKeySeparator));
  return object;
}

}  // namespace postern::testing_objects
