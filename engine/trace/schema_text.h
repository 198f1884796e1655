// schema.h as text: traces carry it, so that they can be read without us.
#pragma once

#include <string_view>

namespace trace {

extern const std::string_view kSchemaText;

}  // namespace trace
