// core/jobs/encrypt.h: files that only their receivers can read, and signatures of senders.
//
// OpenPGP by gpg, age by age: programs of the machine, started without a shell. gpg's home is the
// job's own, given by the operator; keys are named by their full fingerprints and nothing is looked
// for elsewhere (no key servers, no web). Any thread; blocks. Errors: kUnsupported when a program
// isn't there, kNotFound for an unknown key, kDenied for one that is expired, revoked or can't
// encrypt, kAuthentication for a signature that is missing, wrong or another's, kIncomplete when
// what came out isn't whole. Nothing is left of a result that failed. Cost: about 0.1 s and 5 s a
// GiB.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"
#include "schemas/job_declarations.pb.h"

namespace postern::jobs {

struct Encrypted {
  std::vector<std::string> warnings;  // "the key ... expires on 2027-01-02"
};

// Checks the keys alone: fit for use at `now`, and warnings of those that end within 30 days. gpg
// and age are only asked when the declaration names keys of theirs.
Result<Encrypted> CheckKeys(const decl::Encrypt& encrypt, base::Instant now);

// Writes `to` (0600, whole or not at all) from `from`. OpenPGP and age exclude each other.
Result<Encrypted> EncryptFile(const decl::Encrypt& encrypt, const std::string& from,
                              const std::string& to, base::Instant now);
// ".gpg" or ".age"; empty when nothing is encrypted.
std::string_view EndingOf(const decl::Encrypt& encrypt);

// For imports. `from` is an OpenPGP message, signed by `signed_by` (full fingerprint), encrypted or
// not; `to` gets what is in it. Empty `signed_by`: any or no signature is taken, only decrypted.
// `limit`: more bytes than that are in it (a little can hold a lot): kIncomplete.
Result<void> OpenFile(const std::string& gpg_home, const std::string& signed_by,
                      const std::string& from, const std::string& to, uint64_t limit = UINT64_MAX);
// The same of a file of age, with the identity (a private key, as age-keygen writes it) in a file.
// kNotFound: there is no identity.
Result<void> OpenAge(const std::string& identity, const std::string& from, const std::string& to,
                     uint64_t limit = UINT64_MAX);
// A signature in a file of its own over `file`.
Result<void> VerifyDetached(const std::string& gpg_home, const std::string& signed_by,
                            const std::string& signature, const std::string& file);

// Removes a file that holds what others may not read. Missing is fine.
Result<void> RemovePlain(const std::string& path);

}  // namespace postern::jobs
