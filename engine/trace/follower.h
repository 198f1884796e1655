// A trace that is still being written, by another process: a file that grows, or a Server's stream.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "engine/trace/log.h"
#include "engine/trace/mcap.h"

namespace trace {

// Appends to a log what comes, in a thread of its own: the log's writer. What it holds is not
// looked at: a Reader does that. At the end, and where it breaks off, a note says so.
class Follower {
 public:
  // what: an address (see socket.h), or a file. Throws Error: (usage) is no address of this
  // machine; (failed) nobody listens there; (bad_model) the file cannot be read. The log outlives
  // it.
  Follower(const std::string& what, Log& log);
  ~Follower();  // takes in no more
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

 private:
  void take_in() noexcept;
  void follow();
  void give_up() noexcept;
  void note(NoteKind kind, const std::string& text);

  std::string what_;
  Log& log_;
  std::stop_source stop_;
  McapSource read_;
  std::thread thread_;
};

}  // namespace trace
