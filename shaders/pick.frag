#version 460
// Which element a box stands for. Scenery is looked through.
layout(location = 3) flat in uvec2 id_and_style;
layout(location = 0) out uint result;
void main() {
  if (id_and_style.x == 0u) discard;
  result = id_and_style.x;
}
