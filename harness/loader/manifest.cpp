#include "harness/loader/manifest.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "adapters/abi/assay_adapter.h"
#include "suites/base/json_input.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxManifestBytes = size_t{1} << 20;
constexpr const char* kSuffix = ".adapter.json";

std::vector<std::string> texts(const JsonNode& node) {
  std::vector<std::string> out;
  for (const JsonNode& item : node.items(0, 100)) out.push_back(item.text(256));
  return out;
}

void add_folders(const std::string& list, std::vector<fs::path>* out) {
  std::stringstream stream(list);
  for (std::string folder; std::getline(stream, folder, ':');) {
    if (!folder.empty()) out->emplace_back(folder);
  }
}

// "include" lines of ld.so.conf name files by a pattern; Debian's is /etc/ld.so.conf.d/*.conf, so a folder's files do.
void add_ld_conf(const fs::path& file, std::vector<fs::path>* out) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    const size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string::npos || line[begin] == '#') continue;
    line.erase(0, begin);
    if (line.rfind("include", 0) != 0) {
      out->emplace_back(line.substr(0, line.find_last_not_of(" \t") + 1));
      continue;
    }
    std::error_code code;
    for (const auto& entry : fs::directory_iterator("/etc/ld.so.conf.d", code)) {
      if (entry.path().extension() == ".conf") add_ld_conf(entry.path(), out);
    }
  }
}

// Where the dynamic loader looks, without its cache: dlopen would run the library's constructors.
std::vector<fs::path> library_folders() {
  std::vector<fs::path> folders;
  if (const char* path = std::getenv("LD_LIBRARY_PATH")) add_folders(path, &folders);
  add_ld_conf("/etc/ld.so.conf", &folders);
  for (const char* folder : {"/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib"})
    folders.emplace_back(folder);
#if defined(__x86_64__)
  folders.emplace_back("/usr/lib/x86_64-linux-gnu");
#elif defined(__aarch64__)
  folders.emplace_back("/usr/lib/aarch64-linux-gnu");
#endif
  return folders;
}

bool library_found(const std::string& soname, const fs::path& beside) {
  static const std::vector<fs::path> kFolders = library_folders();
  std::error_code code;
  if (fs::exists(beside / soname, code)) return true;
  return std::any_of(kFolders.begin(), kFolders.end(), [&](const fs::path& f) {
    std::error_code ignored;
    return fs::exists(f / soname, ignored);
  });
}

std::string problem_of(Manifest* m) {
  if (m->abi_major != ASSAY_ABI_MAJOR) {
    return "made for ABI major " + std::to_string(m->abi_major) + ", this host serves " +
           std::to_string(ASSAY_ABI_MAJOR);
  }
  std::error_code code;
  if (!fs::is_regular_file(m->library, code)) return m->library.string() + " not found";
  for (const std::string& soname : m->needs) {
    if (library_found(soname, m->library.parent_path())) continue;
    m->machine_lacks = true;
    return soname + " not found";
  }
  return "";
}

// The folder of the adapters that belong to this program: <prefix>/lib/assay/adapters beside <prefix>/bin.
fs::path own_folder() {
  std::error_code code;
  const fs::path self = fs::read_symlink("/proc/self/exe", code);
  return code ? fs::path() : self.parent_path().parent_path() / "lib" / "assay" / "adapters";
}

std::vector<fs::path> manifests_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code code;
  fs::directory_iterator at(folder, code);
  for (const fs::directory_iterator end; !code && at != end; at.increment(code)) {
    if (at->path().filename().string().ends_with(kSuffix)) files.push_back(at->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

Manifest broken(const fs::path& file, const std::string& problem) {
  Manifest m;
  m.name = file.filename().string();
  if (m.name.ends_with(kSuffix)) m.name.erase(m.name.size() - std::string(kSuffix).size());
  m.file = file;
  m.problem = problem;
  return m;
}

}  // namespace

Result<Manifest> read_manifest(const fs::path& file) {
  const Result<std::string> text = read_text_file(file.string(), kMaxManifestBytes);
  if (!text) return text.error();
  JsonInput input(*text, file.string());
  const JsonNode root = input.root();
  root.fields({"name", "vendor", "version", "description", "licence", "library", "abi_major", "abi_minor", "tables",
               "needs", "options"});
  Manifest m;
  m.file = fs::absolute(file);
  m.name = root.at("name").text(64);
  m.vendor = root.at("vendor").text(256);
  m.version = root.at("version").text(64);
  m.description = root.at("description").text();
  if (root.has("licence")) m.licence = root.at("licence").text(256);
  const std::string library = root.at("library").text(256);
  m.abi_major = static_cast<uint32_t>(root.at("abi_major").integer(0, UINT16_MAX));
  m.abi_minor = static_cast<uint32_t>(root.at("abi_minor").integer(0, UINT16_MAX));
  m.tables = texts(root.at("tables"));
  m.needs = texts(root.at("needs"));
  if (root.has("options")) m.options = texts(root.at("options"));
  if (input.ok() && (m.name.empty() || m.name.find_first_of(":/ ") != std::string::npos)) {
    root.at("name").fail_expected("a name without ':', '/' and blanks");
  }
  if (input.ok() && (library.empty() || library.find('/') != std::string::npos)) {
    root.at("library").fail_expected("the name of a file beside the manifest");
  }
  if (!input.ok()) return input.error();
  m.library = m.file.parent_path() / library;
  m.problem = problem_of(&m);
  return m;
}

std::vector<Manifest> find_adapters(const std::vector<fs::path>& extra) {
  std::vector<fs::path> files = extra;
  std::vector<fs::path> folders;
  if (const char* path = std::getenv("ASSAY_ADAPTER_PATH")) add_folders(path, &folders);
  if (const fs::path own = own_folder(); !own.empty()) folders.push_back(own);
  for (const fs::path& folder : folders) {
    for (const fs::path& file : manifests_in(folder)) files.push_back(file);
  }
  std::vector<Manifest> found, unread;  // what can't be read takes no name away from what can
  std::vector<fs::path> seen;
  size_t given = 0;  // of `found`
  for (size_t i = 0; i < files.size(); ++i) {
    std::error_code code;
    const fs::path place = fs::weakly_canonical(files[i], code);
    if (std::find(seen.begin(), seen.end(), place) != seen.end()) continue;
    seen.push_back(place);
    Result<Manifest> manifest = read_manifest(files[i]);
    if (!manifest) {
      unread.push_back(broken(files[i], manifest.error().message));
      continue;
    }
    Manifest m = std::move(manifest).value();
    const auto other = std::find_if(found.begin(), found.end(), [&](const Manifest& o) { return o.name == m.name; });
    if (other == found.end()) {
      found.push_back(std::move(m));
      given = i < extra.size() ? found.size() : given;
    } else if (i >= extra.size() && static_cast<size_t>(other - found.begin()) < given) {
      if (other->hides.empty()) other->hides = m.file;
    } else if (other->hides.empty()) {
      other->hides = m.file;
      other->problem =
          "two adapters are called '" + m.name + "', " + other->file.string() + " and " + m.file.string() +
          (i < extra.size() ? "; expected one --adapter of that name" : "; expected one, or --adapter FILE");
      other->machine_lacks = false;
    }
  }
  found.insert(found.end(), unread.begin(), unread.end());
  return found;
}

}  // namespace assay
