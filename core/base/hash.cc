#include "core/base/hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "core/base/check.h"

namespace postern::base {
namespace {

// 64 adjectives and 64 birds: six bits each, so a pair never repeats a digest's first two bytes.
constexpr const char* kAdjectives[64] = {
    "amber", "bold",   "brave",  "brisk",  "bright", "calm",  "clear",  "clever", "cold",   "cool",
    "crisp", "dark",   "deep",   "deft",   "dry",    "dusty", "early",  "fair",   "fast",   "fine",
    "firm",  "fresh",  "gentle", "glad",   "golden", "good",  "grand",  "grave",  "great",  "green",
    "grey",  "hardy",  "high",   "honest", "keen",   "kind",  "late",   "light",  "lively", "long",
    "lucid", "mellow", "mild",   "neat",   "noble",  "old",   "pale",   "plain",  "proud",  "quick",
    "quiet", "rapid",  "red",    "round",  "sharp",  "shy",   "silent", "silver", "slow",   "small",
    "snowy", "steady", "still",  "swift"};
constexpr const char* kBirds[64] = {
    "auk",    "avocet", "bittern", "bunting", "buzzard", "chough",  "coot",   "crake",
    "crane",  "crow",   "cuckoo",  "curlew",  "dipper",  "dove",    "drake",  "duck",
    "dunlin", "eagle",  "egret",   "eider",   "falcon",  "finch",   "fulmar", "gannet",
    "godwit", "goose",  "grebe",   "grouse",  "gull",    "harrier", "hawk",   "heron",
    "hobby",  "hoopoe", "ibis",    "jay",     "kestrel", "kite",    "knot",   "lark",
    "linnet", "magpie", "martin",  "merlin",  "osprey",  "ouzel",   "owl",    "petrel",
    "pipit",  "plover", "puffin",  "quail",   "rail",    "raven",   "robin",  "rook",
    "ruff",   "shrike", "siskin",  "skua",    "snipe",   "swan",    "teal",   "wren"};

// Looked up once: OpenSSL searches its providers again for each use of EVP_sha256().
const EVP_MD* Sha256Method() {
  static const EVP_MD* const method = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return method;
}

struct Sha256Context {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  Sha256Context() = default;
  Sha256Context(const Sha256Context&) = delete;
  Sha256Context& operator=(const Sha256Context&) = delete;
  ~Sha256Context() { EVP_MD_CTX_free(context); }

  void Begin() {
    POSTERN_CHECK(EVP_DigestInit_ex(context, Sha256Method(), nullptr) == 1, "SHA-256");
  }
  void Add(std::string_view bytes) { EVP_DigestUpdate(context, bytes.data(), bytes.size()); }
  Digest Finish() {
    Digest digest{};
    unsigned length = 0;
    EVP_DigestFinal_ex(context, digest.data(), &length);
    return digest;
  }
};

}  // namespace

// Plans hash a hundred thousand small fields, and a call of OpenSSL costs more than their bytes.
struct Hasher::State : Sha256Context {
  static constexpr size_t kRoom = 8192;
  std::string waiting;

  void AddBuffered(std::string_view bytes) {
    if (waiting.size() + bytes.size() > kRoom) Flush();
    if (bytes.size() > kRoom) {
      Add(bytes);
    } else {
      waiting += bytes;
    }
  }
  void Flush() {
    Add(waiting);
    waiting.clear();
  }
};

Hasher::Hasher() : state_(std::make_unique<State>()) {
  state_->Begin();
}
Hasher::~Hasher() = default;

void Hasher::Add(std::string_view bytes) {
  state_->AddBuffered(bytes);
}

void Hasher::AddField(std::string_view bytes) {
  uint8_t length[8];
  for (int i = 0; i < 8; ++i) length[i] = static_cast<uint8_t>(uint64_t{bytes.size()} >> (8 * i));
  Add({reinterpret_cast<const char*>(length), 8});
  Add(bytes);
}

Digest Hasher::Finish() {
  state_->Flush();
  return state_->Finish();
}

// Asked for each public key: one context a thread, begun anew.
Digest Sha256(std::string_view bytes) {
  thread_local Sha256Context context;
  context.Begin();
  context.Add(bytes);
  return context.Finish();
}

Digest HmacSha256(std::string_view key, std::string_view bytes) {
  Digest digest{};
  unsigned length = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), digest.data(), &length);
  return digest;
}

std::string RandomBytes(size_t count) {
  std::string bytes(count, '\0');
  POSTERN_CHECK(RAND_bytes(reinterpret_cast<uint8_t*>(bytes.data()), static_cast<int>(count)) == 1,
                "no random bytes from the system");
  return bytes;
}

std::string Hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text(bytes.size() * 2, '\0');
  char* to = text.data();
  for (unsigned char byte : bytes) {
    *to++ = kDigits[byte >> 4];
    *to++ = kDigits[byte & 15];
  }
  return text;
}

std::string Hex(const Digest& digest) {
  return Hex(std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

std::string Base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<uint8_t*>(text.data()),
                                     reinterpret_cast<const uint8_t*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(length));
  return text;
}

bool DecodeBase64(std::string_view text, std::string* out) {
  if (text.size() % 4 != 0) return false;
  out->assign(text.size() / 4 * 3, '\0');
  const int length =
      EVP_DecodeBlock(reinterpret_cast<uint8_t*>(out->data()),
                      reinterpret_cast<const uint8_t*>(text.data()), static_cast<int>(text.size()));
  if (length < 0) return false;
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  out->resize(static_cast<size_t>(length) - padding);
  return true;
}

std::string ShortName(const Digest& digest) {
  return Hex(std::string_view(reinterpret_cast<const char*>(digest.data()), 2)) + " " +
         kAdjectives[digest[2] & 63] + "-" + kBirds[digest[3] & 63];
}

}  // namespace postern::base
