// The pieces of a frame's bolts: record of the bolt << 5 | log2 of its number of pieces << 3 | which.
// Only who gathers them writes: vertex shaders may not.
#ifndef PIECES_ACCESS
#define PIECES_ACCESS readonly
#endif
layout(set = 0, binding = kBindPieces, scalar) PIECES_ACCESS buffer Pieces {
  BoltDraw bolt_draw;
  uint pieces[];
};

uint piece_record(uint piece) { return piece >> 5u; }
// How far along the bolt a joint of the piece is, and the next one.
float piece_step(uint piece) { return 1.0 / float(kPieceSegments << (piece >> 3u & 3u)); }
float piece_t(uint piece, uint joint) {
  return float((piece & 7u) * kPieceSegments + joint) * piece_step(piece);
}
