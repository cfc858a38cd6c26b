#include "core/jobs/census.h"

#include <fmt/format.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <memory>

#include "core/base/check.h"
#include "core/diag/suggest.h"
#include "core/object/kind.h"
#include "schemas/kinds.pb.h"

namespace postern::jobs {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

Type TypeOf(const object::FieldTable& field) {
  if (field.collection) return Type::kList;
  if (field.boolean) return Type::kBoolean;
  return field.instant ? Type::kTime : Type::kText;
}

// The fields of a kind that a row has.
std::vector<const object::FieldTable*> FieldsOf(object::Kind kind) {
  std::vector<const object::FieldTable*> fields;
  for (const object::FieldTable& field : object::TableOf(kind).fields) {
    if (!field.secret) fields.push_back(&field);
  }
  return fields;
}

// Objects of one kind, as rows.
class Rows final : public object::ObjectSink {
 public:
  Rows(object::Kind kind, AttributeSet wanted, const TakeRow& take, uint64_t* seen)
      : kind_(kind), take_(take), seen_(seen), fields_(FieldsOf(kind)) {
    const auto* prototype = google::protobuf::MessageFactory::generated_factory()->GetPrototype(
        object::TableOf(kind).descriptor);
    POSTERN_CHECK(prototype != nullptr, "every kind has a message");
    message_.reset(prototype->New());
    cells_.resize(fields_.size());
    texts_.resize(fields_.size());
    items_.resize(fields_.size());
    for (size_t i = 0; i < fields_.size(); ++i) {
      if ((wanted >> i & 1) != 0) wanted_.push_back(i);
    }
  }

  // What a target is asked for.
  object::FieldSet asked() const {
    object::FieldSet fields = 0;
    for (const size_t i : wanted_) fields |= object::FieldSet{1} << fields_[i]->number;
    return fields;
  }

  bool Add(const object::ObjectView& object) override {
    if (object.kind != kind_) return true;
    ++*seen_;
    auto taken = Take(object);
    if (taken) return true;
    failed_ = taken.error();
    return false;
  }
  const std::optional<Error>& failed() const { return failed_; }

 private:
  Result<void> Take(const object::ObjectView& object) {
    if (!message_->ParseFromArray(object.body.data(), static_cast<int>(object.body.size()))) {
      return Fail(ErrorCode::kInternal,
                  "an object that can't be read: " + object::Describe(object.kind, object.key));
    }
    SourceRow row{object.key, cells_, 0};
    for (const size_t i : wanted_) {
      cells_[i] = CellOf(i);
      if ((object.unreadable >> fields_[i]->number & 1) != 0) row.unreadable |= AttributeBit(i);
    }
    return take_(row);
  }

  Cell CellOf(size_t i) {
    const FieldDescriptor* field = fields_[i]->descriptor;
    const Reflection* reflection = message_->GetReflection();
    if (!reflection->HasField(*message_, field)) return {};
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        return Cell::One(reflection->GetStringReference(*message_, field, &texts_[i]));
      case FieldDescriptor::CPPTYPE_BOOL:
        return Cell::One(reflection->GetBool(*message_, field) ? "true" : "false");
      case FieldDescriptor::CPPTYPE_INT64: {
        const base::Instant at = reflection->GetInt64(*message_, field);
        if (at == base::kForever) return Cell::Empty();
        texts_[i] = base::FormatInstant(at);
        return Cell::One(texts_[i]);
      }
      case FieldDescriptor::CPPTYPE_UINT32:
        texts_[i] = std::to_string(reflection->GetUInt32(*message_, field));
        return Cell::One(texts_[i]);
      default:
        return ListOf(reflection->GetMessage(*message_, field), &items_[i]);
    }
  }

  static Cell ListOf(const Message& set, std::vector<std::string_view>* items) {
    const auto* strings = google::protobuf::DynamicCastToGenerated<kinds::Strings>(&set);
    POSTERN_CHECK(strings != nullptr, "collections are wrapped strings");
    items->assign(strings->values().begin(), strings->values().end());
    return Cell::List(*items);
  }

  const object::Kind kind_;
  const TakeRow& take_;
  uint64_t* const seen_;
  const std::vector<const object::FieldTable*> fields_;
  std::vector<size_t> wanted_;  // positions of the fields that are looked at
  std::unique_ptr<Message> message_;
  std::vector<Cell> cells_;
  std::vector<std::string> texts_;
  std::vector<std::vector<std::string_view>> items_;
  std::optional<Error> failed_;
};

}  // namespace

