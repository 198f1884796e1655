// `fulgurite models`: the models on this machine and whether they would run.
#pragma once

#include <ostream>

#include "engine/model_store.h"

namespace engine::commands {

struct ModelsOptions {
  StoreFolders folders = store_folders();
  bool json = false;
};

// Prints one JSON array or a table, a model a row: how to name it with -m, its architecture,
// parameters, bytes, and the first thing that stops it. Each is opened, none is run. Returns an
// exit code (0), also where there is no model.
int models(const ModelsOptions& options, std::ostream& out);

}  // namespace engine::commands
