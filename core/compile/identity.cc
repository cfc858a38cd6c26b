#include "core/compile/identity.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/diag/codes.h"
#include "core/object/wire_fields.h"
#include "schemas/kinds.pb.h"

namespace postern::compile {
namespace {

Attribute ParseJoin(std::string_view name) {
  if (name == "externalId") return Attribute::kExternalId;
  if (name == "employeeNumber") return Attribute::kEmployeeNumber;
  if (name == "mail") return Attribute::kMail;
  return Attribute::kUserName;  // userName, uid
}

// Values of the attribute; several of mail only.
std::vector<std::string_view> ValuesOf(const FactUser& user, Attribute attribute) {
  if (attribute == Attribute::kMail) return object::Elements(user.mail);
  const std::string_view value = user.text[static_cast<size_t>(attribute)];
  if (value.empty()) return {};
  return {value};
}

}  // namespace

std::string FactIdentity(std::string_view target, std::string_view name, std::string_view id) {
  std::string out(target);
  out += '/';
  out += name;
  out += '#';
  for (const char c : id) {
    if (c == '#') {
      out += "%23";
    } else if (c == '%') {
      out += "%25";
    } else {
      out += c;
    }
  }
  return out;
}

std::string FactIdentityOf(std::string_view target, const object::ObjectView& user) {
  const uint32_t spelled = user.kind == object::Kind::kIamUser
                               ? uint32_t{kinds::IamUser::kUserNameFieldNumber}
                               : uint32_t{kinds::User::kUidFieldNumber};
  std::string_view name = user.key;
  object::FieldWalker walker(user.body);
  object::WireField field;
  while (walker.Next(&field)) {
    if (field.number == spelled && !field.bytes.empty()) name = field.bytes;
  }
  return FactIdentity(target, name, user.id);
}

FactIdentityParts SplitFactIdentity(std::string_view identity) {
  if (!identity.starts_with("iam:") && !identity.starts_with("directory:")) return {};
  const size_t slash = identity.find('/');
  const size_t mark = identity.rfind('#');
  if (slash == std::string_view::npos || mark == std::string_view::npos || mark < slash) return {};
  return {identity.substr(0, slash), identity.substr(slash + 1, mark - slash - 1),
          identity.substr(mark + 1)};
}

std::string IdOf(const FactIdentityParts& parts) {
  std::string id(parts.id);
  for (const auto& [code, plain] : {std::pair("%23", "#"), std::pair("%25", "%")}) {
    for (size_t at = 0; (at = id.find(code, at)) != std::string::npos; ++at) {
      id.replace(at, 3, plain);
    }
  }
  return id;
}

std::string_view LabelOf(std::string_view identity) {
  const FactIdentityParts parts = SplitFactIdentity(identity);
  if (!parts.target.empty()) return parts.name;
  return identity.substr(identity.find(':') + 1);
}

People::People(std::vector<std::unique_ptr<SourceFacts>> sources, const decl::Identity& rules,
               Declared declared)
    : sources_(std::move(sources)), declared_(std::move(declared)) {
  joined_ = rules.has_join();
  if (joined_) {
    iam_attribute_ = ParseJoin(rules.join().iam());
    directory_attribute_ = ParseJoin(rules.join().directory());
    iam_name_ = rules.join().iam();
    directory_name_ = rules.join().directory();
  }
  if (rules.active() == "iam") whose_ = Whose::kIam;
  if (rules.active() == "directory") whose_ = Whose::kDirectory;
}

uint32_t People::SourceNamed(std::string_view target) const {
  uint32_t index = 0;
  while (index < sources_.size() && sources_[index]->source().target != target) ++index;
  return index;
}

std::string People::IdentityOf(FactRef ref) const {
  const FactUser& user = User(ref);
  const std::string& target = SourceOf(ref).target;
  if (const std::string* declared = declared_(target, user.key)) return *declared;
  return FactIdentity(target, user.name, user.id);
}

bool People::Decides(bool iam) const {
  return whose_ == Whose::kAll || (whose_ == Whose::kIam) == iam;
}

std::span<const uint32_t> People::Unjoined(uint32_t source) const {
  if (!joined_) return {};
  return sources_[source]->Unread(JoinOf(sources_[source]->source().is_iam()));
}

std::string People::UnjoinedText(uint32_t source) const {
  const size_t count = Unjoined(source).size();
  const IdentitySource& from = sources_[source]->source();
  return fmt::format("the {} of {} user{} in {} couldn't be read", NameOfJoin(from.is_iam()), count,
                     count == 1 ? "" : "s", from.name());
}

std::vector<uint32_t> People::NeededOf(std::optional<uint32_t> source) const {
  if (!joined_ && source) return {*source};
  std::vector<uint32_t> out;
  for (uint32_t i = 0; i < sources_.size(); ++i) {
    if (!joined_ || Decides(sources_[i]->source().is_iam())) out.push_back(i);
  }
  return out;
}

void People::ReportAmbiguous(uint32_t source, std::string_view value,
                             std::span<const uint32_t> users) {
  if (!reported_.insert({source, FoldValue(value)}).second) return;
  const SourceFacts& facts = *sources_[source];
  const std::string& target = facts.source().target;
  std::vector<std::string> notes;
  for (const uint32_t user : users.subspan(0, std::min<size_t>(users.size(), 5))) {
    notes.push_back(fmt::format("{} in {}", facts.users()[user].name, target));
  }
  notes.emplace_back(
      "until their values differ, no role gives them anything, and only who isn't active loses "
      "anything");
  ambiguous_.Add({.code = diag::code::kAmbiguousPerson,
                  .summary = fmt::format("{} and {} in {} both have the value \"{}\" that joins "
                                         "people",
                                         facts.users()[users[0]].name, facts.users()[users[1]].name,
                                         target, value),
                  .subject = target,
                  .label = fmt::format("{} users share it", users.size()),
                  .notes = std::move(notes)});
}

void People::Match(uint32_t source, std::string_view value, Halves* halves) {
  const auto users = sources_[source]->With(JoinOf(sources_[source]->source().is_iam()), value);
  if (users.size() > 1) {
    halves->ambiguous = true;
    ReportAmbiguous(source, value, users);
  }
  auto& side = sources_[source]->source().is_iam() ? halves->iam : halves->directory;
  for (const uint32_t user : users) {
    const FactRef ref{source, user};
    if (std::find(side.begin(), side.end(), ref) == side.end()) side.push_back(ref);
  }
}

People::Halves People::HalvesOf(FactRef ref) {
  Halves halves;
  const bool iam = SourceOf(ref).is_iam();
  for (std::string_view value : ValuesOf(User(ref), JoinOf(iam))) {
    if (halves.value.empty()) halves.value = value;
    for (uint32_t source = 0; source < sources_.size(); ++source) Match(source, value, &halves);
  }
  // Several addresses may lead to several entries of one source.
  for (const auto* side : {&halves.iam, &halves.directory}) {
    for (size_t i = 1; i < side->size(); ++i) {
      halves.ambiguous = halves.ambiguous || (*side)[i].source == (*side)[i - 1].source;
    }
  }
  if (halves.iam.empty() && halves.directory.empty()) {
    (iam ? halves.iam : halves.directory).push_back(ref);
  }
  return halves;
}

bool People::Says(FactRef ref, bool no) const {
  const FactUser& user = User(ref);
  return user.active_known && user.active == !no && SourceOf(ref).users.held.empty();
}

std::string People::WhyUnjoined(FactRef ref) const {
  const bool iam = SourceOf(ref).is_iam();
  if ((User(ref).unreadable >> static_cast<size_t>(JoinOf(iam)) & 1) == 0) return "";
  return fmt::format("its {} couldn't be read in {}", NameOfJoin(iam), SourceOf(ref).name());
}

std::string People::Unseen(FactRef ref, bool iam) const {
  for (const auto& source : sources_) {
    if (source->source().is_iam() == iam && !source->source().users.held.empty()) {
      return source->source().users.held;
    }
  }
  std::string unread = WhyUnjoined(ref);
  for (uint32_t i = 0; unread.empty() && i < sources_.size(); ++i) {
    if (sources_[i]->source().is_iam() == iam && !Unjoined(i).empty()) unread = UnjoinedText(i);
  }
  return unread;
}

std::string People::SilentBeside(const std::vector<FactRef>& side, bool iam) const {
  for (uint32_t i = 0; i < sources_.size(); ++i) {
    const IdentitySource& source = sources_[i]->source();
    if (source.is_iam() != iam) continue;
    const bool shown =
        std::any_of(side.begin(), side.end(), [&](FactRef half) { return half.source == i; });
    if (shown) continue;
    if (!source.users.held.empty()) return source.users.held;
    const auto unjoined = Unjoined(i);
    const bool no = std::any_of(unjoined.begin(), unjoined.end(), [&](uint32_t user) {
      return !Says({i, user}, false);
    });
    if (no) return UnjoinedText(i);
  }
  return "";
}

std::string People::Missing(FactRef ref, bool iam, const std::string& value) const {
  std::string unseen = Unseen(ref, iam);
  if (!unseen.empty()) return unseen;
  if (value.empty()) {
    return fmt::format("its {} isn't set, so that nothing joins it to {}",
                       iam ? "value" : iam_name_, iam ? "an IAM system" : "a directory");
  }
  return fmt::format("no {} has its {} \"{}\"", iam ? "IAM system" : "directory", iam_name_, value);
}

Standing People::StandingOf(FactRef ref) {
  Halves halves;
  if (joined_) {
    halves = HalvesOf(ref);
  } else {
    (SourceOf(ref).is_iam() ? halves.iam : halves.directory).push_back(ref);
  }
  Standing standing;
  standing.named = standing.face = ref;
  if (halves.ambiguous) {
    // Of several that could be the same person none is: it has its own name alone.
    standing.halves = {ref};
    standing.ambiguous = true;
    standing.why = fmt::format("its {} \"{}\" isn't of one person alone", iam_name_, halves.value);
    // Its own no is nobody else's: who writes another's value into his own entry can't undo it.
    if (Asks(ref.source) && Says(ref, true)) {
      standing.verdict = Standing::Verdict::kInactive;
      standing.told = ref;
    }
    return standing;
  }
  if (!halves.iam.empty()) standing.named = standing.face = halves.iam.front();
  for (const auto* side : {&halves.iam, &halves.directory}) {
    for (const FactRef half : *side) {
      standing.halves.push_back(half);
      if (declared_(SourceOf(half).target, User(half).key) == nullptr) continue;
      if (declared_(SourceOf(standing.named).target, User(standing.named).key) == nullptr) {
        standing.named = half;
      }
    }
  }
  Judge(ref, halves, &standing);
  return standing;
}

// Any source that says no decides; then a word that is missing leaves it open.
void People::Judge(FactRef ref, const Halves& halves, Standing* standing) {
  using Verdict = Standing::Verdict;
  std::string open;  // why somebody's word is missing
  for (const bool iam : {true, false}) {
    const auto& side = iam ? halves.iam : halves.directory;
    if (side.empty() && joined_ && open.empty()) {
      // Attributes and name are the IAM system's also where another is asked who is active.
      if (Decides(iam)) {
        open = Missing(ref, iam, halves.value);
      } else if (iam) {
        open = Unseen(ref, iam);
      }
    }
    if (joined_ && !Decides(iam)) continue;
    if (joined_ && open.empty()) open = SilentBeside(side, iam);
    for (const FactRef half : side) {
      if (Says(half, true)) {
        standing->verdict = Verdict::kInactive;
        standing->told = half;
        return;
      }
      if (!Says(half, false) && open.empty()) {
        open =
            !SourceOf(half).users.held.empty()
                ? SourceOf(half).users.held
                : fmt::format("whether it is active couldn't be read in {}", SourceOf(half).name());
      }
      if (!sources_[half.source]->WasActive(User(half))) {
        standing->pending = true;
        standing->told = half;
      }
    }
  }
  if (open.empty()) standing->verdict = Verdict::kActive;
  standing->why = std::move(open);
}

}  // namespace postern::compile
