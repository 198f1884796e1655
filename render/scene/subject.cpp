#include "render/scene/subject.h"

namespace scene {

namespace {

// Elements go by `elements` further, places by x.
void move(shaders::Bolt& bolt, uint32_t elements, float x) {
  bolt.from.x += x;
  bolt.to.x += x;
  if (bolt.from_node != shaders::kNoElement) bolt.from_node += elements;
  if (bolt.to_node != shaders::kNoElement) bolt.to_node += elements;
}

}  // namespace

shaders::Bolt Subject::own(const shaders::Bolt& bolt) const {
  shaders::Bolt alone = bolt;
  move(alone, 0U - first_element, -x);
  return alone;
}

void add_script(const Subject& subject, size_t step, Telling telling, Script& script) {
  if (step >= subject.reader->steps()) return;
  Script more = choreograph(*subject.reader, *subject.layout, step, telling);
  for (shaders::Light& light : more.lights) light.node += subject.first_element;
  for (shaders::Bolt& bolt : more.bolts) move(bolt, subject.first_element, subject.x);
  script.lights.insert(script.lights.end(), more.lights.begin(), more.lights.end());
  script.bolts.insert(script.bolts.end(), more.bolts.begin(), more.bolts.end());
}

}  // namespace scene
