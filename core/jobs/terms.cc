#include "core/jobs/terms.h"

#include <fmt/format.h>

#include "core/base/hash.h"

namespace postern::jobs {
namespace {

constexpr size_t kDigits = 16;

std::string Hash(const google::protobuf::Message& message) {
  return base::Hex(base::Sha256(message.SerializeAsString())).substr(0, kDigits);
}

// Who signs in decides which folders are seen there. The keys of both sides may change: it is the
// same place.
std::string PlaceOf(const job::JobSpec& spec) {
  const decl::Endpoint& endpoint = spec.endpoint();
  const decl::ServiceAccount& account = spec.service_account();
  const std::string& login = endpoint.has_login()  ? endpoint.login()
                             : account.has_login() ? account.login()
                                                   : account.name();
  const std::string whose =
      endpoint.has_for_() ? endpoint.for_() : fmt::format("server:{}", endpoint.server());
  return fmt::format("{} at {}://{}@{}", whose, endpoint.protocol(), login, endpoint.address());
}

}  // namespace

Terms TermsOf(const job::JobSpec& spec) {
  const decl::Export& all = spec.export_();
  decl::Export rows, form;
  rows.set_what(all.what());
  if (all.has_from()) *rows.mutable_from() = all.from();
  if (all.has_select()) *rows.mutable_select() = all.select();
  if (all.has_files()) *rows.mutable_files() = all.files();
  if (all.has_format()) *form.mutable_format() = all.format();
  if (all.has_columns()) *form.mutable_columns() = all.columns();
  if (all.has_encrypt()) *form.mutable_encrypt() = all.encrypt();
  // An answer and its time may be declared otherwise while a file waits.
  decl::Deliver& names = *form.mutable_deliver();
  names = all.deliver();
  names.clear_to();
  names.clear_folder();
  names.clear_ack();
  names.clear_reject();
  names.clear_ack_minutes();
  return {PlaceOf(spec), all.deliver().folder(), Hash(rows),
          Hash(form) + (spec.endpoint().receiver() == "direct" ? "-direct" : "")};
}

std::string DigestOf(const Terms& terms) {
  if (terms == Terms()) return "";
  base::Hasher hasher;
  for (const std::string* part : {&terms.to, &terms.folder, &terms.rows, &terms.form}) {
    hasher.AddField(*part);
  }
  return base::Hex(hasher.Finish()).substr(0, kDigits);
}

std::string Describe(const Terms& terms) {
  return terms.to.empty() ? "a receiver that wasn't noted" : terms.to + ", " + terms.folder;
}

}  // namespace postern::jobs
