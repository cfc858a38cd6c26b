#include "providers/filetransfer/transport/file_reader.h"

#include <string_view>
#include <utility>
#include <vector>

namespace postern::filetransfer {
namespace {

// The files directly in a folder are one range of the sorted paths, with those deeper between them.
template <class Take>
void EachFileIn(const std::map<std::string, FileState>& states, const std::string& folder,
                Take take) {
  const std::string prefix = folder.ends_with('/') ? folder : folder + "/";
  for (auto at = states.lower_bound(prefix); at != states.end(); ++at) {
    if (!at->first.starts_with(prefix)) break;
    // A name that was asked for by itself may be no file.
    if (at->second.regular && at->first.find('/', prefix.size()) == std::string::npos) take(*at);
  }
}

}  // namespace

FileReader::FileReader(Transport& transport, const std::string& about)
    : transport_(transport), last_(transport.asked_before[about]) {}

FileReader::~FileReader() {
  if (begun_) last_ = std::move(asked_);
}

Result<void> FileReader::Fetch(const FileNames& missing) {
  FileNames names = missing;
  if (!begun_) {
    names.files.insert(last_.files.begin(), last_.files.end());
    names.folders.insert(last_.folders.begin(), last_.folders.end());
  }
  auto read =
      ReadFiles(transport_, std::vector<std::string>(names.files.begin(), names.files.end()),
                std::vector<std::string>(names.folders.begin(), names.folders.end()));
  if (!read) return tl::unexpected(read.error());
  begun_ = true;
  states_.merge(*read);
  fetched_.files.merge(names.files);
  fetched_.folders.merge(names.folders);
  return {};
}

Result<std::map<std::string, FileState>> FileReader::Read(std::span<const std::string> files,
                                                          std::span<const std::string> folders) {
  FileNames missing;
  for (const std::string& file : files) {
    asked_.files.insert(file);
    if (!fetched_.files.contains(file)) missing.files.insert(file);
  }
  for (const std::string& folder : folders) {
    asked_.folders.insert(folder);
    if (!fetched_.folders.contains(folder)) missing.folders.insert(folder);
  }
  if (!missing.files.empty() || !missing.folders.empty()) {
    if (auto done = Fetch(missing); !done) return tl::unexpected(done.error());
  }
  std::map<std::string, FileState> out;
  for (const auto& list : {files, folders}) {
    for (const std::string& name : list) out[name] = states_.at(name);
  }
  for (const std::string& folder : folders) {
    EachFileIn(states_, folder, [&out](const auto& entry) { out.insert(entry); });
  }
  return out;
}

}  // namespace postern::filetransfer
