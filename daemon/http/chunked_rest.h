// What Beast 1.81 cannot bear: part of a chunked body's end. Asked again with fewer than five bytes
// once it has seen the last chunk's line ("0\r\n", of a body without any other), its parser ends the
// process by an assertion (basic_parser::parse_chunk_header, n >= 5).
#pragma once
#include <cstddef>

namespace aima {

// Whether the parser has to get more than these `size` unparsed bytes at once. What is left of a
// chunked body that is not done has five bytes at least, "0\r\n\r\n": nobody waits in vain.
template <typename Parser>
bool is_too_little_of_a_chunked_body(const Parser& parser, std::size_t size) {
  return size < 5 && parser.is_header_done() && !parser.is_done() && parser.chunked();
}

}  // namespace aima
