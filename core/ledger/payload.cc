#include "core/ledger/payload.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <nlohmann/json.hpp>

namespace postern::ledger {
namespace {

bool IsUtf8(std::string_view text) {
  const auto* at = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  auto left = static_cast<utf8proc_ssize_t>(text.size());
  while (left > 0) {
    if (*at < 0x80) {
      ++at, --left;
      continue;
    }
    utf8proc_int32_t point = 0;
    const utf8proc_ssize_t length = utf8proc_iterate(at, left, &point);
    if (length <= 0) return false;
    at += length, left -= length;
  }
  return true;
}

// Control characters, and DEL, which some terminals and tools show in another way, are escaped.
void AppendQuoted(std::string_view text, std::string* out) {
  *out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      *out += '\\';
      *out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      constexpr char kDigits[] = "0123456789abcdef";
      *out += "\\u00";
      *out += kDigits[byte >> 4];
      *out += kDigits[byte & 15];
    } else {
      *out += c;
    }
  }
  *out += '"';
}

void AppendText(std::string_view text, std::string* out) {
  if (IsUtf8(text)) return AppendQuoted(text, out);
  *out += "{\"base64\":\"";
  *out += base::Base64(text);
  *out += "\"}";
}

void AppendNumber(uint64_t value, std::string* out) {
  const fmt::format_int text(value);
  out->append(text.data(), text.size());
}

// Members of one object, in the order of the calls.
class Members {
 public:
  explicit Members(std::string* out) : out_(out) { *out_ += '{'; }
  ~Members() { *out_ += '}'; }
  Members(const Members&) = delete;

  void Name(std::string_view name) {
    if (!first_) *out_ += ',';
    first_ = false;
    *out_ += '"';
    *out_ += name;
    *out_ += "\":";
  }
  void Number(std::string_view name, uint64_t value) {
    Name(name);
    AppendNumber(value, out_);
  }
  void Text(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    Name(name);
    AppendText(value, out_);
  }
  void Body(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    Name(name);
    *out_ += '"';
    *out_ += base::Base64(value);
    *out_ += '"';
  }

 private:
  std::string* out_;
  bool first_ = true;
};

void AppendRecord(const Recorded& record, std::string* out) {
  Members members(out);
  members.Number("kind", static_cast<uint64_t>(record.kind));
  members.Text("key", record.key);
  members.Body("body", record.body);
  members.Text("id", record.id);
  members.Text("owner", record.owner);
  if (record.retired_at != 0) {
    members.Name("retired_at");
    *out += fmt::format_int(record.retired_at).str();
  }
  members.Text("secret_desired", record.secret_desired);
  members.Text("secret_stored", record.secret_stored);
}

}  // namespace

std::string CreatedPayload(std::string_view id, int64_t version, const base::Digest& key_digest) {
  std::string out;
  {
    Members members(&out);
    members.Text("ledger", id);
    members.Number("version", static_cast<uint64_t>(version));
    members.Text("key_sha256", base::Hex(key_digest));
  }
  return out;
}

std::string StartedPayload(uint64_t apply, const ApplyStart& start) {
  std::string out;
  {
    Members members(&out);
    members.Number("apply", apply);
    members.Text("who", start.who);
    members.Text("summary", start.summary);
    members.Text("revision", start.revision);
    members.Text("plan_digest", start.plan_digest);
    members.Text("intent_digest", start.intent_digest);
    members.Number("plan_bytes", start.plan.size());
    members.Text("plan_sha256", base::Hex(base::Sha256(start.plan)));
  }
  return out;
}

void AppendIntent(uint64_t apply, const Intent& intent, std::string* out) {
  Members members(out);
  members.Number("apply", apply);
  members.Number("step", intent.step);
  members.Text("phase", intent.phase);
  members.Text("target", intent.target);
  members.Number("kind", static_cast<uint64_t>(intent.kind));
  members.Text("key", intent.key);
  members.Text("owner", intent.owner);
  members.Body("before", intent.before);
  members.Body("after", intent.after);
}

void AppendOutcome(uint64_t apply, const Outcome& outcome, std::string* out) {
  Members members(out);
  members.Number("apply", apply);
  members.Number("step", outcome.step);
  members.Text("status", outcome.status);
  members.Text("message", outcome.message);
  members.Text("target", outcome.target);
  if (outcome.record) {
    members.Name("record");
    AppendRecord(*outcome.record, out);
  } else if (outcome.erase) {
    members.Name("erase");
    Members erased(out);
    erased.Number("kind", static_cast<uint64_t>(outcome.erase->kind));
    erased.Text("key", outcome.erase->key);
  }
}

