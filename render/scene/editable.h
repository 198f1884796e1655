// A text for a field that knows characters of 16 bits alone (Dear ImGui's in the distribution).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace scene {

// Stands in for what such a field would destroy: ends of lines and tabs by the arrows that the
// text panel shows for them; characters beyond U+FFFF, what is no UTF-8, and such arrows, by one
// character each of the private use area (U+E000 ...), and for that area itself.
class Editable {
 public:
  // The text as the field may have it, and back. Stand-ins mean the same for the object's life.
  std::string shown(std::string_view text);
  std::string meant(std::string_view shown) const;
  // A character that is typed, and that the field may not have as it is, waits, and so does what is
  // typed behind it. False: the field may have it.
  bool keep_typed(char32_t c);
  // What waits, as the field may have it.
  std::string take_typed();
  // The same of a text from elsewhere, whose lines may end as other systems have it.
  std::string pasted(std::string_view text);

 private:
  std::vector<std::string> kept_;  // by stand-in
  std::string typed_;              // what waits
};

}  // namespace scene
