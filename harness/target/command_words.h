// A command line as words, the way a shell splits it: blanks, 'single', "double", backslash. Nothing
// is expanded.
#pragma once
#include <string>
#include <vector>

#include "harness/base/error.h"

namespace harness {
Result<std::vector<std::string>> split_words(const std::string& text);
}