std::string FinishedPayload(uint64_t apply, std::string_view result, uint64_t generation) {
  std::string out;
  {
    Members members(&out);
    members.Number("apply", apply);
    members.Text("result", result);
    if (generation != 0) members.Number("generation", generation);
  }
  return out;
}

std::string CensusPayload(std::span<const Census> census) {
  std::string out = "{\"census\":[";
  for (const Census& row : census) {
    if (&row != census.data()) out += ',';
    Members members(&out);
    members.Text("target", row.target);
    members.Number("kind", static_cast<uint64_t>(row.kind));
    members.Text("scope", row.scope);
    members.Number("count", row.count);
  }
  return out + "]}";
}

std::string UidPayload(std::span<const std::pair<std::string, uint32_t>> uids) {
  std::string out = "{\"uids\":[";
  for (const auto& row : uids) {
    if (&row != uids.data()) out += ',';
    Members members(&out);
    members.Text("server", row.first);
    members.Number("uid", row.second);
  }
  return out + "]}";
}

std::string JobPayload(const JobEvent& event, const RosterRow* roster) {
  std::string out;
  {
    Members members(&out);
    members.Text("job", event.job);
    members.Text("run", event.run);
    members.Text("what", event.what);
    members.Text("who", event.who);
    members.Text("plan_digest", event.plan_digest);
    members.Text("file_sha256", event.file_sha256);
    members.Text("note", event.note);
    members.Text("signature", event.signature);
    members.Text("reason", event.reason);
    if (event.locked_seconds) members.Number("locked_seconds", *event.locked_seconds);
    if (roster != nullptr) {
      members.Text("import", roster->import);
      members.Text("roster_sha256", base::Hex(base::Sha256(roster->roster)));
    }
  }
  return out;
}

namespace {

using Json = nlohmann::json;

// Reads members by name; the first that has another shape makes `ok` false, and stays so.
class Reader {
 public:
  explicit Reader(const Json& json) : json_(json), ok_(json.is_object()) {}
  bool ok() const { return ok_; }

  uint64_t Number(const char* name) {
    const Json* value = Find(name);
    if (value == nullptr) return 0;
    ok_ = ok_ && value->is_number_unsigned();
    return ok_ ? value->get<uint64_t>() : 0;
  }
  int64_t Signed(const char* name) {
    const Json* value = Find(name);
    if (value == nullptr) return 0;
    ok_ = ok_ && value->is_number_integer();
    return ok_ ? value->get<int64_t>() : 0;
  }
  object::Kind Kind() { return static_cast<object::Kind>(Number("kind")); }
  std::string Text(const char* name) {
    const Json* value = Find(name);
    if (value == nullptr) return {};
    if (value->is_string()) return value->get<std::string>();
    const auto inner = value->is_object() ? value->find("base64") : value->end();
    if (!value->is_object() || inner == value->end()) return Bad();
    return Decoded(*inner);
  }
  std::string Body(const char* name) {
    const Json* value = Find(name);
    return value == nullptr ? std::string() : Decoded(*value);
  }
  // Null when there is none.
  const Json* Find(const char* name) {
    if (!ok_) return nullptr;
    const auto found = json_.find(name);
    return found == json_.end() ? nullptr : &*found;
  }
  const Json& Array(const char* name) {
    static const Json none = Json::array();
    const Json* value = Find(name);
    if (value != nullptr && value->is_array()) return *value;
    ok_ = false;
    return none;
  }
  // A part of this value had another shape.
  void Take(const Reader& part) { ok_ = ok_ && part.ok(); }

 private:
  std::string Bad() {
    ok_ = false;
    return {};
  }
  std::string Decoded(const Json& value) {
    std::string bytes;
    if (!value.is_string() || !base::DecodeBase64(value.get_ref<const std::string&>(), &bytes)) {
      return Bad();
    }
    return bytes;
  }

