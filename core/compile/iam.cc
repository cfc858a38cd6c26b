// Objects of IAM systems: users, groups, roles, who is in them, OAuth clients.
#include <fmt/format.h>

#include "core/compile/compiler.h"
#include "core/config/iam_names.h"
#include "core/diag/codes.h"
#include "schemas/kinds.pb.h"

namespace postern::compile {
namespace {

using object::Kind;

Authority AuthorityOf(const std::string& said) {
  if (said == "listed") return Authority::kListed;
  return said == "observe" ? Authority::kObserve : Authority::kExact;
}

// What people write and what is live have these in common.
void CopyAttributes(const decl::IamUser& from, kinds::IamUser* to) {
  if (from.has_display_name()) to->set_display_name(from.display_name());
  if (from.has_given_name()) to->set_given_name(from.given_name());
  if (from.has_family_name()) to->set_family_name(from.family_name());
  if (from.has_employee_number()) to->set_employee_number(from.employee_number());
  if (from.has_department()) to->set_department(from.department());
  if (from.has_division()) to->set_division(from.division());
  if (from.has_organization()) to->set_organization(from.organization());
  if (from.has_cost_center()) to->set_cost_center(from.cost_center());
  if (from.has_title()) to->set_title(from.title());
  if (from.has_user_type()) to->set_user_type(from.user_type());
  if (!from.has_mail()) return;
  *to->mutable_mail()->mutable_values() = from.mail().values();
}

void Describe(const decl::IamGroup& from, const std::string& address, kinds::IamGroup* to) {
  to->set_external_id(address);
  if (from.has_description()) to->set_description(from.description());
}

void Describe(const decl::IamRole& from, const std::string& /*address*/, kinds::IamRole* to) {
  if (from.has_description()) to->set_description(from.description());
}

void Describe(const decl::IamAccessRole& from, const std::string& /*address*/,
              kinds::IamAccessRole* to) {
  if (from.has_description()) to->set_description(from.description());
  if (from.has_push_all_groups()) to->set_push_all_groups(from.push_all_groups());
}

}  // namespace

// The declared members of a group or role there.
struct Compiler::IamSet {
  const config::Declared<decl::Iam>& iam;
  const google::protobuf::RepeatedPtrField<std::string>& members;
  std::string_view kind, name;  // of the declaration
  diag::Span span;
};

void Compiler::CompileIam() {
  for (const auto& user : declarations_.iam_users) CompileIamUser(user);
  for (const auto& group : declarations_.iam_groups) {
    const auto iam = iams_.find(group.message.iam());
    if (iam == iams_.end()) continue;
    kinds::IamGroup object;
    CompileIamSet(group, config::GroupNameOf(iam->second->message, group.message), "group",
                  &object);
  }
  for (const auto& role : declarations_.iam_roles) {
    kinds::IamRole object;
    CompileIamSet(role, config::NameOf(role.message), "role", &object);
  }
  for (const auto& role : declarations_.iam_access_roles) {
    kinds::IamAccessRole object;
    CompileIamSet(role, config::NameOf(role.message), "access_role", &object);
  }
  for (const auto& client : declarations_.oauth_clients) CompileOauthClient(client);
}

// An IAM system has no end of its own for a user: whoever's time is over is made inactive by the
// next plan after it.
void Compiler::CompileIamUser(const config::Declared<decl::IamUser>& user) {
  const decl::IamUser& message = user.message;
  const auto iam = iams_.find(message.iam());
  if (iam == iams_.end()) return;
  const std::string target = "iam:" + message.iam(), address = "iam_user:" + message.name();
  const std::string identity = IdentityOf(address);
  Interval interval = ContractOf(identity);
  if (message.has_expires()) interval.until = std::min(interval.until, message.expires());
  kinds::IamUser object;
  object.set_user_name(config::UserNameOf(iam->second->message, message));
  if (message.has_external_id()) object.set_external_id(message.external_id());
  // The REST interface of OTDS has no place for one of ours.
  if (!message.has_external_id() && !config::IsOtds(iam->second->message)) {
    object.set_external_id(address);
  }
  CopyAttributes(message, &object);
  object.set_active((!message.has_active() || message.active()) && interval.Holds(facts_.now));
  const uint32_t source =
      AddProvenance(OwnerOfPerson(address, identity), user.span, interval.until);
  if (interval.until != base::kForever) desired_.provenance[source].closer = kClosedByNobody;
  Emit(target, object, {source});
  const std::string key = object::EncodeKey(object);
  desired_.identities[target][key] = identity;
  iam_names_of_[{identity, message.iam()}].push_back(object.user_name());
  NoteUserEnd(identity, target, interval.until);
  NoteOffTime(target, {Kind::kIamUser, key}, interval, source);
}

// A group, an application role or an access role with its members: `object` is of its kind.
template <class Object, class M>
void Compiler::CompileIamSet(const config::Declared<M>& declared, const std::string& name,
                             std::string_view set_kind, Object* object) {
  const M& message = declared.message;
  const auto iam = iams_.find(message.iam());
  if (iam == iams_.end()) return;
  const std::string target = "iam:" + message.iam();
  const std::string address = fmt::format("iam_{}:{}", set_kind, message.name());
  const Authority authority = AuthorityOf(message.authority());
  const uint32_t source = AddProvenance(address, declared.span, base::kForever);
  object->set_name(name);
  Describe(message, address, object);
  if constexpr (requires { object->clear_external_id(); }) {
    if (config::IsOtds(iam->second->message)) object->clear_external_id();
  }
  if (authority != Authority::kObserve) Emit(target, *object, {source});
  const std::string set = fmt::format("{}:{}", set_kind, name);
  bool has_members = message.has_members();
  std::set<std::string> members;
  if (has_members) {
    members = IamMembers(
        {*iam->second, message.members().values(), set_kind, message.name(), declared.span});
  }
  if constexpr (requires { message.partitions(); }) {
    has_members = has_members || message.has_partitions();
    for (const std::string& partition : message.partitions().values()) {
      members.insert("partition:" + partition);
    }
  }
  const bool managed = has_members && authority != Authority::kObserve;
  SetAuthority(target, Kind::kIamMembership,
               object::Normalise(object::Comparator::kCaseIgnore, set),
               managed ? authority : Authority::kObserve);
  if (!managed) return;
  kinds::IamMembership membership;
  membership.set_set(set);
  for (const std::string& member : members) {
    membership.set_member(member);
    Emit(target, membership, {source});
  }
}

// As the system names them: people through their users there.
std::set<std::string> Compiler::IamMembers(const IamSet& set) {
  std::set<std::string> members;
  std::vector<std::string> without;
  const auto add = [&](const std::string& identity) {
    const auto names = iam_names_of_.find({identity, set.iam.message.name()});
    if (names == iam_names_of_.end()) {
      without.push_back(identity);
      return;
    }
    for (const std::string& name : names->second) members.insert("user:" + name);
  };
  for (const std::string& member : set.members) {
    const std::string_view name = std::string_view(member).substr(member.find(':') + 1);
    if (member.starts_with("group:")) {
      for (const std::string& identity : Flatten(std::string(name))) add(identity);
    } else if (member.starts_with("iam_group:")) {
      const auto group = iam_groups_.find(name);
      if (group == iam_groups_.end()) continue;  // reported by the loader
      members.insert("group:" + config::GroupNameOf(set.iam.message, group->second->message));
    } else if (member.starts_with("iam_user:")) {
      const auto user = iam_users_.find(name);
      if (user == iam_users_.end()) continue;
      members.insert("user:" + config::UserNameOf(set.iam.message, user->second->message));
    } else {
      add(member);
    }
  }
  if (without.empty()) return members;
  desired_.diagnostics.Add(
      {.severity = diag::Severity::kWarning,
       .code = diag::code::kMemberWithout,
       .summary = fmt::format("iam_{} \"{}\" has members without a user in iam \"{}\"", set.kind,
                              set.name, set.iam.message.name()),
       .span = set.span,
       .label = fmt::format("{}", fmt::join(without, ", ")),
       .notes = {"declare an [iam_user] for them in this system, or take them out"}});
  return members;
}

void Compiler::CompileOauthClient(const config::Declared<decl::OauthClient>& client) {
  const decl::OauthClient& message = client.message;
  if (!iams_.contains(message.iam())) return;
  const std::string target = "iam:" + message.iam(), address = "oauth_client:" + message.name();
  kinds::OauthClient object;
  object.set_client_id(config::NameOf(message));
  if (message.has_description()) object.set_description(message.description());
  object.set_confidential(!message.has_confidential() || message.confidential());
  if (message.has_redirect_urls()) {
    *object.mutable_redirect_urls()->mutable_values() = message.redirect_urls().values();
  }
  if (message.has_scopes()) *object.mutable_scopes()->mutable_values() = message.scopes().values();
  if (message.has_access_token_seconds()) {
    object.set_access_token_seconds(message.access_token_seconds());
  }
  if (message.has_refresh_token_seconds()) {
    object.set_refresh_token_seconds(message.refresh_token_seconds());
  }
  if (message.has_secret()) object.set_secret(message.secret());
  Emit(target, object, {AddProvenance(address, client.span, base::kForever)});
  desired_.identities[target][std::string(access::kClientEntry) + object::EncodeKey(object)] =
      address;
}

}  // namespace postern::compile
