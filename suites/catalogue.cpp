// Catalogue: the shipped suites and models, and those given by path.
#include <algorithm>

#include "suites/base/json_input.h"
#include "suites/base/nearest.h"
#include "suites/suite.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxBases = 8;

Result<std::vector<fs::path>> json_files(const fs::path& dir) {
  std::error_code code;
  fs::directory_iterator at(dir, code);
  if (code) return bad_input(dir.string() + ": expected a readable folder, found: " + code.message());
  std::vector<fs::path> files;
  for (const auto& entry : at) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool is_path(const std::string& name) { return name.find('/') != std::string::npos || name.ends_with(".json"); }

template <typename T>
std::vector<std::string> names_of(const std::vector<T>& items) {
  std::vector<std::string> names;
  names.reserve(items.size());
  for (const T& item : items) names.push_back(item.name);
  return names;
}

// Reads every file of a folder; two that claim one name are an error.
template <typename T, typename Parse>
Status load_folder(const fs::path& dir, const Parse& parse, std::vector<T>* out) {
  const Result<std::vector<fs::path>> files = json_files(dir);
  if (!files) return files.error();
  for (const fs::path& file : *files) {
    const Result<std::string> text = read_text_file(file.string());
    if (!text) return text.error();
    Result<T> item = parse(*text, file.string());
    if (!item) return item.error();
    for (const T& other : *out) {
      if (other.name == item->name) return bad_input(file.string() + ": name: '" + item->name + "' is taken already");
    }
    out->push_back(std::move(item).value());
  }
  return ok_status();
}

}  // namespace

Result<Catalogue> Catalogue::load(const fs::path& data_dir) {
  Catalogue catalogue;
  const Status models = load_folder(data_dir / "models", parse_model, &catalogue.models_);
  if (!models) return models.error();
  std::sort(catalogue.models_.begin(), catalogue.models_.end(),
            [](const ModelShape& a, const ModelShape& b) { return a.params() < b.params(); });
  const Status videos = load_folder(data_dir / "models" / "video", parse_video, &catalogue.videos_);
  if (!videos) return videos.error();
  const auto parse = [&](const std::string& text, const std::string& where) {
    return parse_suite(text, where, catalogue.models_, catalogue.videos_);
  };
  const Status suites = load_folder(data_dir / "defs", parse, &catalogue.suites_);
  if (!suites) return suites.error();
  return catalogue;
}

Result<ModelShape> Catalogue::model(const std::string& name) const {
  for (const ModelShape& m : models_) {
    if (m.name == name) return m;
  }
  if (!is_path(name)) return bad_input("model: unknown '" + name + "'" + suggestion(name, names_of(models_)));
  const Result<std::string> text = read_text_file(name);
  if (!text) return text.error();
  return parse_model(*text, name);
}

Result<std::variant<ModelShape, VideoShape>> Catalogue::any_model(const std::string& name) const {
  using Any = std::variant<ModelShape, VideoShape>;
  for (const VideoShape& v : videos_) {
    if (v.name == name) return Any(v);
  }
  std::vector<std::string> names = names_of(models_);
  const bool known = std::find(names.begin(), names.end(), name) != names.end();
  if (!known && !is_path(name)) {
    for (const VideoShape& v : videos_) names.push_back(v.name);
    return bad_input("model: unknown '" + name + "'" + suggestion(name, names));
  }
  if (!known) {
    const Result<std::string> text = read_text_file(name);
    if (!text) return text.error();
    JsonInput input(*text, name);
    if (input.ok() && input.root().has("dit")) {
      Result<VideoShape> video = parse_video(*text, name);
      if (!video) return video.error();
      return Any(std::move(video).value());
    }
  }
  Result<ModelShape> found = model(name);
  if (!found) return found.error();
  return Any(std::move(found).value());
}

Result<Suite> Catalogue::suite(const std::string& name_or_path) const {
  for (const Suite& s : suites_) {
    if (s.name == name_or_path) return s;
  }
  if (!is_path(name_or_path)) {
    return bad_input("suite: unknown '" + name_or_path + "'" + suggestion(name_or_path, names_of(suites_)));
  }
  const Result<std::string> text = read_text_file(name_or_path);
  if (!text) return text.error();
  return suite_from(*text, name_or_path);
}

Result<Suite> Catalogue::suite_from(const std::string& text, const std::string& where) const {
  return suite_from(text, where, {});
}

Result<Suite> Catalogue::suite_from(const std::string& text, const std::string& where,
                                    std::vector<std::string> files) const {
  const auto whole = [](const std::string& file) {
    std::error_code code;
    return fs::weakly_canonical(file, code).string();
  };
  files.push_back(whole(where));
  const BaseSuite base = [&](const std::string& name) -> Result<Suite> {
    if (!is_path(name)) return suite(name);
    const std::string file = (fs::path(where).parent_path() / name).lexically_normal().string();
    if (std::find(files.begin(), files.end(), whole(file)) != files.end()) {
      return bad_input("'" + name + "' would extend itself");
    }
    if (files.size() > kMaxBases) {
      return bad_input("more than " + std::to_string(kMaxBases) + " suites extend one another");
    }
    const Result<std::string> base_text = read_text_file(file);
    return base_text ? suite_from(*base_text, file, files) : base_text.error();
  };
  return parse_suite(text, where, models_, videos_, base);
}

}  // namespace assay