std::optional<What> ParseWhat(std::string_view text) {
  if (text == "users") return What::kUsers;
  if (text == "groups") return What::kGroups;
  if (text == "roles") return What::kRoles;
  if (text == "memberships") return What::kMemberships;
  if (text == "entitlements") return What::kEntitlements;
  if (text == "distribution") return What::kDistribution;
  return std::nullopt;
}

std::optional<object::Kind> KindOf(What what, SourceType source) {
  if (source != SourceType::kDirectory && source != SourceType::kIam) return std::nullopt;
  const bool iam = source == SourceType::kIam;
  switch (what) {
    case What::kUsers:
      return iam ? object::Kind::kIamUser : object::Kind::kUser;
    case What::kGroups:
      return iam ? object::Kind::kIamGroup : object::Kind::kDirectoryGroup;
    case What::kMemberships:
      return iam ? object::Kind::kIamMembership : object::Kind::kMembership;
    case What::kRoles:
      if (iam) return object::Kind::kIamRole;
      break;
    case What::kEntitlements:
    case What::kDistribution:
      break;
  }
  return std::nullopt;
}

SourceType SourceTypeOf(std::string_view source) {
  return source.starts_with("iam:") ? SourceType::kIam : SourceType::kDirectory;
}

SourceType SourceTypeOf(const decl::Export& declared) {
  if (declared.what() == "entitlements") return SourceType::kServers;
  if (declared.what() == "distribution") return SourceType::kFiles;
  const auto& from = declared.from().values();
  return SourceTypeOf(from.empty() ? std::string_view() : std::string_view(from[0]));
}

std::vector<Attribute> AttributesOf(What what, SourceType source) {
  if (what == What::kDistribution && source == SourceType::kFiles) {
    return {{"path", Type::kText, true}, {"size"}, {"modified", Type::kTime}, {"sha256"}};
  }
  if (what == What::kEntitlements && source == SourceType::kServers) {
    return {{"id", Type::kText, true}, {"target"}, {"account"}, {"path"}, {"depth"}, {"through"},
            {"rights", Type::kList},   {"closed"}};
  }
  std::vector<Attribute> attributes;
  const auto kind = KindOf(what, source);
  if (!kind) return attributes;
  for (const object::FieldTable* field : FieldsOf(*kind)) {
    attributes.push_back({field->name, TypeOf(*field), field->key});
  }
  return attributes;
}

std::optional<size_t> FindAttribute(std::span<const Attribute> attributes, std::string_view name,
                                    std::string* hint) {
  std::vector<std::string_view> names;
  for (size_t i = 0; i < attributes.size(); ++i) {
    if (attributes[i].name == name) return i;
    names.push_back(attributes[i].name);
  }
  const auto near = diag::Nearest(name, names);
  *hint = near ? fmt::format("did you mean {}?", *near)
               : fmt::format("there are {}", fmt::join(names, ", "));
  return std::nullopt;
}

void Judge(const std::string& name, const std::vector<object::ScopeStatus>& scopes,
           CensusReport* report) {
  for (const object::ScopeStatus& scope : scopes) {
    const std::string where = scope.scope.empty() ? name : name + " " + scope.scope;
    if (!scope.complete) report->incomplete.push_back(where + ": " + scope.reason);
    if (scope.complete && !scope.unstable.empty()) {
      report->unstable.push_back(where + ": " + scope.unstable);
    }
    if (scope.at != 0 && (report->as_of == 0 || scope.at < report->as_of)) report->as_of = scope.at;
  }
}

Result<void> ReadRows(object::Target& target, const std::string& name, What what, SourceType source,
                      AttributeSet wanted, const TakeRow& take, CensusReport* report) {
  const auto kind = KindOf(what, source);
  POSTERN_CHECK(kind.has_value(), "the source has such rows");
  Rows rows(*kind, wanted, take, &report->seen);
  const auto scopes = target.EnumerateFields(*kind, rows.asked(), rows);
  if (rows.failed()) return tl::unexpected<Error>(*rows.failed());
  if (!scopes) return base::Wrap("read " + name, scopes.error());
  // A target that answered for no scope at all was asked for nothing: that isn't "no rows".
  if (scopes->empty()) report->incomplete.push_back(name + ": manages nothing of this kind");
  Judge(name, *scopes, report);
  return {};
}

}  // namespace postern::jobs
