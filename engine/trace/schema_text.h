// What traces say of themselves, so that they can be read without us.
#pragma once

#include <string_view>

namespace trace {

extern const std::string_view kSchemaText;  // schema.h
extern const std::string_view kProgram;     // what writes them: "fulgurite 1.2.3"

}  // namespace trace