  const Json& json_;
  bool ok_;
};

Started ReadStarted(Reader& reader) {
  Started started;
  started.apply = reader.Number("apply");
  started.start.who = reader.Text("who");
  started.start.summary = reader.Text("summary");
  started.start.revision = reader.Text("revision");
  started.start.plan_digest = reader.Text("plan_digest");
  started.start.intent_digest = reader.Text("intent_digest");
  started.plan_bytes = reader.Number("plan_bytes");
  started.plan_sha256 = reader.Text("plan_sha256");
  return started;
}

Intended ReadIntent(Reader& reader) {
  Intended intended;
  intended.apply = reader.Number("apply");
  intended.intent.step = reader.Number("step");
  intended.intent.phase = reader.Text("phase");
  intended.intent.target = reader.Text("target");
  intended.intent.kind = reader.Kind();
  intended.intent.key = reader.Text("key");
  intended.intent.owner = reader.Text("owner");
  intended.intent.before = reader.Body("before");
  intended.intent.after = reader.Body("after");
  return intended;
}

Came ReadOutcome(Reader& reader) {
  Came came;
  came.apply = reader.Number("apply");
  came.outcome.step = reader.Number("step");
  came.outcome.status = reader.Text("status");
  came.outcome.message = reader.Text("message");
  came.outcome.target = reader.Text("target");
  if (const Json* value = reader.Find("record")) {
    Reader part(*value);
    Recorded& record = came.outcome.record.emplace();
    record.kind = part.Kind();
    record.key = part.Text("key");
    record.body = part.Body("body");
    record.id = part.Text("id");
    record.owner = part.Text("owner");
    record.retired_at = part.Signed("retired_at");
    record.secret_desired = part.Text("secret_desired");
    record.secret_stored = part.Text("secret_stored");
    reader.Take(part);
  }
  if (const Json* value = reader.Find("erase")) {
    Reader part(*value);
    const object::Kind kind = part.Kind();
    came.outcome.erase = object::ObjectKey{kind, part.Text("key")};
    reader.Take(part);
  }
  return came;
}

Counted ReadCensus(Reader& reader) {
  Counted counted;
  for (const Json& value : reader.Array("census")) {
    Reader part(value);
    Census& row = counted.census.emplace_back();
    row.target = part.Text("target");
    row.kind = part.Kind();
    row.scope = part.Text("scope");
    row.count = part.Number("count");
    reader.Take(part);
  }
  return counted;
}

Allocated ReadUids(Reader& reader) {
  Allocated allocated;
  for (const Json& value : reader.Array("uids")) {
    Reader part(value);
    std::string server = part.Text("server");
    allocated.uids.emplace_back(std::move(server), static_cast<uint32_t>(part.Number("uid")));
    reader.Take(part);
  }
  return allocated;
}

JobDone ReadJob(Reader& reader) {
  JobDone done;
  done.event.job = reader.Text("job");
  done.event.run = reader.Text("run");
  done.event.what = reader.Text("what");
  done.event.who = reader.Text("who");
  done.event.plan_digest = reader.Text("plan_digest");
  done.event.file_sha256 = reader.Text("file_sha256");
  done.event.note = reader.Text("note");
  done.event.signature = reader.Text("signature");
  done.event.reason = reader.Text("reason");
  if (reader.Find("locked_seconds") != nullptr) {
    done.event.locked_seconds = reader.Number("locked_seconds");
  }
  done.import = reader.Text("import");
  done.roster_sha256 = reader.Text("roster_sha256");
  return done;
}

Result<Parsed> ReadAs(std::string_view type, Reader& reader) {
  if (type == "intent") return ReadIntent(reader);
  if (type == "outcome") return ReadOutcome(reader);
  if (type == "apply-started") return ReadStarted(reader);
  if (type == "census") return ReadCensus(reader);
  if (type == "uid") return ReadUids(reader);
  if (type == "job") return ReadJob(reader);
  if (type == "created") {
    std::string id = reader.Text("ledger");
    const uint64_t version = reader.Number("version");
    return Created{std::move(id), version, reader.Text("key_sha256")};
  }
  if (type == "apply-finished") {
    const uint64_t apply = reader.Number("apply");
    std::string result = reader.Text("result");
    return Finished{apply, std::move(result), reader.Number("generation")};
  }
  return Fail(ErrorCode::kInvalid, fmt::format("no event type \"{}\"", type));
}

}  // namespace

Result<Parsed> ParseEvent(std::string_view type, std::string_view payload) {
  const Json json = Json::parse(payload, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Fail(ErrorCode::kInvalid, "the payload isn't JSON");
  Reader reader(json);
  auto parsed = ReadAs(type, reader);
  if (parsed && !reader.ok()) {
    return Fail(ErrorCode::kInvalid, fmt::format("the payload isn't that of \"{}\"", type));
  }
  return parsed;
}

}  // namespace postern::ledger
