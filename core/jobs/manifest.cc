#include "core/jobs/manifest.h"

#include <nlohmann/json.hpp>

#include "core/base/hash.h"
#include "core/jobs/format/encoding.h"

namespace postern::jobs {
namespace {

using Json = nlohmann::ordered_json;
constexpr size_t kSchemaDigits = 16;

// Each member in its order: `text`, `number` and `time` say how it is written or read.
template <class Text, class Number, class Time>
void Each(Manifest& manifest, const Text& text, const Number& number, const Time& time) {
  text("job", manifest.job);
  text("run", manifest.run);
  number("sequence", manifest.sequence);
  time("slot", manifest.slot);
  text("mode", manifest.mode);
  number("base_sequence", manifest.base_sequence);
  text("previous", manifest.previous);
  text("file", manifest.file);
  number("bytes", manifest.bytes);
  text("sha256", manifest.sha256);
  text("plain_sha256", manifest.plain_sha256);
  number("rows", manifest.rows);
  number("columns", manifest.columns);
  text("format", manifest.format);
  text("encoding", manifest.encoding);
  text("schema", manifest.schema);
  text("census", manifest.census);
  number("census_rows", manifest.census_rows);
  number("source_rows", manifest.source_rows);
  time("data_as_of", manifest.data_as_of);
  time("generated_at", manifest.generated_at);
  text("spec", manifest.spec);
  text("terms", manifest.terms);
  text("commit", manifest.commit);
  number("generation", manifest.generation);
  text("signer", manifest.signer);
}

Json FilesJson(const std::vector<ManifestFile>& files) {
  Json list = Json::array();
  for (const ManifestFile& file : files) {
    Json one{{"file", file.file}, {"bytes", file.bytes}, {"sha256", file.sha256}};
    if (!file.plain_sha256.empty()) one["plain_sha256"] = file.plain_sha256;
    list.push_back(std::move(one));
  }
  return list;
}

// False: not such a list.
bool ReadFileList(const Json& list, std::vector<ManifestFile>* files) {
  if (!list.is_array()) return false;
  for (const Json& one : list) {
    const auto text = [&](const char* name) {
      const auto at = one.find(name);
      return at != one.end() && at->is_string() ? at->get<std::string>() : std::string();
    };
    if (!one.is_object()) return false;
    const auto bytes = one.find("bytes");
    if (bytes == one.end() || !bytes->is_number_unsigned()) return false;
    files->push_back({text("file"), bytes->get<uint64_t>(), text("sha256"), text("plain_sha256")});
    if (files->back().file.empty() || files->back().sha256.empty()) return false;
  }
  return true;
}

}  // namespace

std::string WriteManifest(const Manifest& manifest) {
  Json json = Json::object();
  Manifest copy = manifest;
  Each(
      copy,
      [&](const char* name, const std::string& value) {
        if (!value.empty()) json[name] = value;
      },
      [&](const char* name, uint64_t value) { json[name] = value; },
      [&](const char* name, base::Instant at) { json[name] = base::FormatInstant(at); });
  if (!manifest.files.empty()) json["files"] = FilesJson(manifest.files);
  return json.dump(2) + "\n";
}

Result<Manifest> ReadManifest(std::string_view bytes) {
  const Json json = Json::parse(bytes, nullptr, false);
  if (!json.is_object()) return Fail(ErrorCode::kInvalid, "a manifest that can't be read");
  Manifest manifest;
  bool fine = true;
  Each(
      manifest,
      [&](const char* name, std::string& value) {
        const auto at = json.find(name);
        if (at == json.end()) return;
        fine = fine && at->is_string();
        if (at->is_string()) value = at->get<std::string>();
      },
      [&](const char* name, uint64_t& value) {
        const auto at = json.find(name);
        fine = fine && at != json.end() && at->is_number_unsigned();
        if (fine) value = at->get<uint64_t>();
      },
      [&](const char* name, base::Instant& value) {
        const auto at = json.find(name);
        fine = fine && at != json.end() && at->is_string();
        const auto instant =
            fine ? base::ParseInstant(at->get<std::string>()) : std::optional<base::Instant>();
        fine = fine && instant;
        if (instant) value = *instant;
      });
  if (const auto files = json.find("files"); files != json.end()) {
    fine = fine && ReadFileList(*files, &manifest.files);
  }
  if (!fine || manifest.run.empty() || manifest.file.empty()) {
    return Fail(ErrorCode::kInvalid, "a manifest that isn't whole");
  }
  return manifest;
}

std::string_view ToString(Format format) {
  switch (format) {
    case Format::kCsv:
      return "csv";
    case Format::kXml:
      return "xml";
    case Format::kJson:
      return "json";
    case Format::kJsonLines:
      return "jsonl";
    case Format::kLdif:
      return "ldif";
  }
  return "";
}

std::string_view ToString(Mode mode) {
  return mode == Mode::kDelta ? "delta" : "full";
}

std::string SchemaOf(const Shape& shape) {
  base::Hasher hasher;
  hasher.AddField(ToString(shape.format));
  hasher.AddField(ToString(shape.encoding));
  for (const std::string* name : {&shape.root, &shape.element, &shape.item, &shape.operation}) {
    hasher.AddField(*name);
  }
  for (const char flag : {shape.delimiter, shape.quote, shape.header ? '1' : '0'}) {
    hasher.AddField({&flag, 1});
  }
  for (const Column& column : shape.columns) {
    hasher.AddField(column.name);
    const char type[] = {static_cast<char>('0' + static_cast<int>(column.type)),
                         column.key ? 'k' : '-'};
    hasher.AddField({type, sizeof type});
    for (const std::string* form : {&column.time_format, &column.zone, &column.separator}) {
      hasher.AddField(*form);
    }
  }
  return base::Hex(hasher.Finish()).substr(0, kSchemaDigits);
}

}  // namespace postern::jobs
