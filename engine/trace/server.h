// Lets other processes of this machine watch a log: each gets all of it as a stream of MCAP, from
// its beginning to its end. Nothing is read from them.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <thread>
#include <utility>

#include "engine/trace/log.h"
#include "engine/trace/socket.h"

namespace trace {

// Has a thread that listens, and one for each viewer. A viewer that is slow misses what the log
// lets go of meanwhile, and holds up nobody.
class Server {
 public:
  static constexpr size_t kMostViewers = 32;  // at a time; more are turned away

  // Throws Error as listen_at() does. The log outlives the server.
  Server(Log& log, std::string address);
  // The viewers' streams break off where they are.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Where to connect.
  const std::string& address() const noexcept { return address_; }

  // How many viewers are there. Any thread.
  size_t watching() const noexcept { return watching_.load(); }

  // Returns when everybody has all of the log, to which nothing more is appended, and has been told
  // that this is the end; or when give_up() says so.
  void finish(const std::function<bool()>& give_up);

 private:
  struct Viewer {
    Descriptor socket;
    std::atomic<bool> gone{false};
    std::jthread thread;
  };

  void listen(const std::stop_token& stop);
  void serve(const std::stop_token& stop, Viewer& viewer);

  Log& log_;
  std::string address_;
  Descriptor socket_;
  std::string path_;                  // of the address; empty: it is none
  std::pair<uint64_t, uint64_t> id_;  // of what is there: nobody else's is removed
  std::atomic<size_t> watching_{0};
  std::atomic<bool> ending_{false};
  std::list<Viewer> viewers_;  // the listening thread's
  std::jthread thread_;
};

}  // namespace trace
