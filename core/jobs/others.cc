#include "core/jobs/others.h"

#include <set>

#include "core/config/roster.h"
#include "core/jobs/people.h"
#include "schemas/kinds.pb.h"

namespace postern::jobs {
namespace {

using object::Kind;

// The attribute of [user] or [iam_user] that a join names.
std::string AttributeOf(bool iam, std::string_view join) {
  if (join == "externalId") return "external_id";
  if (join == "employeeNumber") return "employee_number";
  if (join == "mail") return "mail";
  return iam ? "user_name" : "uid";
}

class Gatherer {
 public:
  Gatherer(const decl::Import& import, const config::Declarations& all)
      : import_(import), all_(all), join_(all.operator_file.message.identity().join()) {
    const bool iam = config::IsIam(import);
    joins_ = all.operator_file.message.identity().has_join();
    if (joins_) out_.join = AttributeOf(iam, iam ? join_.iam() : join_.directory());
    for (const auto& one : all.imports) {
      if (one.message.owner() == import.owner()) ours_.insert(one.message.name());
    }
  }

  void TakeDeclared() {
    for (const auto& user : all_.users) {
      const decl::User& m = user.message;
      Declare("user:" + m.name(), "directory:" + m.directory(), m.has_uid() ? m.uid() : m.name(),
              m);
    }
    for (const auto& user : all_.iam_users) {
      const decl::IamUser& m = user.message;
      Declare("iam_user:" + m.name(), "iam:" + m.iam(), m.user_name(), m);
    }
  }

  void TakeLive(const LivePeople& live) {
    for (const object::ObjectView& view : live.objects->OfKind(Kind::kUser)) {
      const auto user = object::DecodeAs<kinds::User>(view.body);
      if (IsToTakeOver(live.target, user)) continue;
      Take(live.target, user.uid(), user);
    }
    for (const object::ObjectView& view : live.objects->OfKind(Kind::kIamUser)) {
      const auto user = object::DecodeAs<kinds::IamUser>(view.body);
      Take(live.target, user.user_name(), user);
    }
  }

  OthersValues TakeAll() { return std::move(out_); }

 private:
  template <class M>
  void Declare(const std::string& address, const std::string& target, const std::string& login,
               const M& message) {
    const auto import = all_.imported_by.find(address);
    const bool own = import != all_.imported_by.end() && ours_.contains(import->second);
    (own ? own_ : declared_).insert({target, FoldedValue(login)});
    if (!own) Take(target, login, message);
  }

  template <class M>
  void Take(const std::string& target, const std::string& login, const M& message) {
    if (login.empty() || own_.contains({target, FoldedValue(login)})) return;
    out_.logins.insert(FoldedValue(login));
    if (!joins_) return;
    const bool iam = target.starts_with("iam:");
    const std::string attribute = AttributeOf(iam, iam ? join_.iam() : join_.directory());
    const auto* field = message.GetDescriptor()->FindFieldByName(attribute);
    for (const std::string& value : config::ValuesOf(message, *field)) {
      out_.joined.insert(FoldedValue(value));
    }
    if (attribute == "uid")
      out_.joined.insert(FoldedValue(login));  // by its name where none is said
  }

  bool IsToTakeOver(const std::string& target, const kinds::User& user) const {
    if (target != import_.to() || declared_.contains({target, FoldedValue(user.uid())}))
      return false;
    const auto dn = object::Normalise(object::Comparator::kDn, user.dn());
    return dn.ends_with("," + object::Normalise(object::Comparator::kDn, import_.base()));
  }

  const decl::Import& import_;
  const config::Declarations& all_;
  const decl::Join& join_;
  bool joins_ = false;
  std::set<std::string> ours_;                                    // imports with this one's owner
  std::set<std::pair<std::string, std::string>> own_, declared_;  // target and folded login
  OthersValues out_;
};

}  // namespace

OthersValues ValuesOfOthers(const decl::Import& import, const config::Declarations& all,
                            const std::vector<LivePeople>& live) {
  Gatherer gatherer(import, all);
  gatherer.TakeDeclared();
  for (const LivePeople& one : live) gatherer.TakeLive(one);
  return gatherer.TakeAll();
}

}  // namespace postern::jobs
