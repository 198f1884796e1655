// The four kinds of characters that GPT-2's pre-tokenizer tells apart.
#pragma once

namespace model {

enum class CharClass { kLetter, kNumber, kSpace, kOther };

// Letter: general categories L*; number: N*; space: White_Space (what \s means in the
// pattern of GPT-2). Everything else, unassigned included, is other.
CharClass char_class(char32_t c) noexcept;

}  // namespace model
